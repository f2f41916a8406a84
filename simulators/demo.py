"""`seiren demo`: a works, its agents, a broker and headquarters as processes of their own, for one month."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from config.loading import load_agent
from core.errors import OutsideError
from core.timeline import Interval
from simulators.broker import broker_command
from simulators.control import Control, control, listening
from simulators.folder import Folder, InfluxAccess, claim, free_ports, site_folder, write
from simulators.influx import influxd_command, set_up
from simulators.options import KILLS, DemoOptions
from simulators.period import interval_of, title
from simulators.processes import Children
from simulators.progress import Progress
from simulators.replay import register_over
from simulators.strikes import moment, strikes

DRAIN_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo measured."""

    running_s: float
    """From the first step to the last reading in the ledger [s]."""
    stored: int
    report: str
    """The month, or the year by months, as the ledger tells it."""
    faults: tuple[str, ...]
    """What was done to it, in order of time."""


async def run_demo(options: DemoOptions, seiren: Sequence[str]) -> Outcome:
    """Run a demo to its end, and leave its folder; nothing is left running, whatever happens.

    Parameters
    ----------
    options
        What to do.
    seiren
        The command that starts Seiren.

    Raises
    ------
    UsageError, DataError
        The options do not fit.
    OutsideError
        A process failed: its last lines.
    """
    options.check()
    site = "demo" if options.replay is None else "replay"
    zone = load_agent(min(site_folder(site).glob("agent*.yaml"))).time_zone
    interval = interval_of(options.month, zone)
    if options.replay is not None:
        register_over(options.replay, interval, zone)  # a bad file shows before anything is touched
    claim(options.out, options.facts())
    async with Children(options.out / "logs") as children:
        influx = await _influx(options, children)
        folder = write(
            options.out,
            site=site,
            synthetic=_origin(options),
            influx=influx,
        )
        return await children.guard(_Run(options, seiren, children, folder, interval, zone).run())


