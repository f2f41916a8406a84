"""The running agent: devices → spool → uplink, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from agent.board import Board, DeviceState
from agent.clock_watch import ClockWatch
from agent.counters import Event
from agent.deadband import Deadband
from agent.device_rules import device_rules
from agent.devices import open_sources
from agent.health.endpoint import serve_status
from agent.judgement import Judge
from agent.memory import Memory
from agent.points import PointTables, point_id, point_tables
from agent.polled import PolledDevice
from agent.poller import BusPoller
from agent.readings import Scan, Source
from agent.room_watch import flush_in_groups, wait_for_room
from agent.schedule import Schedule, phase_of
from agent.spool import Spool, SpoolLimits
from agent.uplink import Uplink
from config.agent import AgentConfig, Device
from core.delivery.frames import Lane
from core.errors import SeirenError
from core.runtime.clock import Clock, WallClock
from core.runtime.steady import SteadyClock
from core.runtime.words import counted

log = logging.getLogger(__name__)

GROUP_S: Final = 1.0
"""Samples of this long become durable together [s]."""

STANDSTILL_S: Final = 2.0
"""A standstill of the whole agent that is worth a word [s]."""

_REMEMBER_S: Final = 60.0


async def serve(config: AgentConfig, clock: Clock) -> None:
    """Run an agent until SIGTERM or SIGINT; then what was read is durable when this returns.

    Parameters
    ----------
    config
        The agent's configuration.
    clock
        The time that readings carry.

    Raises
    ------
    SeirenError
        If the spool cannot be used any more, or the clock is gone.
    """
    spool = Spool(
        config.spool,
        config.agent,
        in_thread=isinstance(clock, WallClock),
        now_ms=clock.now_ms,
        limits=limits_of(config),
    )
    uplink = Uplink(config, spool)
    tables = point_tables(config)

    def tell(event: Event) -> None:
        spool.add(Lane.REGISTERS, tables.lanes[Lane.REGISTERS][0], (), [event])

    board = Board(started_ms=clock.now_ms(), zone=config.time_zone, on_day=tell)
    memory = Memory(config.spool)
    watch = ClockWatch(clock, memory) if isinstance(clock, SteadyClock) else None
    sources = open_sources(config, now_ms=clock.now_ms)
    pollers = open_pollers(config, tables, clock, spool, board, memory, sources)
    is_known = not isinstance(clock, SteadyClock) or clock.unknown is None
    board.begin(memory.polled, spool.store.newest_ms, clock.now_ms() if is_known else None)
    telling = serve_status(
        config, board=board, sources=sources, spool=spool, uplink=uplink, now_ms=clock.now_ms
    )
    clock.before_advance(spool.flush)
    try:
        with _told_to_stop() as stop:
            log.info("%s reads %s of %s", config.agent, counted(len(config.devices), "device"), config.site)
            async with telling, asyncio.TaskGroup() as group:
                sending = group.create_task(uplink.run(), name="uplink")
                await wait_for_room(spool, stop)
                others = [
                    group.create_task(flush_in_groups(spool, GROUP_S, clock.now_ms, tell), name="spool"),
                    group.create_task(_look_after(clock, watch, board, spool, tables), name="clock"),
                    group.create_task(_remember(memory, board, clock, pollers, spool), name="memory"),
                ]
                reading = [group.create_task(poller.run(), name=f"bus {poller.bus}") for poller in pollers]
                await stop.wait()
                for task in (*reading, *others):
                    task.cancel()
                await asyncio.wait([*reading, *others])
                board.turn(clock.now_ms())
                if (event := board.tally.event(clock.now_ms())) is not None:
                    tell(event)
                await spool.flush()
                sending.cancel()
    except BaseExceptionGroup as group:
        ours, others_ = group.split(SeirenError)
        if ours is None or others_ is not None:
            raise
        raise _first(ours) from None
    finally:
        for poller in pollers:
            await poller.close()
        memory.polled = board.tally.keep(clock.now_ms())
        keep(memory, pollers)
        await spool.close()
    log.info("%s stopped; what it read is on the disk", config.agent)


def open_pollers(
    config: AgentConfig,
    tables: PointTables,
    clock: Clock,
    spool: Spool,
    board: Board,
    memory: Memory,
    sources: Mapping[str, Source],
) -> tuple[BusPoller, ...]:
    """Return one poller for each bus, its readings going to the spool and its state to the board."""

    steady = clock if isinstance(clock, SteadyClock) else None

    def take(device: str, lane: Lane, scans: Sequence[Scan], events: Sequence[Event]) -> None:
        unknown = steady.unknown if steady is not None else None
        if scans:
            spool.add(lane, tables.of(lane, device), scans, unknown=unknown)
        if events:
            spool.add(Lane.REGISTERS, tables.of(Lane.REGISTERS, device), (), events, unknown=unknown)

    readings = Counter((lane, row.point.partition(".")[0]) for lane in Lane for row in tables.rows(lane))
    buses: dict[str, list[PolledDevice]] = {}
    links: dict[str, tuple[int, int]] = {}
    for device in config.devices:
        source = sources[device.id]
        schedules = schedules_of(config, device.id)
        rounds = {lane: (schedules[lane], readings[lane, device.id]) for lane in source.lanes}
        state = DeviceState(device.id, config.where(device), source.bus, rounds)
        board.devices[device.id] = state
        buses.setdefault(source.bus, []).append(
            PolledDevice(
                source,
                state=state,
                judge=Judge(device_rules(device), memory.counters(device.id)),
                deadband=Deadband(_bands(device), round(config.samples.at_least_every_s * 1000)),
                board=board,
                take=partial(take, device.id),
                now_ms=clock.now_ms,
                identity_ms=round(config.identity.every_s * 1000),
                serial_number=memory.serial_number(device.id),
                expected=device.serial_number,
            )
        )
        if device.modbus is not None:
            link = config.link(device)
            links[source.bus] = link.connections, link.settle_ms
    return tuple(
        BusPoller(
            devices,
            clock=clock,
            board=board,
            jitter=random.random,
            workers=links.get(bus, (1, 0))[0],
            settle_ms=links.get(bus, (1, 0))[1],
        )
        for bus, devices in buses.items()
    )


def limits_of(config: AgentConfig) -> SpoolLimits:
    """Return what the spool may take of its disk."""
    limits = config.spool_limits
    return SpoolLimits(
        None if limits.max_mb is None else limits.max_mb * 1_000_000,
        limits.keep_registers_days,
        limits.reserve_days,
    )


def schedules_of(config: AgentConfig, device: str) -> dict[Lane, Schedule]:
    """Return when each lane of a device is due."""
    registers_ms = round(config.registers.every_s * 1000)
    samples_ms = round(config.samples.every_s * 1000)
    return {
        Lane.REGISTERS: Schedule(
            registers_ms,
            config.registers.boundary_margin_ms,
            phase_of(device, registers_ms) if config.registers.spread else 0,
        ),
        Lane.SAMPLES: Schedule(
            samples_ms, phase_ms=phase_of(device, samples_ms) if config.samples.spread else 0
        ),
    }


def keep(memory: Memory, pollers: Sequence[BusPoller]) -> None:
    """Write down what the next run must know of the meters."""
    for poller in pollers:
        for device in poller.devices:
            memory.keep(device.state.id, device.serial_number, device.judge.keep())
    memory.save()


def _bands(device: Device) -> dict[str, float]:
    """Deadbands of a device in counts, by point id."""
    measures = device.measures()
    return {
        point_id(device, name): float(band / measures[name].scale) for name, band in device.deadband.items()
    }


async def _remember(
    memory: Memory, board: Board, clock: Clock, pollers: Sequence[BusPoller], spool: Spool
) -> None:
    while True:
        await asyncio.sleep(_REMEMBER_S)
        await spool.flush()
        memory.polled = board.tally.keep(clock.now_ms())
        keep(memory, pollers)


async def _look_after(
    clock: Clock, watch: ClockWatch | None, board: Board, spool: Spool, tables: PointTables
) -> None:
    """Record what happens to the clock, and standstills; let old lateness go."""
    table, loop, jumps = tables.lanes[Lane.REGISTERS][0], asyncio.get_running_loop(), clock.jumps
    while True:
        due_s = loop.time() + GROUP_S
        await asyncio.sleep(GROUP_S)
        if (late_s := loop.time() - due_s) > STANDSTILL_S:
            log.warning(
                "this machine gave the agent no time for %.1f s",
                late_s,
                extra={
                    "cause": "it is overloaded, was suspended, or its disk hangs: no device is to blame",
                    "next": "uptime; top; dmesg",
                },
            )
        now_ms = clock.now_ms()
        if clock.jumps != jumps:
            jumps = clock.jumps
            board.begin_again(now_ms)
        board.turn(now_ms)
        if watch is not None and (events := tuple(watch.look())):
            spool.add(Lane.REGISTERS, table, (), events)


def _first(errors: BaseExceptionGroup[SeirenError]) -> SeirenError:
    """The first error of a group, whatever groups it stands in."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    before = {
        number: signal.signal(number, partial(_tell, loop, stop))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, *_: object) -> None:
    loop.call_soon_threadsafe(stop.set)
