"""From words alone: the one mistake that explains them, all that fit equally, or none; never a guess."""

from __future__ import annotations

import struct
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from agent.points import register_point
from agent.tools.bands import Sense, Setup, judge
from agent.tools.diagnosis import Diagnosis, diagnose
from agent.tools.display import Display
from agent.tools.evaluation import Case
from agent.tools.hypotheses import Kind
from agent.tools.relations import Seen, relations
from agent.tools.variants import Entry
from config.profile import ByteOrder, Profile, ValueType, WordOrder, load_profile, profile_ids
from config.strict import Ratio
from core.metering.quantities import Quantity
from tests.unit.agent.tools.meters import Flow, encoded, meter

CT, VT = Ratio(Fraction(100), Fraction(5)), Ratio(Fraction(6600), Fraction(110))
PRIMARY, SECONDARY, DIRECT = Setup(CT, VT), Setup(CT, VT, "secondary"), Setup()
FLOW = Flow()
LOW = Flow(line_v=400, amperes=61, energy_kwh=12_345.6)
PM = load_profile("schneider_pm5xxx")
RIGHT = {
    "primary": (FLOW, PRIMARY),
    "low voltage": (LOW, DIRECT),
    "secondary": (Flow(line_v=110, amperes=1.19, energy_kwh=7010.28), SECONDARY),
    "idle": (replace(LOW, amperes=0), DIRECT),
    "fresh": (replace(LOW, energy_kwh=0), DIRECT),
    "fresh and idle": (replace(LOW, amperes=0, energy_kwh=0), DIRECT),
    "hardly anything, at a bad power factor": (replace(LOW, amperes=0.05, cosine=0.2), DIRECT),
    "feeding in": (replace(LOW, cosine=-0.9), DIRECT),
    "as many kWh as kW": (replace(LOW, energy_kwh=LOW.watts / 1000), DIRECT),
}
NO_MV = {"hager_ecr380d"}
"""Meters whose voltage register ends below medium voltage."""


def entries(profile: Profile, *names: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(name, point, register_point(name, point, profile))
        for name, point in profile.points.items()
        if not names or name in names
    )


def case(profile: Profile, flow: Flow, setup: Setup, *names: str, read_as: Profile | None = None) -> Case:
    """Return what a meter gives that is read as a profile says, right or wrong."""
    later = flow.after(5)
    return Case(
        entries(read_as or profile, *names),
        meter(profile, flow),
        setup,
        later=meter(profile, later),
        elapsed_s=5.0,
    )


def found(diagnosis: Diagnosis) -> list[list[tuple[Kind, str]]]:
    return [[(each.kind, each.detail) for each in finding.candidates] for finding in diagnosis.findings]


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("profile", profile_ids())
def test_what_is_right_is_left_in_peace(profile: str, name: str) -> None:
    flow, setup = RIGHT[name]
    if profile in NO_MV and flow.line_v > 600:
        return
    told = diagnose(case(load_profile(profile), flow, setup))
    assert found(told) == [], [relation.text for relation in told.configured.relations]


ONLY_16_BIT = {"mitsubishi_me96ssra_mb", "sunspec_201_204", "acrel_djsf1352_rn"}
"""Profiles whose wider values look right in either order."""


@pytest.mark.parametrize("profile", sorted({*profile_ids()} - ONLY_16_BIT - NO_MV))
def test_the_words_the_other_way_round_are_named(profile: str) -> None:
    right = load_profile(profile)
    other = WordOrder.LSW_FIRST if right.word_order is WordOrder.MSW_FIRST else WordOrder.MSW_FIRST
    told = diagnose(case(right, FLOW, PRIMARY, read_as=right.model_copy(update={"word_order": other})))
    assert found(told) == [[(Kind.ORDER, "words the other way round")]]
    assert told.mended.against == 0


@pytest.mark.parametrize(
    "profile",
    ["schneider_pm5xxx", "schneider_iem3000", "lovato_dmg610", "acrel_adw300", "abb_b23", "finder_7m38"],
)
@pytest.mark.parametrize("shift", [-1, 1])
def test_an_address_beside_the_right_one_is_named(profile: str, shift: int) -> None:
    right = load_profile(profile)
    moved = [
        {(function, at + shift): word for (function, at), word in meter(right, flow).items()}
        for flow in (FLOW, FLOW.after(5))
    ]
    for words in moved:
        for function, at in [*words]:
            for beside in (-1, 1, 2):
                words.setdefault((function, at + beside), 0)
    told = diagnose(Case(entries(right), moved[0], PRIMARY, later=moved[1], elapsed_s=5.0))
    assert found(told) == [[(Kind.ADDRESS, f"{shift:+d}")]]


