from dataclasses import replace
from fractions import Fraction

from collector.report.sheet import Sheet
from collector.report.year import YearMonth, year_co2_t, year_report, year_rows
from core.carbon.closing import Activity, Closing, MonthStatus
from core.chain import BEGINNING, Decision
from tests.unit.collector.report.examples import sheet, sheet_of, without

DECISION = Decision(1, 0, "suzuki", "suzuki@hq", "approve", "", "{}", BEGINNING, "")


def year(*sheets: Sheet | None, revisions: int = 0) -> list[YearMonth]:
    """January, February, … 2024, closed as often as is told."""
    found = []
    for number, each in enumerate(sheets, 1):
        month = f"2024-{number:02d}"
        closings = tuple(Closing(month, n, DECISION, {}) for n in range(1, revisions + 1))
        activity = Activity.CLOSED if revisions else Activity.OPEN
        found.append(YearMonth(MonthStatus(month, activity, revisions=closings), each))
    return found


def test_the_sum_is_that_of_the_exact_months() -> None:
    text = year_report("FY2023", year(sheet(), sheet()))
    # twice 20,952,864 kWh and twice 13,938.239 t, rounded once
    assert " sum                  41,905,728.00     27,876\n" in text
    assert text.startswith(
        "Aoba works, FY2023                           SYNTHETIC DATA, seed 1, PROVISIONAL\n"
    )


def test_a_missing_month_leaves_the_year_unsummed() -> None:
    text = year_report("FY2023", year(None, sheet()))
    assert " January 2024                     -          -            -\n" in text
    assert " sum                              -          -\n" in text
    assert "not summed: 1 of 2 months have no sum; 2024-01: no reading" in text


def test_a_month_without_a_sum_counts_as_missing() -> None:
    text = year_report("FY2023", year(sheet_of(without("AOB-RCV-01")), sheet()))
    assert "not summed: 1 of 2 months have no sum; 2024-01: AOB-RCV-01 (intake): no reading" in text


def test_each_month_says_how_far_it_is() -> None:
    assert [each.mark for each in year(sheet(), None)] == ["open", ""]
    assert [each.mark for each in year(sheet(), revisions=1)] == ["closed"]
    restated = year(sheet(), sheet(), revisions=2)
    assert [each.mark for each in restated] == ["restated"] * 2
    text = year_report("FY2023", restated)
    assert "RESTATED, PROVISIONAL" in text
    assert all(line.endswith("  restated") for line in text.splitlines() if " 2024  " in line)


def test_rows_are_exact_and_what_is_missing_is_no_zero() -> None:
    given = year(sheet(), None)
    first, second = year_rows(given)
    assert first["co2_t"] == sheet().total.facts["value"]
    assert (second["co2_t"], second["kwh"], second["covered_percent"]) == (None, None, None)
    assert year_co2_t(given) is None
    assert year_co2_t([replace(given[0]), replace(given[0])]) == 2 * Fraction(str(first["co2_t"]))


def test_lines_fit_a_terminal() -> None:
    assert all(len(line) <= 80 for line in year_report("FY2023", year(None, sheet())).splitlines())
