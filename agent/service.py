"""The running agent: devices → spool → uplink, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from agent.devices import open_sources
from agent.points import point_tables
from agent.poller import Poller
from agent.schedule import Schedule
from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading
from core.errors import SeirenError
from core.runtime.clock import Clock, WallClock

log = logging.getLogger(__name__)

GROUP_S: Final = 1.0
"""Readings of this long become durable together [s]."""


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
    spool = Spool(config.spool, config.agent, in_thread=isinstance(clock, WallClock))
    uplink = Uplink(config, spool)
    pollers = open_pollers(config, clock, spool)
    clock.before_advance(spool.flush)
    try:
        with _told_to_stop() as stop:
            log.info("%s reads %d devices of %s", config.agent, len(config.devices), config.site)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(uplink.run(), name="uplink")
                flushing = group.create_task(_flush_in_groups(spool), name="spool")
                reading = [group.create_task(poller.run(), name=poller.device) for poller in pollers]
                await stop.wait()
                for task in (*reading, flushing):
                    task.cancel()
                await asyncio.wait([*reading, flushing])
                await spool.flush()
                sending.cancel()
    except BaseExceptionGroup as group:
        ours, others = group.split(SeirenError)
        if ours is None or others is not None:
            raise
        raise _first(ours) from None
    finally:
        for poller in pollers:
            await poller.close()
        await spool.close()
    log.info("%s stopped; what it read is on the disk", config.agent)


def open_pollers(config: AgentConfig, clock: Clock, spool: Spool) -> tuple[Poller, ...]:
    """Return one poller for each device, its readings going to the spool."""
    tables = point_tables(config)
    schedules = {
        Lane.REGISTERS: Schedule(
            every_ms=round(config.registers.every_s * 1000), margin_ms=config.registers.boundary_margin_ms
        ),
        Lane.SAMPLES: Schedule(every_ms=round(config.samples.every_s * 1000)),
    }

    def take(lane: Lane, readings: list[TakenReading]) -> None:
        spool.add(lane, tables[lane], readings)

    sources = open_sources(config, now_ms=clock.now_ms)
    return tuple(
        Poller(
            device.id,
            sources[device.id],
            schedules={lane: schedules[lane] for lane in sources[device.id].lanes},
            clock=clock,
            take=take,
            jitter=random.random,
        )
        for device in config.devices
    )


async def _flush_in_groups(spool: Spool) -> None:
    while True:
        await asyncio.sleep(GROUP_S)
        await spool.flush()


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