@pytest.mark.parametrize(("bytes_too", "detail"), [(False, "bytes"), (True, "words and bytes")])
def test_bytes_the_other_way_round_are_named(bytes_too: bool, detail: str) -> None:
    orders = {"byte_order": ByteOrder.LITTLE, **({"word_order": WordOrder.LSW_FIRST} if bytes_too else {})}
    told = diagnose(case(PM, FLOW, PRIMARY, read_as=PM.model_copy(update=orders)))
    assert found(told) == [[(Kind.ORDER, f"{detail} the other way round")]]


def test_what_makes_sense_is_not_spoilt_to_mend_more() -> None:
    """Five points are in another order than the profile says, and the sixth is not."""
    wrong_ones = ("current_l1", "current_l2", "current_l3", "voltage_l1n", "voltage_l2n")
    points = {
        name: PM.points[name].model_copy(update={"word_order": WordOrder.LSW_FIRST}) for name in wrong_ones
    }
    points["active_power"] = PM.points["active_power"]
    told = diagnose(case(PM, FLOW, PRIMARY, read_as=PM.model_copy(update={"points": points})))
    assert told.mended.against == 0
    assert told.world.variants.keys() == {*wrong_ones}
    assert {each for finding in found(told) for each in finding} == {
        (Kind.ORDER, "words the other way round")
    }


def test_word_order_and_address_wrong_at_once() -> None:
    swapped = PM.model_copy(update={"word_order": WordOrder.LSW_FIRST})
    words = {(function, at + 1): word for (function, at), word in meter(PM, FLOW).items()}
    for function, at in [*words]:
        words.setdefault((function, at - 1), 0)
    told = diagnose(Case(entries(swapped), words, PRIMARY))
    assert found(told) == [[(Kind.ORDER, "words the other way round, and address +1")]]


@pytest.mark.parametrize(
    ("names", "factor", "kind"),
    [
        (("active_energy_import",), 1000, "active_energy_import x 1/1,000"),
        (("active_power",), 1000, "active_power x 1/1,000"),
        (("active_power",), 0.001, "active_power x 1,000"),
    ],
)
def test_a_slip_of_a_unit_is_named(names: tuple[str, ...], factor: float, kind: str) -> None:
    times = dict.fromkeys(names, factor)
    told = diagnose(
        Case(
            entries(PM),
            meter(PM, FLOW, times=times),
            PRIMARY,
            later=meter(PM, FLOW.after(5), times=times),
            elapsed_s=5.0,
        )
    )
    assert found(told) == [[(Kind.SCALE, kind)]]


def test_megawatt_hours_that_only_the_display_betrays() -> None:
    words = meter(PM, FLOW, times={"active_energy_import": 0.001})
    unseen = diagnose(Case(entries(PM), words, PRIMARY))
    assert found(unseen) == []
    seen = diagnose(Case(entries(PM), words, PRIMARY, display=Display(Decimal("8412337.1"))))
    assert found(seen) == [[(Kind.SCALE, "active_energy_import x 1,000")]]


def test_a_signed_value_read_as_unsigned() -> None:
    profile = load_profile("abb_b23")
    point = profile.points["active_power"].model_copy(update={"type": ValueType.UINT32})
    wrong = profile.model_copy(update={"points": {**profile.points, "active_power": point}})
    told = diagnose(case(profile, replace(LOW, cosine=-0.9), DIRECT, read_as=wrong))
    assert found(told) == [[(Kind.TYPE, "int32")]]


def test_a_float_read_as_an_integer() -> None:
    wrong = PM.model_copy(
        update={
            "points": {
                name: point.model_copy(update={"type": ValueType.UINT32})
                if point.type is ValueType.FLOAT32
                else point
                for name, point in PM.points.items()
            }
        }
    )
    assert found(diagnose(case(PM, FLOW, PRIMARY, read_as=wrong))) == [[(Kind.TYPE, "float32")]]


