"""The ledger's side of delivery: pure decisions, given what the ledger holds.

Any frame of any epoch is taken at any time, as often as it comes; what is held already is only
acknowledged again. Nothing of a decision may be said to an agent before its transaction is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.delivery.answers import AckDraft, block_of, on_inventory
from core.delivery.epochs import EpochBook
from core.delivery.frames import Lane, Stream
from core.delivery.holdings import Answer, Decision, Holdings
from core.delivery.keeping import Keeper, Twin, refusal
from core.delivery.messages import Block, Data, Gone, Head, Inventory, Range, Table
from core.delivery.ranges import Ranges, runs


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
        self._life = life
        self._book = EpochBook(holdings)
        self._keeper = Keeper(holdings)
        self._gone: dict[tuple[Stream, Gone], None] = {}
        self._answers: list[Answer] = []
        self._acks: dict[tuple[str, str, Lane], AckDraft] = {}

    def look_up(self, arrivals: Iterable[Arrival]) -> None:
        """Ask the ledger for the places and tables that data messages touch."""
        touched: dict[Stream, Ranges] = {}
        digests: set[str] = set()
        for arrival in arrivals:
            if isinstance(arrival.message, Data) and arrival.lane is not None:
                stream = Stream(arrival.agent, arrival.lane, arrival.message.epoch)
                places = touched.setdefault(stream, Ranges())
                for sent in arrival.message.frames:
                    places.add(sent.at, sent.at + 1)
                digests.update(arrival.message.tables)
        self._keeper.look_up(touched, digests)

    def take(self, arrival: Arrival) -> None:
        """Take one message."""
        site, agent, lane = arrival.site, arrival.agent, arrival.lane
        match arrival.message:
            case Table() as message:
                self._keeper.take_table(message.table)
            case Head() as message:
                self._take_head(site, agent, message)
            case Data() as message if lane is not None:
                self._take_data(site, agent, lane, message)
            case Inventory() as message if lane is not None:
                self._take_inventory(site, agent, lane, message)

    def decision(self) -> Decision:
        """Return all that the messages so far come to."""
        keeper, book = self._keeper, self._book
        keeper.settle_times()
        for (site, agent, lane), draft in self._acks.items():
            self._answers.extend(Answer(site, agent, ack) for ack in draft.acks(self._life, lane))
        return Decision(
            frames=tuple(keeper.kept.values()),
            decoded=tuple(keeper.decoded.values()),
            merged=tuple(keeper.merged.values()),
            tables=tuple(keeper.new_tables),
            anchors=tuple(keeper.anchors.values()),
            epochs=tuple(book.new_rows.values()),
            lanes=tuple(book.lanes.values()),
            gone=tuple(self._gone),
            events=tuple(book.events),
            answers=tuple(self._answers),
        )

    def _take_head(self, site: str, agent: str, message: Head) -> None:
        for lane, head in message.lanes.items():
            stream = Stream(agent, lane, head.epoch)
            if self._book.is_foreign(site, stream):
                continue
            self._book.raise_end(site, stream, frames=head.frames, readings=head.readings)
            self._book.raise_total(agent, lane, head.readings_of_all_epochs)

    def _take_data(self, site: str, agent: str, lane: Lane, message: Data) -> None:
        draft = self._acks.setdefault((site, agent, lane), AckDraft())
        frames = message.whole(agent, lane)
        stream = frames[0].stream
        if self._book.is_foreign(site, stream):
            draft.refused += [(frame.id, "epoch of another agent") for frame in frames]
            return
        draft.need.update((table, None) for table in message.tables if not self._keeper.knows(table))
        refused = {frame.id: why for frame in frames if (why := refusal(frame))}
        if refused:
            draft.refused += refused.items()
            self._book.note("refused", stream, f"{len(refused)} frames: {next(iter(refused.values()))}")
        taken = [frame for frame in frames if frame.id not in refused]
        twins = [twin for frame in taken if (twin := self._keeper.take(frame)) is not None]
        if twins:
            self._book.note("same_place", stream, _told(twins))
        for frame in taken:
            self._book.raise_end(site, stream, frames=frame.index + 1)
        draft.add(taken)

    def _take_inventory(self, site: str, agent: str, lane: Lane, message: Inventory) -> None:
        message = self._own(site, agent, lane, message)
        self._book.take_inventory(site, agent, lane, message)
        for gone in message.gone:
            stream = Stream(agent, lane, gone.epoch)
            self._book.raise_end(site, stream, frames=gone.first + gone.frames)
            self._gone[stream, gone] = None
        held: list[Block] = []
        wanted: list[Range] = []
        for block in message.blocks:
            stream = Stream(agent, lane, block.epoch)
            self._book.raise_end(site, stream, frames=block.first + block.frames)
            self._compare(stream, block, held, wanted)
        need = self._keeper.missing_tables(agent, lane)
        answers = on_inventory(message, self._life, lane, held=held, wanted=wanted, need=need)
        self._answers += [Answer(site, agent, answer) for answer in answers]

    def _own(self, site: str, agent: str, lane: Lane, message: Inventory) -> Inventory:
        """Leave out of an inventory what belongs to other agents."""
        parts = (message.epochs, message.blocks, message.gone)
        epochs = {entry.epoch for part in parts for entry in part}
        foreign = {epoch for epoch in epochs if self._book.is_foreign(site, Stream(agent, lane, epoch))}
        if not foreign:
            return message
        return message.model_copy(
            update={
                "epochs": tuple(entry for entry in message.epochs if entry.epoch not in foreign),
                "blocks": tuple(block for block in message.blocks if block.epoch not in foreign),
                "gone": tuple(gone for gone in message.gone if gone.epoch not in foreign),
            }
        )

    def _compare(self, stream: Stream, block: Block, held: list[Block], wanted: list[Range]) -> None:
        """Split a block into the runs that are held, each with the digest of what is held, and the rest.

        Of a block without ids a part cannot be compared: it is wanted, and then acknowledged by id.
        """
        first, end = block.first, block.first + block.frames
        known = Ranges()
        for pruned in self._holdings.blocks(stream, ((first, end),)):
            if first <= pruned.first and pruned.end <= end:
                known.add(pruned.first, pruned.end)
                held.append(Block(stream.epoch, pruned.first, pruned.frames, pruned.readings, pruned.digest))
        first_at = self._keeper.held_now(stream, first, end)
        for start, stop in runs(sorted(first_at)):
            copies = [first_at[at] for at in range(start, stop)]
            held.append(block_of(stream.epoch, start, copies))
            known.add(start, stop)
        wanted += [Range(stream.epoch, start, stop - start) for start, stop in known.missing(first, end)]


def _told(twins: Sequence[Twin]) -> str:
    """The frames of one message whose places were taken, in a sentence."""
    first = twins[0]
    more = f", and {len(twins) - 1} more" if len(twins) > 1 else ""
    return f"two frames of index {first.at}: {first.first} {first.second}{more}"
