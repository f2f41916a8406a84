"""A ledger in memory: what a `Decision` says, and nothing else. Copies of it are backups."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields

from core.delivery.count import Count, count_epoch
from core.delivery.frames import Frame, Lane, Stream, block_digest
from core.delivery.holdings import (
    Decision,
    DeliveryEvent,
    EpochRow,
    FrameState,
    HeldBlock,
    HeldFrame,
    KeptFrame,
    LaneRow,
)
from core.delivery.messages import Gone
from core.delivery.payload import TakenReading
from core.delivery.ranges import Ranges, Span, runs
from core.delivery.tables import PointTable


@dataclass
class MemoryLedger:
    """Implements `Holdings` over plain containers."""

    kept: dict[str, KeptFrame] = field(default_factory=dict)
    known_tables: dict[str, PointTable] = field(default_factory=dict)
    epoch_rows: dict[Stream, EpochRow] = field(default_factory=dict)
    lane_rows: dict[tuple[str, Lane], LaneRow] = field(default_factory=dict)
    gone_rows: dict[tuple[Stream, Gone], None] = field(default_factory=dict)
    events: list[DeliveryEvent] = field(default_factory=list)
    pruned: dict[Stream, tuple[HeldBlock, ...]] = field(default_factory=dict)
    anchors: dict[tuple[str, str], int] = field(default_factory=dict)
    merged: set[TakenReading] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)

    def frames(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldFrame]:
        chosen = [
            HeldFrame(kept.frame.index, kept.frame.id, kept.frame.n, kept.state)
            for kept in self.kept.values()
            if kept.frame.stream == stream and any(a <= kept.frame.index < b for a, b in spans)
        ]
        return sorted(chosen, key=lambda frame: frame.at)

    def blocks(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldBlock]:
        return [
            block
            for block in self.pruned.get(stream, ())
            if any(a < block.end and block.first < b for a, b in spans)
        ]

    def tables(self, digests: Collection[str]) -> Mapping[str, PointTable]:
        return {digest: self.known_tables[digest] for digest in digests if digest in self.known_tables}

    def undecoded(self, table: str) -> Sequence[Frame]:
        return [
            kept.frame
            for kept in self.kept.values()
            if kept.state is FrameState.UNDECODED and kept.frame.table == table
        ]

    def starts_ms(self, agent: str, boots: Collection[str]) -> Mapping[str, int]:
        return {boot: self.anchors[agent, boot] for boot in boots if (agent, boot) in self.anchors}

    def untimed(self, agent: str, boot: str) -> Sequence[Frame]:
        return [kept.frame for kept in self.kept.values() if (kept.frame.agent, kept.boot) == (agent, boot)]

    def missing_tables(self, agent: str, lane: Lane) -> Collection[str]:
        return {
            kept.frame.table
            for kept in self.kept.values()
            if kept.state is FrameState.UNDECODED and kept.frame.stream[:2] == (agent, lane)
        } - self.known_tables.keys()

    def epochs(self, agent: str, lane: Lane) -> Sequence[EpochRow]:
        return [row for row in self.epoch_rows.values() if row.stream[:2] == (agent, lane)]

    def owner(self, epoch: str) -> tuple[str, str] | None:
        owners = (
            (row.site, row.stream.agent) for row in self.epoch_rows.values() if row.stream.epoch == epoch
        )
        return next(owners, None)

    def lane(self, agent: str, lane: Lane) -> LaneRow | None:
        return self.lane_rows.get((agent, lane))

    def commit(self, decision: Decision) -> None:
        for kept in decision.frames + decision.decoded:
            self.kept[kept.frame.id] = kept
        for kept in decision.merged:
            self.merged.update(kept.readings)
            self.forgotten.add(kept.frame.id)
        self.known_tables.update((table.digest, table) for table in decision.tables)
        self.anchors.update(((row.agent, row.boot), row.start_ms) for row in decision.anchors)
        self.epoch_rows.update((row.stream, row) for row in decision.epochs)
        self.lane_rows.update(((row.agent, row.lane), row) for row in decision.lanes)
        self.gone_rows.update(dict.fromkeys(decision.gone))
        self.events += decision.events

    def backup(self) -> MemoryLedger:
        return MemoryLedger(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})

    def prune(self, stream: Stream, first: int, end: int) -> None:
        """Forget the ids of these frames, which are all held."""
        frames = self.frames(stream, ((first, end),))
        assert [(one.at, one.state) for one in frames] == [(at, FrameState.HELD) for at in range(first, end)]
        digest = block_digest(bytes.fromhex("".join(one.id for one in frames)))
        readings = sum(one.n for one in frames)
        block = HeldBlock(first, end - first, readings, FrameState.HELD, digest)
        self.pruned[stream] = tuple(sorted((*self.pruned.get(stream, ()), block)))
        for one in frames:
            self.merged.update(self.kept.pop(one.id).readings)
            self.forgotten.add(one.id)

    def prune_some(self, chance: random.Random) -> None:
        """Forget the ids of some frames, as if they were old: whole runs that only a freed range names."""
        for stream in sorted({kept.frame.stream for kept in self.kept.values()}):
            frames = self.frames(stream, ((0, 2**53),))
            places = Counter(frame.at for frame in frames)
            free = [frame.at for frame in frames if places[frame.at] == 1 and frame.state is FrameState.HELD]
            lost = Ranges(
                (gone.first, gone.first + gone.frames)
                for other, gone in self.gone_rows
                if other == stream and gone.reason != "freed"
            )
            blurred = Ranges((block.first, block.end) for block in self.pruned.get(stream, ()))
            for first, end in runs(at for at in free if at not in lost and at not in blurred):
                if chance.random() < 0.5:
                    self.prune(stream, first, chance.randint(first + 1, end))

    def holds(self, frame: Frame | None) -> bool:
        """Whether this very frame is kept, or stood in a block that is."""
        return frame is not None and (frame.id in self.kept or frame.id in self.forgotten)

    def readings(self) -> set[TakenReading]:
        return {reading for kept in self.kept.values() for reading in kept.readings} | self.merged

    def counts(self) -> tuple[Count, ...]:
        return tuple(
            count_epoch(
                row,
                self.lane_rows.get((row.stream.agent, row.stream.lane)),
                self.frames(row.stream, ((0, 2**53),)),
                [gone for stream, gone in self.gone_rows if stream == row.stream],
                self.pruned.get(row.stream, ()),
            )
            for row in self.epoch_rows.values()
        )


@dataclass
class Collector:
    """One collector: its ledger, its present life, and what the broker has for it."""

    name: str
    ledger_id: str
    lives: list[str] = field(default_factory=list)
    at_end: list[frozenset[str]] = field(default_factory=list)
    was_always_there: bool = True
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    up: list[tuple[str, Lane | None, bytes]] = field(default_factory=list)
    backups: list[MemoryLedger] = field(default_factory=list)

    @property
    def life(self) -> str:
        return self.lives[-1]

    def begin(self, life: str) -> None:
        """Begin another life, and remember what was held in the one before."""
        self.at_end.append(frozenset(self.ledger.kept.keys() | self.ledger.forgotten))
        self.lives.append(life)

    def lives_after(self, life: str) -> list[str]:
        return self.lives[self.lives.index(life) + 1 :]

    def held_in(self, life: str, frame: Frame | None) -> bool:
        """Whether this very frame was committed in a life, or before it."""
        if life == self.life:
            return self.ledger.holds(frame)
        return frame is not None and frame.id in self.at_end[self.lives.index(life) + 1]