def test_values_in_the_other_kind_of_register() -> None:
    words = {(4, at): word for (_, at), word in meter(PM, FLOW).items()}
    refused = {entry.name: "the device refuses these registers: exception 01" for entry in entries(PM)}
    told = diagnose(Case(entries(PM), words, PRIMARY, refused=refused))
    assert found(told) == [[(Kind.FUNCTION, "4")]]


def test_the_side_is_told_from_voltage_and_current() -> None:
    flow = Flow(line_v=110, amperes=1.19, energy_kwh=7010.28)
    assert found(diagnose(case(PM, flow, PRIMARY))) == [[(Kind.SIDE, "secondary")]]
    assert found(diagnose(case(PM, FLOW, SECONDARY))) == [[(Kind.SIDE, "primary")]]


def test_a_vt_that_was_forgotten() -> None:
    assert found(diagnose(case(PM, FLOW, Setup(CT)))) == [[(Kind.VT, "6600/110 V")]]


def test_a_ct_that_the_current_contradicts() -> None:
    told = diagnose(case(PM, replace(FLOW, amperes=150), PRIMARY))
    assert found(told) == [[(Kind.CT, "larger")]]


def test_a_ct_that_volts_times_amperes_contradict() -> None:
    times = {f"current_l{phase}": 1 / 1.5 for phase in (1, 2, 3)}
    told = diagnose(Case(entries(PM), meter(PM, FLOW, times=times), PRIMARY))
    assert found(told) == [[(Kind.CT, "150/5 A")]]


def test_currents_of_the_other_side_than_powers() -> None:
    times = {f"current_l{phase}": 1 / 20 for phase in (1, 2, 3)}
    told = diagnose(Case(entries(PM), meter(PM, FLOW, times=times), PRIMARY))
    assert found(told) == [[(Kind.MIXED, "vi CT")]]


def test_a_ct_that_full_scale_contradicts() -> None:
    told = diagnose(case(PM, FLOW, replace(PRIMARY, full_scale_kw=Fraction(150))))
    assert found(told) == [[(Kind.CT, "larger")]]


@pytest.mark.parametrize(
    ("shown", "setup", "answer"),
    [
        ("8412337.1", PRIMARY, []),
        ("7010.3", PRIMARY, []),
        ("8412337", SECONDARY, []),
        ("7010.3", SECONDARY, []),
        ("12618505", SECONDARY, [[(Kind.CT, "150/5 A")]]),
        ("5608223", SECONDARY, []),
    ],
)
def test_what_a_display_says(shown: str, setup: Setup, answer: list[list[tuple[Kind, str]]]) -> None:
    """7,010.3 kWh are 8,412,337 kWh before CT 100/5 and VT 6600/110."""
    flow = FLOW if setup is PRIMARY else Flow(line_v=110, amperes=1.19, energy_kwh=7010.281)
    told = diagnose(replace(case(PM, flow, setup), display=Display(Decimal(shown))))
    if shown == "5608223":  # a ratio of 800: no CT of that size, and nothing else either
        assert found(told) == [[]] or found(told)[0][0][0] is Kind.CT
    else:
        assert found(told) == answer


def test_a_display_of_few_digits_proves_nothing() -> None:
    told = diagnose(replace(case(PM, replace(FLOW, energy_kwh=3.2), PRIMARY), display=Display(Decimal(3))))
    assert told.findings == ()
    assert told.mended.match is not None
    assert told.mended.match.agrees is None


def test_two_that_fit_equally_are_both_named() -> None:
    """A current alone: more than the CT can carry, or thousandths of an ampere."""
    flow = replace(FLOW, amperes=150)
    told = diagnose(case(PM, flow, PRIMARY, "current_l1", "voltage_l1n"))
    assert {kind for ((kind, _),) in zip(found(told)[0], strict=False)} == {Kind.CT, Kind.SCALE}
    assert told.world.variants == {}


def test_what_nothing_explains_is_said_so() -> None:
    words = dict.fromkeys(meter(PM, FLOW), 0x5A5A)
    told = diagnose(Case(entries(PM), words, PRIMARY))
    assert found(told) == [[]]


def test_what_does_not_fit_is_not_explained_by_reading_a_zero_instead() -> None:
    """Power where there is no voltage: beside that register stand zeros, but that mends nothing."""
    profile = load_profile("abb_b23")
    at = profile.points["active_power"].span[0]
    words = dict.fromkeys([*meter(profile, LOW), (3, at - 1)], 0) | {(3, at + 1): 12_370, (3, 0x5B2C): 5002}
    told = diagnose(Case(entries(profile, "active_power", "voltage_l1n", "frequency"), words, DIRECT))
    assert found(told) == [[]]
    assert [each.text for each in told.configured.relations] == [
        "no voltage, though active_power is 0.124 kW"
    ]


