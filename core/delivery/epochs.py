"""What is known of agents' epochs: where they end, what they follow, whether the disk is the known one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.delivery.frames import Lane, Stream
from core.delivery.holdings import DeliveryEvent, EpochRow, Holdings, LaneRow
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

    def list_disk(self, agent: str, lane: Lane, message: Inventory, before: Mapping[str, EpochRow]) -> None:
        """Take the inventory for the newest, unless a newer one of this or a later run has come before."""
        row = self._lane(agent, lane)
        if message.process == row.process:
            late = message.sequence < row.sequence
        else:
            known = before.get(message.process)
            late = known is not None and known.finished
        if late:
            return
        own = (ended.frames for ended in message.epochs if ended.epoch == message.process)
        self.lanes[agent, lane] = replace(
            row,
            process=message.process,
            sequence=message.sequence,
            listed=message.blocks,
            listed_frames=next(own, 0),
        )

    def take_entry(
        self, site: str, stream: Stream, ended: Ended, message: Inventory, before: Mapping[str, EpochRow]
    ) -> None:
        """Take an entry of the epoch table; where its link is new, see whether the disk is the known one."""
        row = self._row(site, stream)
        if not row.linked:
            self._judge_link(stream, ended, {entry.epoch for entry in message.epochs}, before)
            row = replace(row, linked=True, prev=ended.prev, clean=ended.clean)
        if ended.epoch != message.process:
            row = replace(row, finished=True)
        self._put(row)
        self.raise_end(site, stream, frames=ended.frames, readings=ended.readings)
        if ended.prev is not None:
            prev = Stream(stream.agent, stream.lane, ended.prev)
            if not self.is_foreign(site, prev):
                self.raise_end(site, prev, frames=ended.prev_frames, readings=ended.prev_readings)

    def _judge_link(
        self, stream: Stream, ended: Ended, listed: set[str], before: Mapping[str, EpochRow]
    ) -> None:
        if ended.prev is not None and ended.prev in before:
            known = before[ended.prev]
            if ended.prev_frames < known.frames or ended.prev_readings < known.readings:
                self.note(
                    "older_disk",
                    stream,
                    f"follows {ended.prev} up to frame {ended.prev_frames}, {known.frames} were known",
                )
        elif any(epoch not in listed for epoch in before) and ended.prev not in listed:
            self.note("spool_replaced", stream, f"follows {ended.prev or 'nothing'}, other epochs were known")
        twins = (
            row.stream.epoch
            for row in before.values()
            if row.linked and row.prev == ended.prev is not None and row.stream.epoch != ended.epoch
        )
        for twin in twins:
            self.note("clone", stream, f"and {twin} both follow {ended.prev}")

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
