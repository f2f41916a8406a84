"""Faults M8 to M13: no energy is made or lost at the edge, and each test fails where nothing is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.counters import RENEWAL_MS, Event
from agent.judgement import Judge
from agent.readings import Scan, Shape, Value
from agent.rules import TOLERANCE, CounterRule, PowerRule, Rule
from core.delivery.payload import BAD, GOOD
from core.metering.readings import Quality

MINUTE = 60_000
LIMIT_KW = 1_000.0
LIMIT_PER_MS = LIMIT_KW * float(TOLERANCE) * 1000 / 3_600_000  # [Wh/ms]
ENERGY, POWER = "M.active_energy_import", "M.active_power"
COUNTER = CounterRule(most_per_ms=LIMIT_PER_MS, flow=1, kwh=0.001)
SHAPE = Shape((ENERGY, POWER), (False, False))
RULES: dict[str, Rule] = {ENERGY: COUNTER, POWER: PowerRule(most=LIMIT_KW * 1.2, kw=1, least_kw=20)}


@dataclass
class Kept:
    """What is left of a meter's readings: those that count, in segments, and what was told."""

    rows: list[tuple[int, Value, int]] = field(default_factory=list)
    segments: list[list[tuple[int, float]]] = field(default_factory=lambda: [[]])
    events: list[Event] = field(default_factory=list)

    @property
    def kinds(self) -> list[object]:
        return [event.get("reason", event["event"]) for event in self.events]


def follow(
    readings: Iterable[tuple[int, Value]],
    *,
    rule: CounterRule = COUNTER,
    power_kw: float | None = None,
    judge: Judge | None = None,
    before: Callable[[int, Judge], None] = lambda time_ms, judge: None,
    blind: bool = False,
) -> Kept:
    """Have readings of a counter judged; with `blind`, by nobody."""
    judge = judge or Judge({**RULES, ENERGY: rule})
    kept = Kept()
    for time_ms, value in readings:
        before(time_ms, judge)
        scan = Scan(SHAPE, time_ms, [value, power_kw])
        events = [] if blind else judge.judge(scan)
        quality = (BAD if value is None else GOOD) if scan.qualities is None else scan.qualities[0]
        kept.rows.append((time_ms, value, quality))
        kept.events += events
        if any(event["event"] in ("reset", "replaced") for event in events):
            kept.segments.append([])
        if quality != BAD:
            kept.segments[-1].append((time_ms, float(value)))  # type: ignore[arg-type]  # good: it is a number
    return kept


def assert_no_energy_is_made(kept: Kept, *, wrap_at: int | None = None) -> float:
    """Each segment rises or rolls over plausibly; return the energy of all."""
    energy = 0.0
    for segment in kept.segments:
        for (time_ms, count), (later_ms, later) in pairwise(segment):
            rise = later - count
            if rise < 0 and wrap_at is not None:
                rise += wrap_at
            assert 0 <= rise <= LIMIT_PER_MS * (later_ms - time_ms + RENEWAL_MS) + 1, (time_ms, count, later)
            energy += rise
    return energy


def rising(start: float, minutes: range, *, wh_a_minute: int = 5_000) -> list[tuple[int, Value]]:
    return [(at * MINUTE, int(start) + at * wh_a_minute) for at in minutes]


@dataclass(frozen=True)
class Fault:
    """Readings with a fault in them, and what must come of them."""

    readings: list[tuple[int, Value]]
    energy: float
    kinds: list[object]
    rule: CounterRule = COUNTER
    before: Callable[[int, Judge], None] = lambda time_ms, judge: None