@dataclass(slots=True)
class _Run:
    options: DemoOptions
    seiren: Sequence[str]
    children: Children
    folder: Folder
    interval: Interval
    zone: ZoneInfo
    striking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> Outcome:
        path = str(self.folder.path)
        self._note_strikes()
        broker_port, conductor_port = free_ports(2)
        broker = broker_command(
            self.options.broker,
            self.folder.path / "broker",
            mqtt_port=self.folder.mqtt_port,
            port=broker_port,
        )
        await self.children.start("broker", broker)
        await self.children.start("simulator", self._simulate(conductor_port))
        _, probe = await listening(self.folder.mqtt_port, "broker")
        probe.close()
        await self.children.start("collector", [*self.seiren, "collector", "run", path])
        async with control(conductor_port) as watcher:
            for config in self.folder.agents:
                clock = f"stepped:127.0.0.1:{conductor_port}"
                await self.children.start(
                    config.stem, [*self.seiren, "agent", "run", str(config), "--clock", clock]
                )
            handed_in = asyncio.create_task(self._import())
            faults = [
                asyncio.create_task(self._strike(fault, number, conductor_port))
                for number, fault in enumerate(self.options.faults)
                if fault in KILLS
            ]
            try:
                started_s = await self._lead(watcher)
                await asyncio.gather(handed_in, *faults)
            finally:
                for task in (handed_in, *faults):
                    task.cancel()
            stored = await self._drained()
            running_s = time.monotonic() - started_s
        await asyncio.gather(*(self.children.stop(config.stem) for config in self.folder.agents))
        await self.children.stop("collector")
        return Outcome(running_s, stored, await self._shown(), self._noted())

    async def _shown(self) -> str:
        """Return the report of the month or year; a month's statement is left in the folder."""
        show = [*self.seiren, "month", "show", str(self.folder.path), self.options.month]
        if not self.options.covers_a_month:
            return await self.children.run("seiren month show", show)
        report, statement = await asyncio.gather(
            self.children.run("seiren month show", show),
            self.children.run("seiren month show", [*show, "--format", "json"]),
        )
        (self.folder.path / "statement.json").write_text(statement, encoding="utf-8")
        return report

    def _simulate(self, port: int) -> list[str]:
        command = [*self.seiren, "simulate", "works", *map(str, self.folder.agents)]
        command += ["--month", self.options.month, "--seed", str(self.options.seed), "--port", str(port)]
        if self.options.replay is not None:
            command += ["--replay", str(self.options.replay.resolve())]
        for fault in self.options.faults:
            command += ["--fault", fault]
        return command

    async def _import(self) -> None:
        """Hand in fuel and production, as people do while the month runs."""
        for kind, file in (("activity", self.folder.fuel), ("production", self.folder.production)):
            if file is not None:
                command = [*self.seiren, "import", kind, str(file), "--ledger", str(self.folder.path)]
                await self.children.run(f"seiren import {kind}", command)

    async def _lead(self, watcher: Control) -> float:
        """Show the progress until the end; return when time began to run [s, monotonic]."""
        days = round(self.interval.duration_ms / 86_400_000)
        progress = Progress(days, title(self.options.month))
        started_s = time.monotonic()
        while True:
            status = await watcher.status()
            if status.steps == 0:
                started_s = time.monotonic()
            elapsed_s = time.monotonic() - started_s
            if status.state == "ended":
                times = f"{(status.end_ms - status.start_ms) / 1000 / elapsed_s:,.0f} times real"
                progress.end(f"{elapsed_s:.0f} s, {times}")
                return started_s
            progress.show(status.share, f"{elapsed_s:.0f} s")
            await asyncio.sleep(0.2)

    async def _strike(self, fault: str, number: int, conductor_port: int) -> None:
        """Kill a process at a seeded moment, and start it again while time stands still."""
        random = Random(f"{self.options.seed}/{number}/{fault}")
        at_ms = moment(self.interval, random)
        victim = fault.removesuffix("-killed")
        if victim == "agent":
            victim = random.choice([config.stem for config in self.folder.agents])
        async with control(conductor_port) as watcher:
            await watcher.reach(at_ms)
            async with self.striking:
                await asyncio.sleep(random.random() * 0.02)  # not only where a step begins
                await self.children.kill(victim)
                await watcher.pause()
                struck_ms = (await watcher.status()).time_ms
                await self.children.restart(victim)
                if victim == "broker":
                    _, probe = await listening(self.folder.mqtt_port, "broker")
                    probe.close()
                await watcher.resume()
        self._note(f"{self._local(struck_ms)} {victim} killed with SIGKILL and started again")

    def _note_strikes(self) -> None:
        agents = [load_agent(config) for config in self.folder.agents]
        for strike in strikes(self.options.faults, agents, self.interval, self.options.seed):
            until = "to the end" if strike.until_ms is None else f"until {self._local(strike.until_ms)}"
            self._note(f"{self._local(strike.from_ms)} {strike.meter} {strike.fault} {until}")

    def _note(self, text: str) -> None:
        with (self.folder.logs / "faults.log").open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def _noted(self) -> tuple[str, ...]:
        log = self.folder.logs / "faults.log"
        return tuple(sorted(log.read_text(encoding="utf-8").splitlines())) if log.exists() else ()

    def _local(self, time_ms: int) -> str:
        return f"{datetime.fromtimestamp(time_ms / 1000, self.zone):%Y-%m-%d %H:%M:%S}"

    async def _drained(self) -> int:
        """Return the readings that the ledger holds, once nothing is waiting any more.

        The agents' last head may still be on its way, so the answer must be the same twice.
        """
        deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
        before: Mapping[str, int] | None = None
        while True:
            code, output, errors = await self.children.ask(
                "seiren count", [*self.seiren, "count", str(self.folder.path), "--format", "json"]
            )
            total = _total(output)
            closed = code == 0 and total["stored"] > 0 and total["waiting"] == total["owed"] == 0
            if closed and total == before:
                return total["stored"]
            if time.monotonic() > deadline_s:
                raise OutsideError(
                    "The backlog does not drain",
                    where=str(self.folder.path),
                    evidence=f"exit {code}\n{output.strip()}\n{errors.strip()}",
                    next=f"read the logs in {self.folder.logs}",
                )
            before = total if closed else None
            await asyncio.sleep(0.3)


def _total(output: str) -> Mapping[str, int]:
    """Return the sums over all agents and lanes of what `seiren count --format json` tells."""
    total = dict.fromkeys(("taken", "stored", "waiting", "owed"), 0)
    with suppress(json.JSONDecodeError):
        document: Any = json.loads(output)
        for row in document["counts"]:
            for place in total:
                total[place] += row[place]
    return total


async def _influx(options: DemoOptions, children: Children) -> InfluxAccess | None:
    """Return the InfluxDB to store in, started if none was given; None for SQLite."""
    if options.store == "sqlite" or options.influx is not None:
        return options.influx if options.store == "influxdb" else None
    (port,) = free_ports(1)
    await children.start("influxd", influxd_command(options.out / "influxd", port=port))
    _, probe = await listening(port, "influxd")
    probe.close()
    return await asyncio.to_thread(set_up, f"http://127.0.0.1:{port}")


def _origin(options: DemoOptions) -> str:
    return f"seed {options.seed}" if options.replay is None else "replayed file"


def seiren_command() -> list[str]:
    """Return the command that starts Seiren: the one beside this Python, or on the PATH.

    Raises
    ------
    OutsideError
        If it is not installed.
    """
    beside = Path(sys.executable).with_name("seiren")
    found = str(beside) if beside.exists() else shutil.which("seiren")
    if found is None:
        raise OutsideError(
            "The seiren command is not installed",
            evidence=f"no seiren beside {sys.executable} or on the PATH",
            next='install it with: pip install -e ".[demo]"',
        )
    return [found]
