"""Every fault of a meter or its line, against a whole agent: no wrong value is good, and all come back.

Two runs hold all faults at once, each on a meter of its own with healthy ones beside it. Faults of the line
pass in real time, which their deadlines need; faults of registers in virtual time, which their hours need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.service import serve
from simulators.meters import Electrical
from simulators.modbus import Fault, Meter, serve_meters
from simulators.modbus.line import Line
from simulators.products import product_map, product_meter
from tests.e2e.edge import Recorded, Steady, configure, read_back, run_for, stepped, wall_ms

ENERGY = "active_energy_import"
CIRCUIT = Electrical(400, 0.9)

# --- faults of the line, in real time

PERIOD_MS = 500
TIMEOUT_S = 0.4
FROM_MS, UNTIL_MS, BACK_MS, END_MS = 5_200, 7_400, 12_700, 14_000
"""In a run of `END_MS` the faults act in [FROM, UNTIL); by BACK all must be read again [ms].

FROM leaves time for ten replies: only then is a unit known, and waited for no longer than it needs.
"""

COUNTS_PER_S = 1_000
"""A count a millisecond: a value tells of which moment it is."""


@dataclass(frozen=True)
class Case:
    """A fault on one unit of a line, beside a healthy one."""

    fault: Fault
    settings: Mapping[str, Any]
    framing: str = "tcp"
    of_line: bool = False


LINE_CASES: Mapping[str, Case] = {
    "M1-silent": Case(Fault.METER_SILENT, {}),
    "M3-busy": Case(Fault.GATEWAY_BUSY, {"code": 6}),
    "M3-acknowledge": Case(Fault.GATEWAY_BUSY, {"code": 5}),
    "M3-no-path": Case(Fault.GATEWAY_BUSY, {"code": 10}),
    "M3-no-reply": Case(Fault.GATEWAY_BUSY, {"code": 11}),
    "M4-garbled": Case(Fault.GARBLED_REPLIES, {"seed": 7}),
    "M4-garbled-rtu": Case(Fault.GARBLED_REPLIES, {"seed": 8}, "rtu"),
    "M4-checksum-rtu": Case(Fault.BAD_CHECKSUM, {}, "rtu"),
    "M4-short": Case(Fault.SHORT_REPLY, {}),
    "M4-short-rtu": Case(Fault.SHORT_REPLY, {}, "rtu"),
    "M4-unit": Case(Fault.WRONG_UNIT, {}),
    "M4-unit-rtu": Case(Fault.WRONG_UNIT, {}, "rtu"),
    "M4-function-rtu": Case(Fault.WRONG_FUNCTION, {}, "rtu"),
    "M5-drip": Case(Fault.DRIPPING_REPLY, {"bytes_per_s": 20.0}),
    "M6-half-open": Case(Fault.HALF_OPEN, {}, of_line=True),
    "M7-late": Case(Fault.LATE_REPLIES, {"delay_ms": 600.0}),
    "M7-late-rtu": Case(Fault.LATE_REPLIES, {"delay_ms": 600.0}, "rtu"),
    "M7-transaction": Case(Fault.WRONG_TRANSACTION, {}),
    "M7-earlier": Case(Fault.EARLIER_REPLY, {}),
}
PACED: Mapping[str, tuple[Fault, Mapping[str, Any]]] = {
    "M14-gap": (Fault.NEEDS_GAP, {"gap_ms": 30.0}),
    "M14-settle": (Fault.NEEDS_SETTLE, {"settle_ms": 120.0}),
}
DEAD, DEAD_TIMEOUT_S = "M1-dead", 4 * PERIOD_MS / 1000
"""A unit that never answers, on a line whose deadline is much longer than the period."""
LIAR = "negative-control"
"""A meter that is 300 ms ahead while the others' faults act; the check must see it."""


