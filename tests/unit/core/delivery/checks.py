"""What must hold when all faults are over and the backlog has had its time."""

from __future__ import annotations

from core.delivery.frames import Stream
from core.delivery.holdings import FrameState
from core.delivery.ranges import Ranges
from tests.unit.core.delivery.ledgers import Collector
from tests.unit.core.delivery.machine import Machine
from tests.unit.core.delivery.world import World, readings_of


def check(world: World) -> None:
    """See that nothing is lost without a name, that nothing counts twice, and that the backlog is gone."""
    assert not world.broken, world.broken
    for machine in world.machines:
        assert machine.runs
        assert not machine.sender.unheld, "the backlog has not drained"
    for collector in world.collectors:
        for machine in world.machines:
            _all_on_disk_is_held(machine, collector)
        _all_is_held_or_named(world, collector)
        _the_count_closes(world, collector)


def _all_on_disk_is_held(machine: Machine, collector: Collector) -> None:
    store = machine.spool.store
    for segment in store._segments:
        for first, end in segment.intact:
            for frame in store.read(segment.stream.lane, segment.stream.epoch, ((first, end),)):
                assert collector.ledger.holds(frame), f"{collector.name} lacks {frame}"


def _all_is_held_or_named(world: World, collector: Collector) -> None:
    ledger = collector.ledger
    named: dict[Stream, Ranges] = {}
    damaged: dict[Stream, Ranges] = {}
    for stream, gone in ledger.gone_rows:
        named.setdefault(stream, Ranges()).add(gone.first, gone.first + gone.frames)
        if gone.reason == "damaged":
            damaged.setdefault(stream, Ranges()).add(gone.first, gone.first + gone.frames)
    stored = ledger.readings()
    taken = set()
    for frame in world.frames.values():
        readings = readings_of(frame)
        taken |= readings
        kept = ledger.kept.get(frame.id)
        if world.torn and kept is not None and kept.state is FrameState.UNDECODED:
            continue  # its point table was on the disk that is gone
        if ledger.holds(frame):
            assert readings <= stored, f"{collector.name} holds {frame} without its readings"
        elif frame.id not in world.excused:
            told = frame.index in named.get(frame.stream, Ranges())
            assert told, f"{collector.name} never heard of {frame}"
            is_damaged = frame.index in damaged.get(frame.stream, Ranges())
            if frame.id in world.promised and not world.flipped:
                assert not is_damaged, f"durable, then damaged: {frame}"
    assert stored <= taken, "readings that nobody took"


def _the_count_closes(world: World, collector: Collector) -> None:
    counts = collector.ledger.counts()
    if world.torn:
        return
    assert all(count.complete for count in counts), [count for count in counts if not count.complete]
    assert not any(count.extra for count in counts), counts
    if collector.was_always_there:
        assert not any("trimmed" in count.lost for count in counts), counts
    taken = sum(frame.n for frame in world.frames.values())
    told = sum(count.taken for count in counts)
    assert told >= taken if world.flipped else told == taken, f"taken {taken}, counted {told}"
