import csv
import io
from dataclasses import replace
from fractions import Fraction

from collector.report.export import to_csv
from core.carbon.labels import Label
from tests.unit.collector.report.examples import inputs, sheet, sheet_of, without


def _rows(text: str) -> list[dict[str, str]]:
    note, _, table = text.partition("\r\n")
    assert note == "# SYNTHETIC DATA seed 1, statement 2024-02, provisional"
    return list(csv.DictReader(io.StringIO(table, newline="")))


def test_every_figure_has_a_line_with_its_exact_value() -> None:
    given = sheet()
    rows = {row["figure"]: row for row in _rows(to_csv(given))}
    assert rows.keys() == given.document["figures"].keys()
    for figure in given.figures():
        assert Fraction(rows[figure.id]["exact"]) == figure.value
        assert rows[figure.id]["printed"] == figure.printed


def test_a_missing_figure_is_empty_and_not_zero() -> None:
    rows = {row["figure"]: row for row in _rows(to_csv(sheet_of(without("AOB-RCV-01"))))}
    assert rows["co2"]["exact"] == rows["co2"]["printed"] == ""


def test_text_cannot_become_a_formula() -> None:
    given = inputs()
    products = {name: Label("=1+1", "@SUM(A1)") for name in given.products}
    rows = {row["figure"]: row for row in _rows(to_csv(sheet_of(replace(given, products=products))))}
    assert rows["production.copper"]["name_ja"] == "'=1+1"
    assert rows["production.copper"]["name_en"] == "'@SUM(A1)"
