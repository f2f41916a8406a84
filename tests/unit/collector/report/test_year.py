from collector.report.year import year_report
from tests.unit.collector.report.examples import sheet, sheet_of, without

MONTHS = ("2024-01", "2024-02")


def test_the_sum_is_that_of_the_exact_months() -> None:
    given = sheet()
    text = year_report("FY2023", MONTHS, {"2024-01": given, "2024-02": given})
    # twice 20,952,864 kWh and twice 13,938.239 t, rounded once
    assert " sum                    41,905,728.00      27,876\n" in text
    assert text.startswith(
        "Aoba works, FY2023                           SYNTHETIC DATA, seed 1, PROVISIONAL\n"
    )


def test_a_missing_month_leaves_the_year_unsummed() -> None:
    text = year_report("FY2023", MONTHS, {"2024-02": sheet()})
    assert " January 2024                       -           -             -\n" in text
    assert " sum                                -           -\n" in text
    assert "not summed: 1 of 2 months have no sum; 2024-01: no reading" in text


def test_a_month_without_a_sum_counts_as_missing() -> None:
    text = year_report("FY2023", MONTHS, {"2024-01": sheet_of(without("AOB-RCV-01")), "2024-02": sheet()})
    assert "not summed: 1 of 2 months have no sum; 2024-01: AOB-RCV-01 (intake): no reading" in text


def test_lines_fit_a_terminal() -> None:
    assert all(len(line) <= 80 for line in year_report("FY2023", MONTHS, {"2024-02": sheet()}).splitlines())
