"""A whole site in a virtual afternoon: meters, agent, broker, collectors, a faulty line to each side."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from collector.ledger import Ledger
from core.delivery.count import Count
from core.errors import OutsideError
from simulators.conductor import Conductor
from tests.e2e.faults.failpoints import Failpoint
from tests.e2e.faults.meters import Plant, PlantTime, serve_plant
from tests.e2e.faults.nursery import Wanted, last_words
from tests.e2e.faults.processes import Child, Nursery
from tests.fault_proxy import FaultProxy
from tests.servers import BrokerProcess

T0 = 1_706_712_900_000  # 2024-01-31 23:55 in Tokyo
MINUTE_MS = 60_000
AGENT, SITE = "a", "s"
FILE_NAME = "ledger.sqlite"
DRAINS_WITHIN_S = 40.0
STAGE_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.02
KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Death:
    """A process that was killed, the virtual moment [ms], and the failpoint; None: from outside."""

    name: str
    time_ms: int
    why: Failpoint | None


@dataclass
class Member:
    """A process that is born again whenever it was killed.

    Parameters
    ----------
    name
        As logs call it.
    words
        Its command line after ``seiren``.
    failpoints
        For each of its next lives those of which the first that is reached ends it; a life without any is
        not killed from inside.
    armed
        Those of its present life.
    """

    name: str
    words: tuple[str, ...]
    failpoints: Iterator[tuple[Failpoint, ...]] = field(default_factory=lambda: iter(()))
    armed: tuple[Failpoint, ...] = ()
    child: Child | None = None
    sabotage: str | None = None


class Site:
    """Everything of one run; entered, all of it runs and time stands still.

    Parameters
    ----------
    folder
        Where everything is kept.
    nursery
        Where processes are born.
    broker
        Not started yet.
    minutes
        How long the afternoon is [min].
    is_quick
        Whether delivery's timers are short.
    ledgers
        Names of the ledgers; each has a collector, and the agent requires all of them.
    store
        The collectors' reading store, as hq.yaml has it.
    """

    def __init__(
        self,
        folder: Path,
        nursery: Nursery,
        broker: BrokerProcess,
        *,
        minutes: int = 40,
        is_quick: bool = True,
        ledgers: Sequence[str] = ("hq",),
        store: Mapping[str, str] | None = None,
        sabotages: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.end_ms = T0 + minutes * MINUTE_MS
        self.is_quick = is_quick
        self.ledgers = tuple(ledgers)
        self.deaths: list[Death] = []
        self.members: dict[str, Member] = {}
        self.lines: dict[str, FaultProxy] = {}
        self._nursery = nursery
        self._store = dict(store or {"kind": "sqlite"})
        self._sabotages = sabotages or {}
        self._time = PlantTime(T0)
        self._stage_end_ms = T0
        self._stack = AsyncExitStack()
        self._keeper: asyncio.Task[None] | None = None
        self.plant: Plant
        self.conductor: Conductor

    @property
    def spool(self) -> Path:
        """The agent's spool."""
        return self.folder / "spool"

    def hq(self, ledger: str = "") -> Path:
        """Return the folder of a ledger; without a name that of the first."""
        return self.folder / (ledger or self.ledgers[0])

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.broker.start)
        self._stack.callback(self.broker.kill)
        enter = self._stack.enter_async_context
        for name in (AGENT, *self.ledgers):
            self.lines[name] = await enter(FaultProxy(self.broker.port))
        self.plant = await enter(serve_plant(self._time, sockets=2, units=2))
        self.conductor = Conductor(T0, self.end_ms, (AGENT,), self._on_time)
        await enter(self.conductor)
        self._write_configurations()
        clock = f"stepped:127.0.0.1:{self.conductor.port}"
        agent = ("agent", "run", str(self.folder / "agent.yaml"), "--log", "json", "--clock", clock)
        self.members[AGENT] = Member(AGENT, agent)
        for name in self.ledgers:
            self.members[name] = Member(name, ("collector", "run", str(self.hq(name)), "--log", "json"))
        for name, sabotage in self._sabotages.items():
            self.members[name].sabotage = sabotage
        self._stack.callback(self._kill_all)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def start(self, name: str) -> None:
        """Begin a life of a process that does not run, with the next of its failpoints."""
        member = self.members[name]
        if member.child is not None and member.child.code is None:
            return
        member.armed = next(member.failpoints, ())
        member.child = self._nursery.start(
            Wanted(
                member.words,
                str(self._log(name)),
                [(each.step, each.when, each.nth) for each in member.armed],
                is_quick=self.is_quick,
                sabotage=member.sabotage,
            )
        )

    async def start_broker(self) -> None:
        """Start the broker, if it does not run."""
        if not await asyncio.to_thread(self.broker.answers):
            await asyncio.to_thread(self.broker.start)

    async def kill(self, name: str) -> None:
        """End a process as a power cut would; it stays dead until `start`."""
        member = self.members[name]
        child, member.child = member.child, None
        if child is not None:
            child.signal(signal.SIGKILL)
            await child.ended()
            self._note_death(member, None)

    async def stop(self, name: str) -> int:
        """End a process as its operator would; return its exit code."""
        member = self.members[name]
        child, member.child = member.child, None
        assert child is not None
        child.signal(signal.SIGTERM)
        return await child.ended()

    async def disarm(self) -> None:
        """Let all processes live from now on; those with failpoints begin another life."""
        for name, member in self.members.items():
            member.failpoints = iter(())
            if member.armed or member.child is None:
                await self.kill(name)
                if name == AGENT:
                    await self.rejoinable()
                self.start(name)

    async def stop_to_configure(self) -> None:
        """End the agent in order, or as it happens to end: it may be killed, or not listen yet."""
        child, self.members[AGENT].child = self.members[AGENT].child, None
        if child is not None:
            child.signal(signal.SIGTERM)
            assert await child.ended() in (0, -signal.SIGTERM, KILLED), self.story()

    def run(self) -> None:
        """Begin: all processes, born again whenever they die of a failpoint."""
        for name in self.members:
            self.start(name)
        self._keeper = asyncio.create_task(self._keep(), name="keeper")
        self._stack.callback(self._keeper.cancel)

    async def until(self, time_ms: int) -> None:
        """Let the afternoon go on to a moment, and stand still there."""
        self._stage_end_ms = min(time_ms, self.end_ms)
        self.conductor.resume()
        deadline_s = time.monotonic() + STAGE_WITHIN_S
        while not self._is_over():
            self.check()
            assert time.monotonic() < deadline_s, f"time stands still at {self._time.now_ms - T0} ms"
            await asyncio.sleep(_LOOK_EVERY_S)  # time goes on in other processes

    def _is_over(self) -> bool:
        """Whether the stage is; at the end, whether the agent has done all that was due."""
        if self._stage_end_ms == self.end_ms:
            return self.conductor.state == "ended"
        return self._time.now_ms >= self._stage_end_ms

    def check(self) -> None:
        """Raise what went wrong in the keeping of processes."""
        if self._keeper is not None and self._keeper.done():
            self._keeper.result()

    async def drained(
        self, is_there: Callable[[], Awaitable[bool]], within_s: float = DRAINS_WITHIN_S
    ) -> float:
        """Wait until every ledger has everything, and `is_there`; return how long it took [s]."""
        started_s = time.monotonic()
        while True:
            self.check()
            counts = await asyncio.to_thread(lambda: {name: self.counts(name) for name in self.ledgers})
            complete = all(each and all(count.complete for count in each) for each in counts.values())
            if complete and await is_there():
                return time.monotonic() - started_s
            passed_s = time.monotonic() - started_s
            open_ones = {name: [one for one in each if not one.complete] for name, each in counts.items()}
            assert passed_s < within_s, f"not drained after {passed_s:.0f} s: {open_ones}\n{self.story()}"
            await asyncio.sleep(0.1)  # the ledger is in other processes

    def counts(self, ledger: str = "") -> tuple[Count, ...]:
        """Return the count of a ledger; nothing, while its collector has not made it yet."""
        try:
            with closing(Ledger.open(self.hq(ledger))) as opened:
                return opened.counts()
        except OutsideError:
            return ()

    async def count_command(self, ledger: str = "") -> tuple[int, dict[str, Any]]:
        """Run `seiren count` on a ledger; return its exit code and what it prints."""
        code, printed = await self.command("count", str(self.hq(ledger)), "--format", "json")
        return code, json.loads(printed) if printed.startswith("{") else {"printed": printed}

    async def command(self, *words: str) -> tuple[int, str]:
        """Run a command of Seiren; return its exit code and what it prints."""
        output = self.folder / "command.txt"
        output.unlink(missing_ok=True)
        code = await self._nursery.start(Wanted(words, str(output))).ended()
        return code, output.read_text(encoding="utf-8")

    def begin(self, name: str, *words: str) -> Child:
        """Start a process that is nobody's member; it is killed when the site is left."""
        child = self._nursery.start(Wanted(words, str(self._log(name)), is_quick=self.is_quick))
        self._stack.callback(child.signal, signal.SIGKILL)
        return child

    def back_up(self, to: Path, ledger: str = "") -> None:
        """Copy a ledger while it is used, as its backup does."""
        with (
            closing(sqlite3.connect(self.hq(ledger) / FILE_NAME, timeout=20)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.backup(target)

    def restore(self, backup: Path, ledger: str = "") -> None:
        """Put a backup in a ledger's place; its collector must not run."""
        for path in self.hq(ledger).glob(f"{FILE_NAME}*"):
            path.unlink()
        shutil.copy(backup, self.hq(ledger) / FILE_NAME)

    def story(self) -> str:
        """Return who died when of what, and the last lines of all logs."""
        deaths = ", ".join(
            f"{each.name} at {each.time_ms - T0} ms {each.why or 'from outside'}" for each in self.deaths
        )
        return f"deaths: {deaths}\n{self.told()}"

    def told(self) -> str:
        """Return the last lines of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def _on_time(self, time_ms: int) -> None:
        self._time.now_ms = time_ms
        if T0 < self._stage_end_ms <= time_ms < self.end_ms:
            self.conductor.pause()

    async def _keep(self) -> None:
        """Give a new life to whoever was killed by a failpoint; anything else that ends is a mistake."""
        while True:
            for member in self.members.values():
                child = member.child
                if child is None or child.code is None:
                    continue
                assert child.code == KILLED, f"{member.name} ended with {child.code}\n{self.story()}"
                words = json.loads(last_words(str(self._log(member.name))).read_text(encoding="utf-8"))
                self._note_death(member, Failpoint(*words))
                if member.name == AGENT:
                    await self.rejoinable()
                self.start(member.name)
            await asyncio.sleep(_LOOK_EVERY_S)  # deaths are told to a thread

    async def rejoinable(self) -> None:
        """Wait until the conductor has heard of the agent's death."""
        while AGENT not in self.conductor.absent:  # noqa: ASYNC110  the product's conductor has no such event
            await asyncio.sleep(_LOOK_EVERY_S)  # it hears of it through a socket

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _note_death(self, member: Member, why: Failpoint | None) -> None:
        self.deaths.append(Death(member.name, self._time.now_ms, why))

    def _kill_all(self) -> None:
        for member in self.members.values():
            if member.child is not None:
                member.child.signal(signal.SIGKILL)
                member.child = None

    def _write_configurations(self) -> None:
        self._write(
            "agent.yaml",
            agent=AGENT,
            site=SITE,
            time_zone="Asia/Tokyo",
            broker={"host": "127.0.0.1", "port": self.lines[AGENT].port},
            required_ledgers=list(self.ledgers),
            metrics_port=None,
            registers={"every_s": 60, "spread": False},
            samples={"every_s": 5, "spread": False},
            devices=[dict(device) for device in self.plant.devices],
        )
        for name in self.ledgers:
            self.hq(name).mkdir()
            self._write(
                f"{name}/hq.yaml",
                company={"ja": "試験", "en": "test"},
                ledger={"name": name},
                broker={"host": "127.0.0.1", "port": self.lines[name].port},
                metrics_port=None,
                store=self._store,
                electricity_factor="industry_adjusted",
                sites=[
                    {
                        "id": SITE,
                        "name": {"ja": "試験", "en": "test"},
                        "time_zone": "Asia/Tokyo",
                        "boundary": [self.plant.meters[0].id],
                        "meters": list(self._meter_records()),
                    }
                ],
            )

    def _meter_records(self) -> Iterator[dict[str, object]]:
        first = self.plant.meters[0].id
        for meter in self.plant.meters:
            installed = {"from": "2000-01-01", "serial": meter.id, "profile": "abb_b23", "side": "primary"}
            yield {
                "id": meter.id,
                "name": {"ja": meter.id, "en": meter.id},
                "quantity": "active_energy_import",
                "current": "ac",
                **({} if meter.id == first else {"parent": first}),
                "installations": [installed],
            }

    def _write(self, name: str, **content: object) -> None:
        text = yaml.safe_dump(content, allow_unicode=True).replace("'2000-01-01'", "2000-01-01")
        (self.folder / name).write_text(text, encoding="utf-8")
