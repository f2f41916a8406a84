"""How frames are kept: decoded, waiting for what they need, or set aside as they came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from core.delivery.frames import Frame, Lane, Stream
from core.delivery.holdings import AnchorRow, FrameState, HeldBlock, Holdings, KeptFrame
from core.delivery.payload import TimeUnknown, anchor_of, decode_payload
from core.delivery.ranges import Ranges
from core.delivery.tables import PointTable
from core.errors import WireError

MAX_READINGS = 1_000_000
"""Most readings of one frame [1]: no message has room for so many."""


def refusal(frame: Frame) -> str:
    """Return why no ledger takes a frame, or nothing where one may."""
    return f"it says {frame.n} readings" if frame.n > MAX_READINGS else ""


def keep(
    frame: Frame, table: PointTable | None, starts_ms: Mapping[str, int] = MappingProxyType({})
) -> KeptFrame:
    """Return how a frame is kept.

    Parameters
    ----------
    table
        Its point table, None where it is not known.
    starts_ms
        When runs of the agent's machine began [ms since 1970 UTC].
    """
    if table is None:
        return KeptFrame(frame, FrameState.UNDECODED, reason=f"point table {frame.table} has not come")
    try:
        readings, events = decode_payload(frame, table, starts_ms)
    except TimeUnknown as error:
        return KeptFrame(frame, FrameState.UNDECODED, reason=error.what, boot=error.boot)
    except WireError as error:
        return KeptFrame(frame, FrameState.QUARANTINED, reason=f"{error.what}: {error.evidence}")
    return KeptFrame(frame, FrameState.HELD, readings, events)


class Twin(NamedTuple):
    """Two frames of one place, by their ids."""

    at: int
    first: str
    second: str


class Keeper:
    """The frames, point tables and anchors that a ledger will hold after the messages so far.

    Parameters
    ----------
    holdings
        The ledger's committed contents.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._tables: dict[str, PointTable | None] = {}
        self._starts_ms: dict[str, dict[str, int]] = {}
        self._looked_for: set[tuple[str, str]] = set()
        self._places: dict[Stream, dict[int, list[str]]] = {}
        self._pruned: dict[Stream, Sequence[HeldBlock]] = {}
        self.kept: dict[str, KeptFrame] = {}
        self.decoded: dict[str, KeptFrame] = {}
        self.merged: dict[str, KeptFrame] = {}
        self.new_tables: list[PointTable] = []
        self.anchors: dict[tuple[str, str], AnchorRow] = {}

    def look_up(self, touched: Mapping[Stream, Ranges], tables: Iterable[str]) -> None:
        """Ask the ledger once per stream for the places that are to be taken, and once for their tables."""
        for stream, places in touched.items():
            known = self._places.setdefault(stream, {})
            for held in self._holdings.frames(stream, tuple(places)):
                known.setdefault(held.at, []).append(held.id)
            self._pruned[stream] = self._holdings.blocks(stream, tuple(places))
        unknown = set(tables) - self._tables.keys()
        found = self._holdings.tables(unknown) if unknown else {}
        self._tables.update({digest: found.get(digest) for digest in unknown})

    def knows(self, digest: str) -> bool:
        """Tell whether a point table that was looked up, or has come, is known."""
        return self._tables.get(digest) is not None

    def take_table(self, table: PointTable) -> None:
        """Take a point table, and decode the frames that wait for it."""
        if self.knows(table.digest) or table.digest in self._holdings.tables((table.digest,)):
            return
        self._tables[table.digest] = table
        self.new_tables.append(table)
        for frame in self._holdings.undecoded(table.digest):
            self._note(self.decoded, self._keep(frame, table))

    def take(self, frame: Frame) -> Twin | None:
        """Take a frame that was looked up; return the twin that it makes where its place is another's."""
        here = self._places[frame.stream].setdefault(frame.index, [])
        if frame.id in here or frame.id in self.merged:
            return None
        kept = self._keep(frame, self._tables[frame.table])
        pruned = next((one for one in self._pruned[frame.stream] if one.first <= frame.index < one.end), None)
        if pruned is not None and kept.state in (FrameState.HELD, pruned.state):
            self.merged[frame.id] = kept
            return None
        first = here[0] if here else pruned and pruned.digest
        here.append(frame.id)
        self._note(self.kept, kept)
        return Twin(frame.index, first, frame.id) if first else None

    def settle_times(self) -> None:
        """Decode the frames that wait for an anchor that has come now."""
        settled: set[tuple[str, str]] = set()
        while fresh := self.anchors.keys() - settled:  # what is decoded may hold an anchor itself
            for agent, boot in fresh:
                settled.add((agent, boot))
                for where in (self.kept, self.decoded):
                    for kept in tuple(where.values()):
                        if kept.boot == boot and kept.frame.agent == agent:
                            self._note(where, self._keep(kept.frame, self._tables[kept.frame.table]))
                waiting = self._holdings.untimed(agent, boot)
                self.look_up({}, {frame.table for frame in waiting})
                for frame in waiting:
                    self._note(self.decoded, self._keep(frame, self._tables[frame.table]))

    def held_now(self, stream: Stream, first: int, end: int) -> dict[int, tuple[str, int]]:
        """Return id and readings of the first frame at each of the places."""
        first_at: dict[int, tuple[str, int]] = {}
        for frame in self._holdings.frames(stream, ((first, end),)):
            first_at.setdefault(frame.at, (frame.id, frame.n))
        for at, ids in self._places.get(stream, {}).items():
            if first <= at < end and ids and ids[0] in self.kept:
                first_at.setdefault(at, (ids[0], self.kept[ids[0]].frame.n))
        return first_at

    def missing_tables(self, agent: str, lane: Lane) -> tuple[str, ...]:
        """Return the digests of point tables that frames of a lane wait for."""
        return tuple(d for d in self._holdings.missing_tables(agent, lane) if not self.knows(d))

    def _keep(self, frame: Frame, table: PointTable | None) -> KeptFrame:
        """How a frame is kept, by all anchors that are known."""
        starts_ms = self._starts_ms.setdefault(frame.agent, {})
        kept = keep(frame, table, starts_ms)
        while kept.boot and (frame.agent, kept.boot) not in self._looked_for:
            self._looked_for.add((frame.agent, kept.boot))
            starts_ms.update(self._holdings.starts_ms(frame.agent, (kept.boot,)))
            kept = keep(frame, table, starts_ms)
        return kept

    def _note(self, where: dict[str, KeptFrame], kept: KeptFrame) -> None:
        """Keep a frame, and the anchors that it holds."""
        where[kept.frame.id] = kept
        for event in kept.events:
            if (anchor := anchor_of(event)) is not None:
                self._take_anchor(AnchorRow(kept.frame.agent, *anchor))

    def _take_anchor(self, anchor: AnchorRow) -> None:
        """Take an anchor, unless an earlier one is known."""
        known = self._starts_ms.setdefault(anchor.agent, {})
        if (anchor.agent, anchor.boot) not in self._looked_for:
            self._looked_for.add((anchor.agent, anchor.boot))
            known.update(self._holdings.starts_ms(anchor.agent, (anchor.boot,)))
        if anchor.start_ms < known.get(anchor.boot, anchor.start_ms + 1):
            known[anchor.boot] = anchor.start_ms
            self.anchors[anchor.agent, anchor.boot] = anchor