@dataclass
class LineRun:
    """The run in real time."""

    recorded: Recorded
    start_ms: int
    lines: Mapping[str, Line]

    def wrong(self, device: str) -> list[str]:
        """Return the good readings whose value is not of their own moment."""
        found = []
        for reading in self.recorded.good(f"{device}.{ENERGY}"):
            assert reading.count is not None
            off_ms = int(reading.count) - 1_000_000_000 - (reading.time_ms - self.start_ms)
            if abs(off_ms) > 1000 * TIMEOUT_S / 2 + 20:  # a reading's time is the middle of its request
                found.append(f"{device} at {reading.time_ms - self.start_ms} ms is {off_ms} ms off")
        return found

    def good(self, device: str, from_ms: int = 0, until_ms: int = END_MS) -> list[int]:
        """Return the times of good readings [ms since the start]."""
        readings = self.recorded.good(f"{device}.{ENERGY}", self.start_ms + from_ms, self.start_ms + until_ms)
        return [reading.time_ms - self.start_ms for reading in readings]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> LineRun:
    """All faults of lines, at once."""
    return asyncio.run(_run_lines(tmp_path_factory.mktemp("lines")))


async def _run_lines(folder: Path) -> LineRun:
    start_ms = wall_ms() + 500
    source = Steady(COUNTS_PER_S * 3_600, start_ms)
    devices: list[dict[str, object]] = []
    served: dict[str, Line] = {}

    async def serve_line(
        name: str, *, framing: str = "tcp", sockets: int | None = None, **link: object
    ) -> Line:
        meters = {unit: product_meter("schneider_pm5xxx", source, CIRCUIT) for unit in (1, 2)}
        line = await stack.enter_async_context(
            serve_meters(
                meters,
                port=0,
                now_ms=wall_ms,
                framing="rtu" if framing == "rtu" else "tcp",
                max_sockets=sockets,
            )
        )
        at = {"host": "127.0.0.1", "port": line.port, "timeout_s": TIMEOUT_S, "framing": framing, **link}
        for unit, device in ((1, name), (2, f"{name}-beside")):
            modbus = {**at, "unit": unit}
            devices.append(
                {"id": device, "profile": "schneider_pm5xxx", "points": [ENERGY], "modbus": modbus}
            )
        served[name] = line
        return line

    async with AsyncExitStack() as stack:
        window = {"from_ms": start_ms + FROM_MS, "until_ms": start_ms + UNTIL_MS}
        for name, case in LINE_CASES.items():
            line = await serve_line(name, framing=case.framing)
            switches = line.faults if case.of_line else line.of(1)
            switches.set(case.fault, **window, **case.settings)
        for name, (fault, settings) in PACED.items():
            line = await serve_line(name, gap_ms=45, settle_ms=200)
            line.faults.set(fault, from_ms=0, **settings)
        await serve_line("M6-one-socket", sockets=1)
        (await serve_line(DEAD, timeout_s=DEAD_TIMEOUT_S)).of(1).set(Fault.METER_SILENT, from_ms=0)
        (await serve_line(LIAR)).of(1).set(Fault.REGISTER_BACK, counts=-300, **window)
        lane = {"every_s": PERIOD_MS / 1000, "boundary_margin_ms": 0}
        config = configure(folder, devices, registers=lane)
        recorded = await run_for(config, (start_ms + END_MS - wall_ms()) / 1000)
    return LineRun(recorded, start_ms, served)


@pytest.mark.parametrize("name", LINE_CASES)
def test_a_fault_of_a_line_gives_no_value_and_passes(lines: LineRun, name: str) -> None:
    assert lines.wrong(name) == []
    assert lines.good(name, 0, FROM_MS), "it was read before"
    assert lines.good(name, FROM_MS + 50, UNTIL_MS - 50) == [], "nothing in it was a value"
    assert lines.good(name, BACK_MS), "it was read again"
    assert lines.recorded.told(name, event="silent")


@pytest.mark.parametrize("name", [name for name, case in LINE_CASES.items() if not case.of_line])
def test_the_unit_beside_it_is_read_on_as_before(lines: LineRun, name: str) -> None:
    beside = f"{name}-beside"
    assert lines.wrong(beside) == []
    times = lines.good(beside, 0, END_MS - 500)
    assert len(times) >= (END_MS - 500) // PERIOD_MS - 2
    assert max(after - before for before, after in pairwise(times)) < 3 * PERIOD_MS


