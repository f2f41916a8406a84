"""A site of one simulated meter, in time that passes only while the probe waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from agent.tools.asking import Pause
from agent.tools.display import Display
from agent.tools.places import Places
from agent.tools.probe import Examined, Silent, chosen, examine
from agent.tools.render import head, silent, table, tail
from agent.tools.report import Report, report
from config.agent import load_agent
from config.profile import load_profile, profile_ids
from simulators.meters import Electrical
from simulators.modbus import Meter, serve_meters
from simulators.modbus.line import Line
from simulators.products import product_meter, worth_wh

START_MS = 1_700_000_000_000
HEAD = """agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {host: 127.0.0.1, port: 1883}
required_ledgers: [hq]
metrics_port: null
devices:
"""
SHIPPED = Path(__file__).parents[4] / "config/profiles"


@dataclass
class Time:
    """Passes by waiting only."""

    ms: float = START_MS

    def now_ms(self) -> int:
        return int(self.ms)

    def clock(self) -> float:
        return self.ms / 1000

    async def pause(self, seconds: float) -> None:
        self.ms += 1000 * seconds


@dataclass
class Load:
    """A constant power, counted from an opening."""

    watts: int = 247_500
    opening_wh: Fraction = Fraction(8_412_337_100)
    worth_wh: Fraction = Fraction(1)
    holds_power: bool = False

    def power_w(self, time_ms: int) -> int:
        return self.watts

    def count(self, time_ms: int) -> int:
        if self.holds_power:  # as a register does that is really another one
            return int((self.watts + time_ms // 1000 % 7) / self.worth_wh)
        energy_wh = self.opening_wh + Fraction(max(self.watts, 0) * (time_ms - START_MS), 3_600_000)
        return int(energy_wh / self.worth_wh)


@dataclass
class Site:
    """Where the meter is, what it measures, and how it is configured."""

    folder: Path
    product: str = "schneider_pm5xxx"
    profile: str = "schneider_pm5xxx"
    load: Load = field(default_factory=Load)
    circuit: Electrical = field(default_factory=lambda: Electrical(6600, 0.91))
    time: Time = field(default_factory=Time)
    more: str = "ct: 100/5, vt: 6600/110"
    pause: Pause | None = None
    clock: Callable[[], float] | None = None

    @asynccontextmanager
    async def served(self, *, others: Mapping[int, Meter] | None = None) -> AsyncIterator[Line]:
        """Serve the meter as unit 7, and write the configuration that means it."""
        self.load.worth_wh = worth_wh(self.product)
        meter = product_meter(self.product, self.load, self.circuit, serial="SYN-2207")
        units = {7: meter, **(others or {})}
        async with serve_meters(units, port=0, now_ms=self.time.now_ms) as line:
            self.configure(line.port)
            yield line

    def configure(self, port: int, *, unit: int = 7, name: str = "AOB-CMP-01", add: bool = False) -> None:
        path = self.folder / "agent.yaml"
        text = path.read_text(encoding="utf-8") if add else HEAD
        modbus = f"{{host: 127.0.0.1, port: {port}, unit: {unit}, timeout_s: 0.3}}"
        lines = [f"  - id: {name}", f"    profile: {self.profile}", f"    modbus: {modbus}"]
        lines += [f"    {each}" for each in self.more.split(", ") if each]
        path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")

    def own_profile(self, *changes: tuple[str, str]) -> None:
        """Write the shipped profile with changes beside the configuration, and use that."""
        text = (SHIPPED / f"{self.profile}.yaml").read_text(encoding="utf-8")
        for old, new in ((f"id: {self.profile}", "id: own"), *changes):
            assert old in text, f"{self.profile} has no {old}"
            text = text.replace(old, new)
        (self.folder / "own.yaml").write_text(text, encoding="utf-8")
        self.profile = "own.yaml"
        load_profile(self.folder / "own.yaml")

    async def examined(self, *, seconds: float = 5) -> Examined | Silent:
        config = load_agent(self.folder / "agent.yaml")
        return await examine(
            config,
            chosen(config, "AOB-CMP-01"),
            seconds=seconds,
            now_ms=self.time.now_ms,
            pause=self.pause or self.time.pause,
            clock=self.clock or self.time.clock,
        )

    async def probed(self, display: Display | None = None, *, seconds: float = 5) -> Report:
        found = await self.examined(seconds=seconds)
        assert isinstance(found, Examined), found
        return report(found, display, Places(self.folder / "agent.yaml", found.device))


def shown(result: Report, port: int) -> str:
    """Return the terminal's text, as if the meter were on the usual port of another host."""
    text = "\n".join([*head(result), *table(result), *tail(result)]) + "\n"
    return text.replace(f"127.0.0.1:{port}", "192.0.2.12:502")


def shown_silent(found: Silent, port: int) -> str:
    """Return the terminal's text of a device that does not answer."""
    return ("\n".join(silent(found)) + "\n").replace(f"127.0.0.1:{port}", "192.0.2.12:502")


PROFILES = {
    "siemens_pac2200_pac3200": "siemens_pac3200",
    "abb_b23_b24_a44": "abb_b23",
    "carlo_gavazzi_em330_em340_em24e1": "carlo_gavazzi_em340",
    "inepro_wago_kdk_0x5000_family": "inepro_pro380",
    "acrel_djsf1352_rn_dc": "acrel_djsf1352_rn",
    "omron_km_n1_km_n2": "omron_km_n",
}
"""Simulated product → the profile that reads it, where they are called otherwise."""


def profile_of(product: str) -> str:
    """Return the profile that reads a simulated product."""
    name = PROFILES.get(product, product)
    assert name in profile_ids()
    return name
