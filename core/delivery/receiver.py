"""The ledger's side of delivery: pure decisions, given what the ledger holds.

Any frame of any epoch is taken at any time, as often as it comes; what is held already is only
acknowledged again. Nothing of a decision may be said to an agent before its transaction is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.delivery.epochs import EpochBook
from core.delivery.frames import BLOCK_FRAMES, Frame, Lane, Stream, block_digest
from core.delivery.holdings import (
    Answer,
    Decision,
    FrameState,
    Holdings,
    KeptFrame,
)
from core.delivery.messages import Ack, Block, Data, Gone, Head, Inventory, Range, Table, Want
from core.delivery.payload import decode_payload
from core.delivery.ranges import Ranges, runs
from core.delivery.tables import PointTable
from core.errors import WireError

ACK_ENTRIES = 2000
"""Most ids or blocks in one ack, so that it stays far below the size that brokers take."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of an agent; `lane` is the topic's, and None for a head."""

    site: str
    agent: str
    lane: Lane | None
    message: Data | Table | Inventory | Head


def decide(arrivals: Sequence[Arrival], holdings: Holdings, life: str) -> Decision:
    """Say what one transaction must write for these messages, and what to answer afterwards.

    Parameters
    ----------
    arrivals
        Messages in order of arrival; their order and number change nothing that is kept.
    holdings
        The ledger's committed contents.
    life
        The collector's present life; answers carry it.
    """
    batch = _Batch(holdings, life)
    for kind in (Table, Head, Data, Inventory):  # a table before the frames it explains
        chosen = [arrival for arrival in arrivals if isinstance(arrival.message, kind)]
        if kind is Data:
            batch.look_up(chosen)
        for arrival in chosen:
            batch.take(arrival)
    return batch.decision()


class _Batch:
    """What the ledger will hold once the messages so far are committed."""

    def __init__(self, holdings: Holdings, life: str) -> None:
        self._holdings = holdings
        self._book = EpochBook(holdings)
        self._life = life
        self._kept: dict[str, KeptFrame] = {}
        self._decoded: list[KeptFrame] = []
        self._places: dict[Stream, dict[int, list[str]]] = {}
        self._tables: dict[str, PointTable | None] = {}
        self._new_tables: list[PointTable] = []
        self._gone: dict[tuple[Stream, Gone], None] = {}
        self._answers: list[Answer] = []
        self._acks: dict[tuple[str, str, Lane], _AckDraft] = {}

    def look_up(self, arrivals: Iterable[Arrival]) -> None:
        """Ask the ledger once per stream for the places and tables that the data messages touch."""
        touched: dict[Stream, Ranges] = {}
        digests: set[str] = set()
        for arrival in arrivals:
            if isinstance(arrival.message, Data) and arrival.lane is not None:
                stream = Stream(arrival.agent, arrival.lane, arrival.message.epoch)
                places = touched.setdefault(stream, Ranges())
                for sent in arrival.message.frames:
                    places.add(sent.at, sent.at + 1)
                digests.add(arrival.message.table)
        for stream, places in touched.items():
            known = self._places.setdefault(stream, {})
            for held in self._holdings.frames(stream, tuple(places)):
                known.setdefault(held.at, []).append(held.id)
        unknown = digests - self._tables.keys()
        found = self._holdings.tables(unknown) if unknown else {}
        self._tables.update({digest: found.get(digest) for digest in unknown})

    def take(self, arrival: Arrival) -> None:
        """Take one message."""
        site, agent, lane = arrival.site, arrival.agent, arrival.lane
        match arrival.message:
            case Table() as message:
                self._take_table(message.table)
            case Head() as message:
                self._take_head(site, agent, message)
            case Data() as message if lane is not None:
                self._take_data(site, agent, lane, message)
            case Inventory() as message if lane is not None:
                self._take_inventory(site, agent, lane, message)

    def decision(self) -> Decision:
        """Return all that the messages so far come to."""
        for (site, agent, lane), draft in self._acks.items():
            self._answers.extend(Answer(site, agent, ack) for ack in draft.acks(self._life, lane))
        return Decision(
            frames=tuple(self._kept.values()),
            decoded=tuple(self._decoded),
            tables=tuple(self._new_tables),
            epochs=tuple(self._book.new_rows.values()),
            lanes=tuple(self._book.lanes.values()),
            gone=tuple(self._gone),
            events=tuple(self._book.events),
            answers=tuple(self._answers),
        )

    def _take_table(self, table: PointTable) -> None:
        if self._tables.get(table.digest) or table.digest in self._holdings.tables((table.digest,)):
            return
        self._tables[table.digest] = table
        self._new_tables.append(table)
        self._decoded.extend(keep(frame, table) for frame in self._holdings.undecoded(table.digest))

    def _take_head(self, site: str, agent: str, message: Head) -> None:
        for lane, head in message.lanes.items():
            stream = Stream(agent, lane, head.epoch)
            if self._book.is_foreign(site, stream):
                continue
            self._book.raise_end(site, stream, frames=head.frames, readings=head.readings)
            self._book.raise_total(agent, lane, head.readings_of_all_epochs)

    def _take_data(self, site: str, agent: str, lane: Lane, message: Data) -> None:
        draft = self._acks.setdefault((site, agent, lane), _AckDraft())
        frames = message.whole(agent, lane)
        stream = frames[0].stream
        if self._book.is_foreign(site, stream):
            draft.refused += [(frame.id, "epoch of another agent") for frame in frames]
            return
        table = self._tables[message.table]
        if table is None:
            draft.need[message.table] = None
        places = self._places[stream]
        for frame in frames:
            here = places.setdefault(frame.index, [])
            if frame.id not in here:
                if here:
                    self._book.note(
                        "same_place", stream, f"two frames of index {frame.index}: {here[0]} {frame.id}"
                    )
                here.append(frame.id)
                self._kept[frame.id] = keep(frame, table)
        self._book.raise_end(site, stream, frames=max(frame.index for frame in frames) + 1)
        draft.add(frames)

    def _take_inventory(self, site: str, agent: str, lane: Lane, message: Inventory) -> None:
        foreign = {
            epoch
            for epoch in {
                entry.epoch for part in (message.epochs, message.blocks, message.gone) for entry in part
            }
            if self._book.is_foreign(site, Stream(agent, lane, epoch))
        }
        before = self._book.known(agent, lane)
        for ended in message.epochs:
            if ended.epoch not in foreign:
                self._book.take_entry(site, Stream(agent, lane, ended.epoch), ended, message, before)
        for gone in message.gone:
            if gone.epoch not in foreign:
                stream = Stream(agent, lane, gone.epoch)
                self._book.raise_end(site, stream, frames=gone.first + gone.frames)
                self._gone[stream, gone] = None
        self._book.list_disk(agent, lane, message, before)
        held: list[Block] = []
        wanted: list[Range] = []
        for block in message.blocks:
            if block.epoch not in foreign:
                self._book.raise_end(
                    site, Stream(agent, lane, block.epoch), frames=block.first + block.frames
                )
                self._compare(Stream(agent, lane, block.epoch), block, held, wanted)
        missing = self._holdings.missing_tables(agent, lane)
        need = tuple(digest for digest in missing if self._tables.get(digest) is None)
        answers: list[Ack | Want] = [
            Ack(
                life=self._life,
                lane=lane,
                inventory=message.number,
                held=tuple(held[i : i + ACK_ENTRIES]),
                need=need if i == 0 else (),
            )
            for i in range(0, max(len(held), 1), ACK_ENTRIES)
        ]
        answers += [
            Want(
                life=self._life,
                lane=lane,
                inventory=message.number,
                ranges=tuple(wanted[i : i + ACK_ENTRIES]),
            )
            for i in range(0, len(wanted), ACK_ENTRIES)
        ]
        self._answers += [Answer(site, agent, answer) for answer in answers]

    def _compare(self, stream: Stream, block: Block, held: list[Block], wanted: list[Range]) -> None:
        """Split a block into the runs that are held, each with the digest of what is held, and the rest."""
        end = block.first + block.frames
        first_at: dict[int, tuple[str, int]] = {}
        for frame in self._holdings.frames(stream, ((block.first, end),)):
            first_at.setdefault(frame.at, (frame.id, frame.n))
        for at, ids in self._places.get(stream, {}).items():
            if block.first <= at < end and ids[0] in self._kept:
                first_at.setdefault(at, (ids[0], self._kept[ids[0]].frame.n))
        places = sorted(first_at)
        for first, stop in runs(places):
            copies = [first_at[at] for at in range(first, stop)]
            held.append(_block(stream.epoch, first, copies))
        missing = Ranges(runs(places)).missing(block.first, end)
        wanted += [Range(stream.epoch, first, stop - first) for first, stop in missing]


