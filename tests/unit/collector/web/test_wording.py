from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from collector.web import wording
from collector.web.language import Language
from core.delivery.count import Count
from core.delivery.frames import Lane
from core.metering.energy import IntervalEnergy
from tests.unit.collector.report.examples import ROWS, count, energy, inputs, sheet, sheet_of, without

JA, EN = Language.load("ja"), Language.load("en")


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("target_t", "japanese", "english"),
    [
        (Fraction(14_100), "2月は目標を162 t下回った", "February is 162 t under target"),
        (Fraction(13_900), "2月は目標を38 t上回った", "February is 38 t over target"),
        (Fraction(13_938), "2月は1 tの差もなく目標どおり", "February is on target, to the tonne"),
        (None, "2月のCO₂は13,938 t、目標は未設定", "February made 13,938 t of CO₂; no target is set"),
    ],
)
def test_the_months_title(target_t: Fraction | None, japanese: str, english: str) -> None:
    given = sheet(target_t=target_t)
    assert _plain(wording.month_title(given, JA)) == japanese
    assert _plain(wording.month_title(given, EN)) == english


def test_the_title_of_a_month_that_is_not_summed_names_what_is_missing() -> None:
    given = sheet_of(without("AOB-RCV-01"))
    assert wording.month_title(given, JA) == "2月は合計できない：受電点 (AOB-RCV-01)"
    assert (
        wording.month_title(given, EN)
        == "February is not summed: AOB-RCV-01 (intake): no reading of its register"
    )
    assert _plain(wording.target_title(given, EN)) == "The target of 14,100 t cannot be judged yet"


def test_a_process_without_a_slip_is_named_too() -> None:
    given = sheet_of(replace(without("AOB-RCV-01"), fuels=()))
    reason = "fuel of process kiln at aoba: no line of 2024-02"
    assert reason in wording.month_title(given, EN)
    assert wording.month_title(given, JA) == f"2月は合計できない：受電点 (AOB-RCV-01)、{reason}"


@pytest.mark.parametrize(
    ("target_t", "english"),
    [
        (Fraction(14_100), "13,938 t against a target of 14,100 t: 1.1 % less"),
        (Fraction(13_900), "13,938 t against a target of 13,900 t: 0.3 % more"),
        (Fraction(13_938), "13,938 t, as much as the target of 13,938 t"),
        (None, "No target is set for this month"),
    ],
)
def test_the_targets_title(target_t: Fraction | None, english: str) -> None:
    assert _plain(wording.target_title(sheet(target_t=target_t), EN)) == english


def test_how_sure() -> None:
    completeness = sheet().figure("completeness")
    assert (
        _plain(wording.sureness_title(completeness, EN))
        == "The registers leave at most 96 kWh (0.05 t) unproven"
    )
    assert _plain(wording.sureness_title(completeness, JA)) == "検針値の未確認は最大 96 kWh（0.05 t）"
    unknown = sheet_of(without("AOB-RCV-01")).figure("completeness")
    assert wording.sureness_title(unknown, JA) == "検針値の未確認には、まだ上限がない"


def test_registers_read_at_the_boundary_leave_nothing_unproven() -> None:
    given = inputs()
    site = given.sites[0]
    exact = {point: replace(each, unproven_wh=0) for point, each in site.energies.items()}
    given = replace(given, sites=(replace(site, energies=exact),))
    completeness = sheet_of(given).figure("completeness")
    assert wording.sureness_title(completeness, EN) == "The registers prove every kilowatt-hour"


def test_the_networks_titles() -> None:
    given = sheet()
    intake, cells = given.balances()
    assert (
        _plain(wording.balance_title(given, intake, EN))
        == "intake and its sub-meters agree: 0.41 %, limit 1.00 %"
    )
    assert _plain(wording.balance_title(given, cells, JA)) == "電解 交流側と直流側の差は4.45 %（整流損失）"
    missing = sheet_of(without("AOB-KLN-01"))
    assert "cannot be checked" in wording.balance_title(missing, missing.balances()[0], EN)


def test_a_balance_outside_its_limit_is_said() -> None:
    given = inputs()
    site = given.sites[0]
    row = replace(ROWS[1], last=ROWS[1].last - 20_000)
    doubtful = replace(site, energies={**site.energies, row.node.point: energy(row)})
    wrong = sheet_of(replace(given, sites=(doubtful,)))
    text = _plain(wording.balance_title(wrong, wrong.balances()[0], EN))
    assert text == "intake and its sub-meters differ by 4.99 %, limit 0.98 %"


def test_what_the_month_is_made_of() -> None:
    assert _plain(wording.sources_title(sheet(), EN)) == "Purchased electricity makes 63 % of February"
    assert _plain(wording.sources_title(sheet(), JA)) == "2月の63 %は購入電力"
    given = inputs()
    little = replace(given, sites=(replace(given.sites[0], energies=_tenth(given.sites[0].energies)),))
    assert _plain(wording.sources_title(sheet_of(little), EN)) == "Fuel makes 85 % of February"
    assert "as far as it is known" in wording.sources_title(sheet_of(without("AOB-RCV-01")), EN)


def _tenth(energies: Mapping[str, IntervalEnergy]) -> dict[str, IntervalEnergy]:
    return {point: replace(each, wh=(each.wh or 0) // 10) for point, each in energies.items()}


def test_the_metal_that_carries_most() -> None:
    assert _plain(wording.intensity_title(sheet(), JA)) == "フェロニッケル1 t当たりのCO₂は4.109 t"
    nothing = sheet_of(without("AOB-RCV-01"))
    assert wording.intensity_title(nothing, EN) == "No intensity: production or energy is missing"


@pytest.mark.parametrize(
    ("rows", "english"),
    [
        ([count()], "All 723,840 readings taken are stored"),
        ([count(taken=1)], "The one reading taken is stored"),
        (
            [count(), count(Lane.SAMPLES, taken=100, lost=7)],
            "723,933 of 723,940 readings are stored, 7 lost with a reason",
        ),
        ([count(taken=100, waiting=30)], "70 of 100 readings are stored so far"),
        ([count(taken=100, stored=60)], "The count does not add up: look at the table"),
    ],
)
def test_the_counts_title(rows: list[Count], english: str) -> None:
    assert wording.count_title(rows, EN) == english


@pytest.mark.parametrize(
    ("figure", "english"),
    [
        ("co2.scope2", "scope 2, electricity, 8,821 t, rests on 2 boundary readings, 1 factor"),
        ("co2.scope1.aoba.coal", "CO₂ of coal, 3,378 t, rests on 29 slips, 1 factor"),
        ("energy.AOB-FUR-01", "FeNi furnace: 15,311,520 kWh"),
        ("intensity.copper", "1,529 t of CO₂ over 9,410.0 t of copper make 0.163 t/t"),
    ],
)
def test_a_figures_title(figure: str, english: str) -> None:
    given = sheet()
    assert _plain(wording.figure_title(given, given.figure(figure), EN)) == english


def test_days_that_do_not_make_the_month_are_said() -> None:
    intake = sheet().figure("energy.AOB-RCV-01")
    whole = [Fraction(20_952_864 - 28), *[Fraction(1)] * 28]
    assert _plain(wording.days_caption(intake, whole, EN)).endswith(
        "the 29 days add up to the month, off by 0 Wh"
    )
    assert wording.days_caption(intake, [*whole[:-1], None], EN).endswith("1 day is missing")
    assert wording.days_caption(intake, [*whole[:-1], Fraction(2)], EN).endswith(
        "the days do not add up to the month"
    )
    assert wording.days_caption(intake, [None, None], JA) == "日別の値はまだない"