@pytest.mark.parametrize("name", [*PACED, "M6-one-socket"])
def test_a_line_that_is_asked_as_it_needs_is_read_throughout(lines: LineRun, name: str) -> None:
    for device in (name, f"{name}-beside"):
        assert lines.wrong(device) == []
        assert len(lines.good(device, 0, END_MS - 500)) >= (END_MS - 500) // PERIOD_MS - 2
        assert lines.recorded.told(device) == []
    assert lines.lines[name].refused_connections == 0


def test_a_unit_that_never_answered_costs_the_one_beside_it_nothing(lines: LineRun) -> None:
    assert lines.recorded.of(f"{DEAD}.{ENERGY}") == []
    assert len([asked for asked in lines.lines[DEAD].asked if asked.unit == 1]) >= 3, "it is tried"
    times = lines.good(f"{DEAD}-beside", 2 * PERIOD_MS, END_MS - 500)
    assert max(after - before for before, after in pairwise(times)) < 3 * PERIOD_MS


def test_nothing_but_reads_was_ever_asked_for(lines: LineRun) -> None:
    assert all(line.writes == [] for line in lines.lines.values())


def test_a_value_of_another_moment_would_be_seen(lines: LineRun) -> None:
    """The negative control of all of the above."""
    assert len(lines.wrong(LIAR)) >= 3
    assert lines.wrong(f"{LIAR}-beside") == []


# --- faults of registers, in virtual time

MINUTE_MS = 60_000
T0 = 1_706_713_200_000  # 2024-02-01 00:00 in Tokyo
STRUCK, PASSED, LAST = T0 + 30 * MINUTE_MS + 30_000, T0 + 50 * MINUTE_MS + 30_000, T0 + 130 * MINUTE_MS
WATTS, FULL_SCALE_KW = 276_543, "400"
SERIAL, OTHER_SERIAL = "S-1", "S-2"
BACK_COUNTS = 10_000
REGISTER_CASES: Mapping[str, tuple[str, Fault, Mapping[str, Any]]] = {
    "NOVALUE": ("abb_b23", Fault.NO_VALUE, {}),
    "NAN": ("siemens_pac3200", Fault.NO_VALUE, {}),
    "FROZEN": ("schneider_pm5xxx", Fault.FROZEN_REGISTER, {}),
    "DIP": ("schneider_pm5xxx", Fault.REGISTER_DIP, {}),
    "SWAPPED": ("schneider_pm5xxx", Fault.WORD_ORDER_SWAPPED, {}),
    "SCALED": ("schneider_pm5xxx", Fault.SCALE_CHANGED, {"factor": 1000}),
    "REFUSED": ("schneider_pm5xxx", Fault.REGISTER_REFUSED, {"first": 3207, "last": 3210}),
}
"""Device → its profile, and what happens to it from STRUCK to PASSED."""
OTHERS = {
    "HEALTHY": "schneider_pm5xxx",
    "BACK": "schneider_pm5xxx",
    "ROLLOVER": "siemens_pac1600",
    "RESET": "schneider_pm5xxx",
    "REPLACED": "sunspec_201_204",
    "LIAR": "schneider_pm5xxx",
}
PRODUCTS = {"abb_b23": "abb_b23_b24_a44", "siemens_pac3200": "siemens_pac2200_pac3200"}
SOURCE = Steady(WATTS, T0)


@dataclass
class RegisterRun:
    """The run in virtual time."""

    recorded: Recorded

    def good(self, device: str, from_ms: int = 0, until_ms: int = 2**62) -> list[tuple[int, float]]:
        """Return time and energy [Wh] of the good readings of a device."""
        worth = {"NOVALUE": 10.0, "REPLACED": 0.01}.get(device, 1.0)
        return [
            (reading.time_ms, float(reading.count or 0) * worth)
            for reading in self.recorded.good(f"{device}.{ENERGY}", from_ms, until_ms)
        ]

    def wrong(self, device: str) -> list[str]:
        """Return the good readings that are not what is true."""
        step = 10 if device == "NOVALUE" else 1
        return [
            f"{device} at {(time_ms - T0) / MINUTE_MS:.2f} min: {wh - SOURCE.count(time_ms):+.0f} Wh"
            for time_ms, wh in self.good(device)
            if not 0 <= SOURCE.count(time_ms) - wh < step
        ]

    def qualities(self, device: str, from_ms: int, until_ms: int) -> set[int]:
        """Return the qualities of its energy in [from, until)."""
        return {each.quality for each in self.recorded.of(f"{device}.{ENERGY}", from_ms, until_ms)}


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> RegisterRun:
    """All faults of registers, at once, behind one gateway."""
    return asyncio.run(_run_registers(tmp_path_factory.mktemp("registers")))