class _AckDraft:
    """What one lane of one agent will be told of its data messages."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._blocks: dict[Block, None] = {}
        self.need: dict[str, None] = {}
        self.refused: list[tuple[str, str]] = []

    def add(self, frames: Sequence[Frame]) -> None:
        """Name the frames of one message: runs by a digest, single ones by id."""
        by_index = {frame.index: frame for frame in sorted(frames, key=lambda frame: frame.index)}
        for first, stop in runs(by_index):
            copies = [(by_index[at].id, by_index[at].n) for at in range(first, stop)]
            if len(copies) == 1:
                self._ids[copies[0][0]] = None
                continue
            for start in range(0, len(copies), BLOCK_FRAMES):
                part = copies[start : start + BLOCK_FRAMES]
                self._blocks[_block(frames[0].epoch, first + start, part)] = None

    def acks(self, life: str, lane: Lane) -> Iterator[Ack]:
        """Yield the acks, none of them too long."""
        ids, blocks, refused = tuple(self._ids), tuple(self._blocks), tuple(self.refused)
        for start in range(0, max(len(ids), len(blocks), len(refused), 1), ACK_ENTRIES):
            part = slice(start, start + ACK_ENTRIES)
            yield Ack(
                life=life,
                lane=lane,
                ids=ids[part],
                held=blocks[part],
                need=tuple(self.need) if start == 0 else (),
                refused=refused[part],
            )


def _block(epoch: str, first: int, copies: Sequence[tuple[str, int]]) -> Block:
    """The block of consecutive frames with these ids and readings."""
    ids = bytes.fromhex("".join(id for id, _ in copies))
    return Block(epoch, first, len(copies), sum(n for _, n in copies), block_digest(ids))


def keep(frame: Frame, table: PointTable | None) -> KeptFrame:
    """Return how a new frame is kept: held, undecoded without its table, or quarantined with a reason."""
    if table is None:
        return KeptFrame(frame, FrameState.UNDECODED, reason=f"point table {frame.table} has not come")
    try:
        readings, events = decode_payload(frame, table)
    except WireError as error:
        return KeptFrame(frame, FrameState.QUARANTINED, reason=f"{error.what}: {error.evidence}")
    return KeptFrame(frame, FrameState.HELD, readings, events)