def test_energy_that_is_really_power() -> None:
    profile = PM
    words = []
    for watt_hours in (247_563, 247_590):
        registers = meter(profile, FLOW)
        count = encoded(watt_hours, ValueType.INT64, WordOrder.MSW_FIRST, ByteOrder.BIG)
        registers |= {(3, 3203 + at): word for at, word in enumerate(count)}
        words.append(registers)
    told = diagnose(Case(entries(profile), words[0], PRIMARY, later=words[1], elapsed_s=5.0))
    assert found(told) == [[(Kind.HOLDS_POWER, "active_energy_import")]]


@pytest.mark.parametrize(
    ("quantity", "value", "sense"),
    [
        (Quantity.FREQUENCY, 44.9, Sense.NO),
        (Quantity.FREQUENCY, 45.0, Sense.OK),
        (Quantity.FREQUENCY, 65.1, Sense.NO),
        (Quantity.VOLTAGE_L1N, 3811.0, Sense.OK),
        (Quantity.VOLTAGE_L12, 3811.0, Sense.NO),
        (Quantity.VOLTAGE_L1N, 63.5, Sense.NO),
        (Quantity.CURRENT_L1, 120.0, Sense.OK),
        (Quantity.CURRENT_L1, -120.1, Sense.NO),
        (Quantity.POWER_FACTOR, -0.91, Sense.OK),
        (Quantity.POWER_FACTOR, 1.2, Sense.NO),
        (Quantity.ACTIVE_POWER, 1.4e6, Sense.NO),
        (Quantity.ACTIVE_ENERGY_IMPORT, -1.0, Sense.NO),
        (Quantity.ACTIVE_ENERGY_IMPORT, 8.4e9, Sense.OK),
        (Quantity.ACTIVE_POWER, -2.4e-41, Sense.NO),
        (Quantity.ACTIVE_POWER, 0.0, Sense.ZERO),
        (Quantity.ACTIVE_POWER, None, Sense.NO_VALUE),
    ],
)
def test_bands(quantity: Quantity, value: float | None, sense: Sense) -> None:
    judged = judge(quantity, value, PRIMARY)
    assert judged.sense is sense
    assert judged.why
    assert len(judged.band) <= 20


def test_voltages_that_no_grid_has_together_are_told_and_no_fault() -> None:
    volts = {
        name: Seen(name, Quantity(name), value)
        for name, value in (("voltage_l1n", 80.0), ("voltage_l2n", 230.1), ("voltage_l3n", 229.8))
    }
    (told,) = relations(volts)
    assert (told.kind, told.agrees) == ("uneven", None)
    assert "voltage_l1n 80 V" in told.text
    volts["voltage_l1n"] = Seen("voltage_l1n", Quantity.VOLTAGE_L1N, 133.0)  # a delta with its middle tapped
    assert [*relations(volts)] == []


def test_a_load_that_swings_once_between_two_requests_is_no_mistake() -> None:
    profile = load_profile("schneider_pm5xxx")
    names = [name for name, point in profile.points.items() if "energy" not in name]
    entries = tuple(
        Entry(name, profile.points[name], register_point(name, profile.points[name], profile))
        for name in names
    )

    def words(amperes: float) -> dict[tuple[int, int], int]:
        said = {"voltage": 230.0, "current": amperes, "active_power": 16.0, "frequency": 50.0}
        found: dict[tuple[int, int], int] = {}
        for entry in entries:
            value = said.get(entry.name.partition("_l")[0], 0.0)
            value = 48.0 if entry.name == "active_power" else 9.7 if entry.name == "reactive_power" else value
            high, low = struct.unpack(">2H", struct.pack(">f", value))
            at = entry.register.start
            found |= {(3, at): high, (3, at + 1): low}
        return found

    setup = Setup(Ratio(Fraction(200), Fraction(5)))
    swung = Case(entries, words(50.0), setup, words(71.0), 5.0)
    assert diagnose(swung).findings == ()
    assert diagnose(Case(entries, words(50.0), setup, words(50.0), 5.0)).findings != ()