def spoilt(bad: dict[int, Value], minutes: int = 60, start: int = 61_205_023) -> list[tuple[int, Value]]:
    return [(time_ms, bad.get(time_ms // MINUTE, value)) for time_ms, value in rising(start, range(minutes))]


def exchanged(at: int) -> Callable[[int, Judge], None]:
    """Another serial number is seen before the reading of a minute."""
    return lambda time_ms, judge: judge.replaced() if time_ms == at * MINUTE else None


def starts(at: int) -> Callable[[int, Judge], None]:
    return lambda time_ms, judge: judge.appeared(time_ms) if time_ms == at * MINUTE else None


def after_reset(at: int, *, to: int = 0, minutes: int = 60) -> list[tuple[int, Value]]:
    return rising(61_205_023, range(at)) + rising(to - at * 5_000, range(at, minutes))


FAULTS = {
    # M10
    "rollover": Fault(
        [(t, (99_990_000 + 5_000 * (t // MINUTE)) % 100_000_000) for t, _ in rising(0, range(60))],
        59 * 5_000,
        [],
        CounterRule(most_per_ms=LIMIT_PER_MS, wrap_at=100_000_000, flow=1, kwh=0.001),
    ),
    "rollover, limit unknown": Fault(
        [(t, (99_990_000 + 5_000 * (t // MINUTE)) % 100_000_000) for t, _ in rising(0, range(60))],
        59 * 5_000,
        [],
        CounterRule(wrap_at=100_000_000, flow=1, kwh=0.001),
    ),
    "dip of a register that could roll over": Fault(
        spoilt({30: 0, 31: 0}),
        59 * 5_000,
        ["fell", "dip"],
        CounterRule(most_per_ms=LIMIT_PER_MS, wrap_at=100_000_000, flow=1, kwh=0.001),
    ),
    "dip, limit unknown": Fault(
        spoilt({30: 0, 31: 0}), 59 * 5_000, ["fell", "dip"], CounterRule(wrap_at=100_000_000)
    ),
    # M11
    "reset": Fault(after_reset(20), 19 * 5_000 + (60 - 36) * 5_000, ["fell", "reset"]),
    "reset of a volatile register": Fault(
        after_reset(20),
        19 * 5_000 + 39 * 5_000,
        ["reset"],
        CounterRule(most_per_ms=LIMIT_PER_MS, volatile=True, flow=1, kwh=0.001),
    ),
    # M12
    "dip to zero and back": Fault(spoilt({30: 0, 31: 0, 32: 0}), 59 * 5_000, ["fell", "dip"]),
    "a tenth of a kWh back": Fault(spoilt({30: 61_205_023 + 29 * 5_000 - 100}), 59 * 5_000, ["fell", "dip"]),
    "zeros for minutes after boot": Fault(
        spoilt({30: 0, 31: 0, 32: 0}),
        59 * 5_000,
        ["warmup"],
        CounterRule(most_per_ms=LIMIT_PER_MS, warmup_ms=300_000, flow=1, kwh=0.001),
        starts(30),
    ),
    "zeros for hours, and back": Fault(
        spoilt(dict.fromkeys(range(30, 300), 0), minutes=400), 399 * 5_000, ["fell", "dip"]
    ),
    # M13
    "another word order": Fault(
        spoilt({30: 0xABCD_0000_0123, 31: 0xABCD_0000_0124}), 59 * 5_000, ["full_scale"]
    ),
    "the scale changes": Fault(
        spoilt({at: 1000 * (61_205_023 + 5_000 * at) for at in range(30, 60)}), 29 * 5_000, ["full_scale"]
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_energy_is_made_or_lost(fault: Fault) -> None:
    kept = follow(fault.readings, rule=fault.rule, before=fault.before)
    assert assert_no_energy_is_made(kept, wrap_at=fault.rule.wrap_at) == fault.energy
    assert kept.kinds == fault.kinds
    assert [value for _, value, _ in kept.rows] == [value for _, value in fault.readings], (
        "nothing is altered"
    )


@pytest.mark.parametrize("name", [name for name in FAULTS if not name.startswith("rollover")])
def test_where_nothing_is_judged_energy_is_made(name: str) -> None:
    fault = FAULTS[name]
    with pytest.raises(AssertionError):
        assert_no_energy_is_made(follow(fault.readings, blind=True), wrap_at=fault.rule.wrap_at)


@pytest.mark.parametrize("to", [0, 99_000_000], ids=["lower", "higher"])
def test_another_meter_begins_a_new_line_at_once(to: int) -> None:
    readings = after_reset(20, to=to)
    kept = follow(readings, before=exchanged(20))
    assert all(quality == GOOD for _, _, quality in kept.rows)
    assert kept.events == [], "the exchange itself is told by who asked for the serial number"
    unknown = follow(readings)
    assert any(quality == BAD for _, _, quality in unknown.rows)


def test_a_new_meter_that_boots_with_zeros_begins_after_them() -> None:
    rule = CounterRule(most_per_ms=LIMIT_PER_MS, warmup_ms=300_000, flow=1, kwh=0.001)
    readings = [*after_reset(20, to=1_000_000)]
    readings[20:23] = [(t, 0) for t, _ in readings[20:23]]

    def before(time_ms: int, judge: Judge) -> None:
        if time_ms == 20 * MINUTE:
            judge.appeared(time_ms)
            judge.replaced()

    kept = follow(readings, rule=rule, before=before)
    assert [quality for _, _, quality in kept.rows[19:25]] == [GOOD, BAD, BAD, BAD, GOOD, GOOD]


def test_a_fallen_register_that_does_not_rise_is_no_new_line() -> None:
    kept = follow(spoilt(dict.fromkeys(range(20, 60), 4_711)))
    assert {quality for _, _, quality in kept.rows[20:]} == {BAD}
    assert kept.kinds == ["fell"]


def test_a_register_that_falls_again_and_again_is_no_new_line() -> None:
    falling: dict[int, Value] = {at: 50_000 - 10 * at for at in range(20, 60)}
    kept = follow(spoilt(falling))
    assert {quality for _, _, quality in kept.rows[20:]} == {BAD}


def test_a_fallen_register_that_leaps_is_no_new_line() -> None:
    leaping: dict[int, Value] = {at: 100_000 * at for at in range(20, 60)}
    kept = follow(spoilt(leaping))
    assert {quality for _, _, quality in kept.rows[20:]} == {BAD}
    assert kept.kinds == ["fell"]


def test_after_a_long_silence_what_full_scale_could_bring_is_plausible() -> None:
    readings = rising(1_000, range(5)) + [
        (time_ms + 72 * 60 * MINUTE, 1_000 + 60_000_000) for time_ms in (0,)
    ]
    kept = follow(readings)
    assert {quality for _, _, quality in kept.rows} == {GOOD}
    more: list[tuple[int, Value]] = [*readings[:-1], (72 * 60 * MINUTE, 90_001_000)]
    assert follow(more).kinds == ["full_scale"]


def test_without_a_known_limit_no_rise_is_too_fast() -> None:
    kept = follow(spoilt({30: 10**15}), rule=CounterRule())
    assert kept.rows[30][2] == GOOD
    assert kept.rows[31][2] == BAD, "but a fall is a fall"


def test_a_register_that_moves_in_lumps_is_no_jump() -> None:
    lumpy: list[tuple[int, Value]] = [(at * 1_000, 1_000 + at // 60 * 12_000) for at in range(600)]
    assert follow(lumpy).kinds == []


def test_a_float_whose_steps_are_large_is_no_jump() -> None:
    shape = Shape((ENERGY,), (True,))
    judge = Judge({ENERGY: CounterRule(most_per_ms=0.001, flow=1, kwh=0.001)})
    count, kinds = 1e9, list[object]()
    for at in range(200):
        if at % 7 == 0:
            count += 64  # what a 32-bit float can step at 1e9
        kinds += [event["event"] for event in judge.judge(Scan(shape, at * 1_000, [count]))]
    assert kinds == []


# M8


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, Decimal("NaN")])
def test_what_is_no_number_is_no_reading_and_changes_nothing(value: Value) -> None:
    kept = follow(spoilt({30: value, 31: value}), power_kw=300)
    assert [at for at, (_, _, quality) in enumerate(kept.rows) if quality == BAD and at not in (30, 31)] == []
    assert kept.kinds == []


# M9


def test_a_register_that_stands_still_under_load_is_stale_once_until_it_moves() -> None:
    frozen: list[tuple[int, Value]] = [(at * MINUTE, 46_000) for at in range(10, 40)]
    frozen = rising(1_000, range(10)) + frozen
    again: list[tuple[int, Value]] = [(at * MINUTE, 46_000 + 5_000 * (at - 39)) for at in range(40, 50)]
    kept = follow(frozen + again, power_kw=300)
    assert kept.kinds == ["stale"]
    qualities = [quality for _, _, quality in kept.rows]
    assert qualities[:12] == [GOOD] * 12
    assert qualities[14:40] == [Quality.UNCERTAIN] * 26
    assert qualities[40:] == [GOOD] * 10


@pytest.mark.parametrize("power_kw", [None, 0.0, 5.0, -300.0], ids=["unknown", "none", "idle", "backwards"])
def test_an_idle_meter_is_never_stale(power_kw: float | None) -> None:
    kept = follow([(at * MINUTE, 46_000) for at in range(600)], power_kw=power_kw)
    assert kept.kinds == []
    assert {quality for _, _, quality in kept.rows} == {GOOD}


def test_a_coarse_register_may_stand_still_for_three_of_its_steps() -> None:
    coarse = CounterRule(most_per_ms=LIMIT_PER_MS / 1000, flow=1, kwh=1, resolution=100)
    standing: list[tuple[int, Value]] = [(at * MINUTE, 46_000) for at in range(70)]
    assert follow(standing, rule=coarse, power_kw=300).kinds == ["stale"]
    assert follow(standing[:58], rule=coarse, power_kw=300).kinds == []


def test_export_is_judged_by_power_that_flows_back() -> None:
    export = CounterRule(most_per_ms=LIMIT_PER_MS, flow=-1, kwh=0.001)
    standing: list[tuple[int, Value]] = [(at * MINUTE, 46_000) for at in range(30)]
    assert follow(standing, rule=export, power_kw=-300).kinds == ["stale"]
    assert follow(standing, rule=export, power_kw=300).kinds == []


# power, memory, limits of telling


def test_a_power_beyond_full_scale_is_set_aside_once_told() -> None:
    judge, kinds = Judge(RULES), list[object]()
    for at, power in enumerate([300.0, 300_000.0, -300_000.0, 300.0, 1_150.0]):
        scan = Scan(SHAPE, at * 1_000, [None, power])
        kinds += [event["event"] for event in judge.judge(scan)]
        assert (scan.qualities or [BAD, GOOD])[1] == (BAD if abs(power) > 1_200 else GOOD)
        assert judge.reasons == ({POWER: "full_scale"} if abs(power) > 1_200 else {})
    assert kinds == ["set_aside"]


def test_what_a_source_calls_bad_is_not_judged() -> None:
    judge = Judge(RULES)
    judge.judge(Scan(SHAPE, 0, [1_000, 0.0]))
    scan = Scan(SHAPE, MINUTE, [10**12, 0.0], [BAD, GOOD])
    assert judge.judge(scan) == []
    scan = Scan(SHAPE, 2 * MINUTE, [2_000, 0.0], [Quality.UNCERTAIN, GOOD])
    assert judge.judge(scan) == []
    assert scan.qualities == [Quality.UNCERTAIN, GOOD]


def test_a_new_run_knows_the_last_good_count() -> None:
    first = Judge(RULES)
    follow(rising(61_205_023, range(10)), judge=first)
    kept = first.keep()
    later: list[tuple[int, Value]] = [(20 * MINUTE, 0), (21 * MINUTE, 0)]
    assert follow(later, judge=Judge(RULES, kept)).kinds == ["fell"]
    assert follow(later, judge=Judge(RULES)).kinds == []
    other: dict[str, Rule] = {**RULES, ENERGY: CounterRule(most_per_ms=LIMIT_PER_MS, digest="another scale")}
    assert follow(later, judge=Judge(other, kept)).kinds == []
    back: list[tuple[int, Value]] = [(-500 * MINUTE, 61_205_023 + 10**7)]
    assert follow(back, judge=Judge(RULES, kept)).kinds == [], "the clock was set back between the runs"


def test_the_same_is_told_once_in_ten_minutes() -> None:
    flapping = spoilt({at: 0 for at in range(0, 600, 2) if at > 3}, minutes=600)
    kept = follow(flapping)
    assert 59 <= kept.kinds.count("fell") <= 61
    assert_no_energy_is_made(kept)


@given(
    st.lists(
        st.integers(0, 10_000)
        | st.sampled_from([None, 0, 10**12, -5])
        | st.floats(allow_nan=True, allow_infinity=True),
        max_size=80,
    )
)
def test_whatever_a_meter_says_no_energy_is_made(said: list[Value]) -> None:
    count, readings = 1_000_000, list[tuple[int, Value]]()
    for at, value in enumerate(said):
        if isinstance(value, int) and 0 < value <= 10_000:
            count += value
            value = count
        readings.append((at * MINUTE, value))
    kept = follow([(0, 1_000_000), *((t + MINUTE, v) for t, v in readings)])
    kept.segments = [[row for row in segment if math.isfinite(row[1])] for segment in kept.segments]
    assert_no_energy_is_made(kept)
