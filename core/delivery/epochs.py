"""What is known of agents' epochs: where they end, what they follow, whether the disk is the known one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import takewhile
from operator import ne

from core.delivery.frames import Lane, Stream
from core.delivery.holdings import Arriving, DeliveryEvent, EpochRow, Holdings, LaneRow
from core.delivery.messages import Ended, Inventory


class EpochBook:
    """The ledger's epoch and lane rows as they will be after the messages so far.

    Parameters
    ----------
    holdings
        The ledger's committed contents.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._epochs: dict[tuple[str, Lane], dict[str, EpochRow]] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self.new_rows: dict[Stream, EpochRow] = {}
        self.lanes: dict[tuple[str, Lane], LaneRow] = {}
        self.events: list[DeliveryEvent] = []

    def take_inventory(self, site: str, agent: str, lane: Lane, message: Inventory) -> None:
        """Take a message of an inventory: where epochs end, what they follow, and what is on disk.

        Ends and links are taken from any inventory. What is on disk, and what is on it no more, is only
        known when all parts of the newest one have come.
        """
        before = self.known(agent, lane)
        strange = tuple(
            ended.epoch
            for ended in message.epochs
            if self._take_entry(site, Stream(agent, lane, ended.epoch), ended, message.process, before)
        )
        row = self._lane(agent, lane)
        if self._is_late(row, message, before):
            return
        arriving = _with(row.arriving, message, strange)
        if len(arriving.came) < arriving.parts:
            self.lanes[agent, lane] = replace(row, arriving=arriving)
            return
        self._judge(agent, lane, arriving)
        other = row.arriving if row.arriving and row.arriving.process != message.process else None
        self.lanes[agent, lane] = replace(
            row,
            process=message.process,
            sequence=message.sequence,
            listed=arriving.blocks,
            arriving=other,  # of a later run, of which the first part is still missing
        )

    def _is_late(self, row: LaneRow, message: Inventory, before: Mapping[str, EpochRow]) -> bool:
        """Tell whether a newer inventory has come, of this run or of a later one."""
        newest = row.arriving or row
        if message.process in (row.process, newest.process):
            return (message.process == row.process and message.sequence <= row.sequence) or (
                message.process == newest.process and message.sequence < newest.sequence
            )
        known = before.get(message.process)
        return known is not None and known.finished

    def _take_entry(
        self, site: str, stream: Stream, ended: Ended, process: str, before: Mapping[str, EpochRow]
    ) -> bool:
        """Take an entry of the epoch table; tell whether it is new and follows nothing that was known."""
        row = self._row(site, stream)
        strange = False
        if not row.linked:
            strange = ended.prev not in before
            self._see_copies(stream, ended, before)
            row = replace(row, linked=True, prev=ended.prev, clean=ended.clean)
        if ended.epoch != process:
            row = replace(row, finished=True)
        self._put(row)
        self.raise_end(site, stream, frames=ended.frames, readings=ended.readings)
        if ended.prev is not None:
            prev = Stream(stream.agent, stream.lane, ended.prev)
            if not self.is_foreign(site, prev):
                self.raise_end(site, prev, frames=ended.prev_frames, readings=ended.prev_readings)
        return strange

    def _see_copies(self, stream: Stream, ended: Ended, before: Mapping[str, EpochRow]) -> None:
        """See by a new link whether the disk is an older one, or a second one."""
        known = before.get(ended.prev or "")
        if known and (ended.prev_frames < known.frames or ended.prev_readings < known.readings):
            self.note(
                "older_disk",
                stream,
                f"follows {ended.prev} up to frame {ended.prev_frames}, {known.frames} were known",
            )
        for row in before.values():
            if row.linked and row.prev == ended.prev is not None and row.stream.epoch != ended.epoch:
                self.note("clone", stream, f"and {row.stream.epoch} both follow {ended.prev}")

    def _judge(self, agent: str, lane: Lane, whole: Arriving) -> None:
        """See by a whole inventory which epochs it knows, and judge all that it could have listed."""
        ends = {ended.epoch: ended for ended in whole.epochs}
        rows = self._rows(agent, lane)
        for epoch in whole.strange:
            prev = ends[epoch].prev
            before = takewhile(partial(ne, epoch), rows)
            left_out = [other for other in before if other not in ends and other != prev]
            if left_out and prev not in ends:
                self.note(
                    "spool_replaced",
                    Stream(agent, lane, epoch),
                    f"follows {prev or 'nothing'}, other epochs were known",
                )
        for epoch, row in tuple(rows.items()):
            if epoch == whole.process:
                own = ends.get(epoch)
                frames, readings = (own.frames, own.readings) if own else (0, 0)
            else:
                frames, readings = row.frames, row.readings
            self._put(
                replace(
                    row,
                    judged_frames=max(row.judged_frames, frames),
                    judged_readings=max(row.judged_readings, readings),
                )
            )

    def is_foreign(self, site: str, stream: Stream) -> bool:
        """Tell whether the epoch belongs to another agent; the first topic it came on decides."""
        owner = self._owners.get(stream.epoch)
        if owner is None:
            owner = self._holdings.owner(stream.epoch) or (site, stream.agent)
            self._owners[stream.epoch] = owner
        if owner == (site, stream.agent):
            return False
        self.note("foreign_epoch", stream, f"epoch {stream.epoch} belongs to {owner[1]} at {owner[0]}")
        return True

    def known(self, agent: str, lane: Lane) -> Mapping[str, EpochRow]:
        """Return what is known of a lane's epochs at this moment."""
        return dict(self._rows(agent, lane))

    def _rows(self, agent: str, lane: Lane) -> dict[str, EpochRow]:
        """All epochs of a lane, as they will be."""
        if (agent, lane) not in self._epochs:
            rows = self._holdings.epochs(agent, lane)
            self._epochs[agent, lane] = {row.stream.epoch: row for row in rows}
        return self._epochs[agent, lane]

    def _row(self, site: str, stream: Stream) -> EpochRow:
        return self._rows(stream.agent, stream.lane).get(stream.epoch) or EpochRow(stream, site)

    def _put(self, row: EpochRow) -> None:
        stream = row.stream
        rows = self._rows(stream.agent, stream.lane)
        if rows.get(stream.epoch) != row:
            rows[stream.epoch] = self.new_rows[stream] = row

    def raise_end(self, site: str, stream: Stream, *, frames: int = 0, readings: int = 0) -> None:
        """Take note that an epoch goes at least so far."""
        row = self._row(site, stream)
        self._put(replace(row, frames=max(row.frames, frames), readings=max(row.readings, readings)))

    def raise_total(self, agent: str, lane: Lane, readings: int) -> None:
        """Take note of a total of all epochs."""
        row = self._lane(agent, lane)
        if readings > row.total_readings:
            self.lanes[agent, lane] = replace(row, total_readings=readings)

    def _lane(self, agent: str, lane: Lane) -> LaneRow:
        row = self.lanes.get((agent, lane)) or self._holdings.lane(agent, lane)
        return row or LaneRow(agent, lane)

    def note(self, kind: str, stream: Stream, evidence: str) -> None:
        """Raise an event for people."""
        self.events.append(DeliveryEvent(kind, stream.agent, stream.lane, evidence))


def _with(arriving: Arriving | None, message: Inventory, strange: tuple[str, ...]) -> Arriving:
    """The inventory of which this message is a part, as far as it has come."""
    own = (message.process, message.sequence, message.parts)
    if arriving is None or (arriving.process, arriving.sequence, arriving.parts) != own:
        arriving = Arriving(*own)
    if message.part in arriving.came:
        return arriving
    return replace(
        arriving,
        came=(*arriving.came, message.part),
        epochs=arriving.epochs + message.epochs,
        blocks=arriving.blocks + message.blocks,
        strange=arriving.strange + strange,
    )