async def _run_registers(folder: Path) -> RegisterRun:
    profiles = {name: case[0] for name, case in REGISTER_CASES.items()} | OTHERS
    units: dict[int, Meter] = {}
    for unit, profile in enumerate(profiles.values(), 1):
        product = PRODUCTS.get(profile, profile)
        source = Tens(SOURCE) if profile == "abb_b23" else SOURCE
        units[unit] = Meter(product_map(product, source, CIRCUIT, serial=SERIAL))
    number = {name: unit for unit, name in enumerate(profiles, 1)}
    async with (
        stepped("a", T0 - 1, LAST) as (clock, conductor),
        serve_meters(units, port=0, now_ms=lambda: conductor.now_ms) as line,
    ):
        window = {"from_ms": STRUCK, "until_ms": PASSED}
        for name, (_, fault, settings) in REGISTER_CASES.items():
            line.of(number[name]).set(fault, **window, **settings)
        line.of(number["BACK"]).set(
            Fault.REGISTER_BACK, from_ms=STRUCK, until_ms=STRUCK + 90_000, counts=BACK_COUNTS
        )
        left = SOURCE.count(T0 + 40 * MINUTE_MS) - SOURCE.count(T0 - 1)
        line.of(number["ROLLOVER"]).set(Fault.REGISTER_ROLLOVER, from_ms=T0 - 1, left=left)
        line.of(number["RESET"]).set(Fault.REGISTER_RESET, from_ms=STRUCK)
        line.of(number["REPLACED"]).set(
            Fault.METER_REPLACED, from_ms=STRUCK, serial=OTHER_SERIAL, opening=5_000
        )
        line.of(number["LIAR"]).set(Fault.REGISTER_BACK, **window, counts=-1000)
        config = configure(
            folder,
            [
                {
                    "id": name,
                    "profile": profile,
                    "full_scale_kw": FULL_SCALE_KW,
                    "points": _points(name, profile),
                    "modbus": {"host": "127.0.0.1", "port": line.port, "unit": number[name]},
                }
                for name, profile in profiles.items()
            ],
            registers={"every_s": 60, "spread": False},
            samples={"every_s": 60, "spread": False},
        )
        await serve(config, clock)
        assert line.writes == []
    return RegisterRun(await read_back(config))


def _points(name: str, profile: str) -> list[str]:
    points = [ENERGY, "active_energy_export"] if name == "REFUSED" else [ENERGY]
    return [*points, "active_power_l1" if profile == "siemens_pac1600" else "active_power"]


@dataclass(frozen=True)
class Tens:
    """A source in counts of 10 Wh."""

    source: Steady

    def count(self, time_ms: int) -> int:
        return self.source.count(time_ms) // 10

    def power_w(self, time_ms: int) -> int:
        return self.source.watts


DUE = 131 - 4 + 4 * 2 + 1
"""Readings of a register: each minute, on both sides instead of each half-hour, and just after the first."""


def test_a_healthy_meter_is_read_whenever_it_is_due(registers: RegisterRun) -> None:
    assert registers.wrong("HEALTHY") == []
    assert len(registers.good("HEALTHY")) == DUE
    assert registers.recorded.told("HEALTHY") == []


@pytest.mark.parametrize("device", ["NOVALUE", "NAN"])
def test_m8_no_value_is_never_a_number(registers: RegisterRun, device: str) -> None:
    struck = registers.recorded.of(f"{device}.{ENERGY}", STRUCK, PASSED)
    assert len(struck) >= 20
    assert {(each.count, each.quality) for each in struck} == {(None, 2)}
    assert registers.wrong(device) == []
    assert registers.good(device, PASSED, PASSED + MINUTE_MS)


