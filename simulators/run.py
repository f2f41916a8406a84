"""One simulated run: a plant, its servers, and the conductor that leads everybody through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from config.loading import AgentConfig
from core.errors import UsageError
from core.timeline import Interval
from simulators.conductor import Conductor
from simulators.modbus.switchboard import Switchboard
from simulators.period import interval_of
from simulators.plant import LEAD_MS, TAIL_MS, Plant, Works, replayed, serve
from simulators.strikes import strikes


@dataclass(slots=True)
class PlantTime:
    """The moment that the plant shows [ms since 1970-01-01 UTC]."""

    now_ms: int = 0

    def set(self, time_ms: int) -> None:
        """Move the plant to a moment."""
        self.now_ms = time_ms

    def get(self) -> int:
        """Return the moment."""
        return self.now_ms


def build_plant(interval: Interval, zone: ZoneInfo, *, seed: int, replay: Path | None) -> Plant:
    """Return the synthetic works, or the meter that replays a file.

    Raises
    ------
    DataError
        If the file cannot be replayed over the interval.
    """
    if replay is not None:
        return replayed(replay, interval, zone)
    return Works.build(interval, zone, seed).plant()


async def simulate(
    agents: Sequence[AgentConfig],
    text: str,
    *,
    seed: int,
    replay: Path | None,
    port: int,
    faults: Sequence[str] = (),
) -> None:
    """Serve the plant and lead the agents through an interval; then keep on serving until cancelled.

    One line of JSON on standard output tells the conductor's port, as soon as everything listens.

    Parameters
    ----------
    agents
        Configurations of the agents that take part; the first one's time zone is the site's.
    text
        Month ``2024-02`` or year ``2018``.
    seed
        Of the synthetic works.
    replay
        File whose energy column is the register; None: the synthetic works.
    port
        Where the conductor listens; 0: any free port.
    faults
        Faults of meters; each strikes one meter for a while that follows from the seed.

    Raises
    ------
    UsageError, DataError, ConfigError
        The interval, the file or the meters do not fit.
    """
    if not agents:
        raise UsageError("Nobody takes part", next="name at least one agent's configuration")
    zone = agents[0].time_zone
    interval = interval_of(text, zone)
    plant = build_plant(interval, zone, seed=seed, replay=replay)
    time = PlantTime()
    async with serve(plant, tuple(agents), time.get) as switches:
        for strike in strikes(faults, agents, interval, seed):
            switches[strike.meter].set(strike.fault, from_ms=strike.from_ms, until_ms=strike.until_ms)
        conductor = Conductor(
            start_ms=interval.start_ms - LEAD_MS,
            end_ms=interval.end_ms + TAIL_MS,
            expected=tuple(agent.agent for agent in agents),
            on_time=time.set,
            port=port,
            on_fault=Switchboard(switches).obey,
        )
        async with conductor:
            print(json.dumps({"conductor_port": conductor.port}), flush=True)  # noqa: T201  read by the starter
            await asyncio.Event().wait()
