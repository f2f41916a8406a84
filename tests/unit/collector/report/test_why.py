import pytest

from collector.report.why import why
from core.errors import UsageError
from tests.unit.collector.report.examples import sheet, sheet_of, without


def test_the_total_is_explained_down_to_registers_slips_and_sources() -> None:
    text = why(sheet(), "co2")
    for proof in (
        "co2, February 2024                           SYNTHETIC DATA, seed 1, PROVISIONAL",
        "exact    13,938.23888 t",
        "CT 400/5 A, VT 66000/110 V, 1 count = 48 kWh, class 0.5S",
        "2024-02-01T00:00:00+09:00  register 61,204,417, interpolated",
        "before 2024-01-31T23:59:58.412+09:00  61,204,417",
        "after 2024-03-01T00:00:01.122+09:00  61,640,936",
        "2024-02-29  49.8 t  SYN-coal-029  fuel.csv:30",
        "heat 26.1 x carbon 0.0243 x 44/12",
        "table (2), column FY2023",
    ):
        assert proof in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_every_figure_can_be_explained() -> None:
    for given in (sheet(), sheet_of(without("AOB-RCV-01", "AOB-CEL-DC"))):
        for figure in given.figures():
            assert why(given, figure.id).startswith(f"{figure.id}, ")


def test_a_figure_used_twice_is_explained_once() -> None:
    text = why(sheet(), "remainder.aoba")
    assert text.count("energy.AOB-FUR-01  FeNi furnace") == 1
    assert "explained above" in why(sheet(), "intensity.ferronickel")


def test_what_is_missing_is_named() -> None:
    text = why(sheet_of(without("AOB-RCV-01")), "co2.scope2")
    assert "not summed: AOB-RCV-01 (intake): no reading of its register" in text
    assert "missing" in text


def test_an_unknown_figure_is_wrong_use() -> None:
    with pytest.raises(UsageError):
        why(sheet(), "co2.scope9")
