"""The transactions in which messages become part of the ledger. Synchronous: they run in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from collector import messages
from collector.inbox import MAX_BATCH_BYTES, Message
from collector.ledger import Ledger, delivery, quarantine
from collector.ledger.holdings import LedgerHoldings
from collector.stores.base import Rejection, StoreRow
from collector.stores.rows import Scale, scales
from collector.stores.samples import Samples
from core.delivery.frames import Stream
from core.delivery.holdings import Answer, Decision, FrameState, KeptFrame
from core.delivery.messages import Data, Status
from core.delivery.receiver import Arrival, decide
from core.errors import WireError

_LOG = logging.getLogger(__name__)
_LATE_FRAMES_PER_TURN = 500


@dataclass(frozen=True, slots=True)
class Garbage:
    """A message that could not be understood."""

    topic: str
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """Messages by what has to be done with them."""

    arrivals: Sequence[Arrival] = ()
    garbage: Sequence[Garbage] = ()

    def __bool__(self) -> bool:
        return bool(self.arrivals or self.garbage)

    def part(self, *kinds: type) -> Sorted:
        """Return the arrivals that carry messages of some kinds."""
        return Sorted([arrival for arrival in self.arrivals if isinstance(arrival.message, kinds)])


@dataclass(frozen=True, slots=True)
class DecidedSamples:
    """Frames of samples, and the rows that a reading store must hold before they are committed.

    `more` says that further frames can be decoded now, because their table came late.
    """

    decision: Decision
    rows: Sequence[StoreRow]
    more: bool


class Intake:
    """Turns messages into transactions.

    Parameters
    ----------
    ledger
        The ledger.
    store_name
        Names the reading store where it refuses a row for good.
    site_of_meter
        Site of each meter on record: nobody else may speak for it.
    now_ms
        Gives the time that stands beside events and quarantine [ms since 1970 UTC].
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        store_name: str,
        site_of_meter: Mapping[str, str],
        now_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._store_name = store_name
        self._site_of_meter = site_of_meter
        self._now_ms = now_ms
        self._scales: Mapping[str, Mapping[str, Scale]] = {}  # of the point tables that were used last

    @property
    def session(self) -> int:
        """Number of the connection over which the ledger is written [1]."""
        return self._ledger.session

    def touch(self) -> Sequence[Answer]:
        """Begin and end a transaction that writes nothing.

        Raises
        ------
        Unreachable, OutsideError
            The ledger failed.
        """
        with self._ledger.writing():
            return ()

    def sort(self, waiting: Iterable[Message], most_characters: int = MAX_BATCH_BYTES) -> Sorted:
        """Parse messages; what cannot be understood becomes garbage with a reason, and costs nothing else.

        Parameters
        ----------
        waiting
            Messages; of an iterator, what is not taken stays for the next call.
        most_characters
            Payload of frames to take before no further message is [1]: deflated it was a small part of that.
        """
        arrivals: list[Arrival] = []
        garbage: list[Garbage] = []
        for topic, payload in waiting:
            try:
                heard = messages.read(topic, payload)
            except WireError as error:
                garbage.append(Garbage(topic, payload, ": ".join(filter(None, (error.what, error.evidence)))))
                continue
            if isinstance(heard, Status):
                _LOG.info("%s: %s", topic, heard.state)
                continue
            arrivals.append(heard)
            if isinstance(heard.message, Data):
                most_characters -= sum(len(sent.payload) for sent in heard.message.frames)
                if most_characters <= 0:
                    break
        return Sorted(arrivals, garbage)

    def commit(self, heard: Sorted, life: str) -> Sequence[Answer]:
        """Commit registers, tables, heads and inventories in one transaction; return what to answer.

        Raises
        ------
        Unreachable, OutsideError
            The ledger failed, and nothing was kept.
        """
        with self._ledger.writing({arrival.agent for arrival in heard.arrivals}) as connection:
            holdings = LedgerHoldings(connection)
            decision = self._admit(decide(heard.arrivals, holdings, life), heard.arrivals, holdings)
            delivery.write(connection, decision, self._now_ms())
            new = [
                each
                for each in heard.garbage
                if quarantine.set_aside(
                    connection,
                    source=each.topic,
                    reason=each.reason,
                    raw=each.raw,
                    time_ms=self._now_ms(),
                )
            ]
        for each in new:
            _LOG.warning("set aside a message on %s: %s", each.topic, each.reason)
        _tell(decision)
        return decision.answers

    def decide_samples(self, heard: Sorted, life: str) -> DecidedSamples:
        """Decide about frames of samples, and about some whose table has come since.

        Raises
        ------
        Unreachable, OutsideError
            The ledger failed.
        """
        with self._ledger.reading() as connection:
            holdings = LedgerHoldings(connection)
            late = tuple(holdings.late_samples(_LATE_FRAMES_PER_TURN))
            decision = replace(decide(heard.arrivals, holdings, life), decoded=late)
            decision = self._admit(decision, heard.arrivals, holdings)
            arrived = (*decision.frames, *decision.decoded, *decision.merged)
            held = [kept for kept in arrived if kept.state is FrameState.HELD]
            tables = holdings.tables({kept.frame.table for kept in held})
        if not tables.keys() <= self._scales.keys():
            self._scales = {digest: scales(table) for digest, table in tables.items()}
        rows = Samples.of((kept.readings, self._scales[kept.frame.table]) for kept in held)
        return DecidedSamples(decision, rows, more=len(late) == _LATE_FRAMES_PER_TURN)

    def commit_samples(self, decided: DecidedSamples, rejected: Iterable[Rejection]) -> Sequence[Answer]:
        """Commit frames whose rows are durable in the reading store; return what to answer.

        Raises
        ------
        Unreachable, OutsideError
            The ledger failed, and nothing was kept.
        """
        rejected = tuple(rejected)
        decision = decided.decision
        agents = {row.stream.agent for row in decision.epochs} | {row.agent for row in decision.lanes}
        agents |= {kept.frame.agent for kept in (*decision.frames, *decision.decoded)}
        with self._ledger.writing(agents) as connection:
            delivery.write(connection, decision, self._now_ms())
            set_aside_rows(connection, self._store_name, rejected, self._now_ms())
        for each in rejected[:1]:
            _LOG.warning(
                "%s refuses %d readings for good, first %s: %s",
                self._store_name,
                len(rejected),
                each.of,
                each.reason,
            )
        _tell(decision)
        return decision.answers

    def _admit(self, decision: Decision, arrivals: Sequence[Arrival], holdings: LedgerHoldings) -> Decision:
        """Set frames aside that bring readings of another site's meter, which the broker should refuse."""
        sites = {
            Stream(arrival.agent, arrival.lane, arrival.message.epoch): arrival.site
            for arrival in arrivals
            if isinstance(arrival.message, Data) and arrival.lane is not None
        }
        tables = {table.digest: table for table in decision.tables}
        arrived = (*decision.frames, *decision.decoded, *decision.merged)
        used = {kept.frame.table for kept in arrived} - tables.keys()
        if used:
            tables |= holdings.tables(used)
        foreign: dict[tuple[Stream, str], str | None] = {}

        def admitted(kept: KeptFrame) -> KeptFrame:
            stream, table = kept.frame.stream, tables.get(kept.frame.table)
            if table is None:
                return kept
            if (stream, table.digest) not in foreign:
                owner = None if stream in sites else holdings.owner(stream.epoch)
                site = sites[stream] if owner is None else owner[0]
                foreign[stream, table.digest] = messages.foreign_point(site, table, self._site_of_meter)
            point = foreign[stream, table.digest]
            if point is None:
                return kept
            reason = f"{point} belongs to site {self._site_of_meter[point.partition('.')[0]]}"
            return KeptFrame(kept.frame, FrameState.QUARANTINED, reason=reason)

        return replace(
            decision,
            frames=tuple(admitted(kept) for kept in decision.frames),
            decoded=tuple(admitted(kept) for kept in decision.decoded),
            merged=tuple(admitted(kept) for kept in decision.merged),
        )


def set_aside_rows(
    connection: Connection, store_name: str, rejected: Iterable[Rejection], time_ms: int
) -> None:
    """Keep the rows that a reading store refuses for good."""
    for each in rejected:
        quarantine.set_aside(
            connection, source=store_name, reason=each.reason, raw=repr(each.row).encode(), time_ms=time_ms
        )


def _tell(decision: Decision) -> None:
    """Log what people should know of."""
    for event in decision.events:
        _LOG.warning("%s %s: %s: %s", event.agent, event.lane, event.kind, event.evidence)
    for kept in (*decision.frames, *decision.decoded):
        if kept.state is FrameState.QUARANTINED:
            frame = kept.frame
            _LOG.warning("set aside frame %d of %s %s: %s", frame.index, frame.agent, frame.lane, kept.reason)