def test_m9_a_register_that_stands_still_while_power_flows_is_stale(registers: RegisterRun) -> None:
    assert registers.good("FROZEN", STRUCK + 6 * MINUTE_MS, PASSED) == []
    assert registers.recorded.told("FROZEN", event="stale")
    still = {wh for _, wh in registers.good("FROZEN", STRUCK, PASSED)}
    assert still <= {float(SOURCE.count(STRUCK))}, "what it showed when it stopped is all that is good"
    assert registers.good("FROZEN", LAST - 10 * MINUTE_MS)
    assert all(
        STRUCK <= T0 + float(text.split()[2]) * MINUTE_MS < PASSED for text in registers.wrong("FROZEN")
    )


def test_m10_a_rollover_is_good_throughout(registers: RegisterRun) -> None:
    found = registers.good("ROLLOVER")
    assert len(found) == len(registers.good("HEALTHY"))
    left = SOURCE.count(T0 + 40 * MINUTE_MS) - SOURCE.count(T0 - 1)
    for time_ms, wh in found:
        assert wh == (2**32 - left + SOURCE.count(time_ms) - SOURCE.count(T0 - 1)) % 2**32
    assert registers.recorded.told("ROLLOVER") == []


def test_m11_a_reset_is_a_new_line_from_what_it_really_counted(registers: RegisterRun) -> None:
    (told,) = registers.recorded.told("RESET", event="reset")
    after = registers.good("RESET", STRUCK)
    assert after[0][0] == told["time_ms"]
    for time_ms, wh in registers.good("RESET"):
        since = SOURCE.count(STRUCK) if time_ms >= STRUCK else 0
        assert wh == SOURCE.count(time_ms) - since
    assert registers.qualities("RESET", STRUCK, told["time_ms"]) == {2}


def test_m11_another_meter_is_told_with_both_serial_numbers(registers: RegisterRun) -> None:
    (told,) = registers.recorded.told("REPLACED", event="replaced")
    assert (told["old"], told["new"]) == (SERIAL, OTHER_SERIAL)
    for time_ms, wh in registers.good("REPLACED"):
        known = (
            SOURCE.count(time_ms) - SOURCE.count(STRUCK) + 5_000
            if time_ms >= STRUCK
            else SOURCE.count(time_ms)
        )
        assert wh == known
    assert registers.good("REPLACED", told["time_ms"] + 2 * MINUTE_MS)


def test_m12_zeros_are_set_aside_and_the_line_goes_on(registers: RegisterRun) -> None:
    assert registers.wrong("DIP") == []
    assert registers.qualities("DIP", STRUCK, PASSED) == {2}
    (told,) = registers.recorded.told("DIP", event="dip")
    assert told["lowest"] == 0
    assert len(registers.good("DIP", PASSED)) == len(registers.good("HEALTHY", PASSED))


def test_m12_a_small_step_back_is_set_aside(registers: RegisterRun) -> None:
    assert registers.wrong("BACK") == []
    assert registers.qualities("BACK", STRUCK, STRUCK + 90_000) == {2}
    assert registers.recorded.told("BACK", event="dip")


@pytest.mark.parametrize("device", ["SWAPPED", "SCALED"])
def test_m13_values_beyond_full_scale_are_set_aside(registers: RegisterRun, device: str) -> None:
    assert registers.wrong(device) == []
    assert registers.qualities(device, STRUCK, PASSED) == {2}
    assert registers.recorded.told(device, event="set_aside")
    assert len(registers.good(device, PASSED)) == len(registers.good("HEALTHY", PASSED))


def test_m2_only_the_refused_register_is_left_out_and_it_comes_back(registers: RegisterRun) -> None:
    assert registers.wrong("REFUSED") == []
    assert len(registers.good("REFUSED")) == len(registers.good("HEALTHY"))
    export = "REFUSED.active_energy_export"
    assert registers.recorded.good(export, 0, STRUCK)
    assert registers.recorded.good(export, STRUCK, PASSED) == []
    (told,) = registers.recorded.told("REFUSED", event="refused")
    assert told["point"] == export and "3207" in told["where"]
    assert registers.recorded.good(export, LAST - 30 * MINUTE_MS)


def test_a_register_that_is_too_high_would_be_seen(registers: RegisterRun) -> None:
    """The negative control: 1 kWh too much, which no judgement at the edge could know."""
    assert len(registers.wrong("LIAR")) >= 19
