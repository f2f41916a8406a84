from collector.web.figure_view import closed_branches, steps, terms, trail
from collector.web.language import Language
from tests.unit.collector.report.examples import sheet, sheet_of, without

EN = Language.load("en")


def _ids(figure_id: str) -> list[str]:
    given = sheet()
    return [each.id for each in steps(given, given.figure(figure_id))]


def test_the_largest_branch_is_opened_down_to_amount_and_factor() -> None:
    electricity = ["co2.scope2.AOB-RCV-01", "energy.AOB-RCV-01", "factor.industry_adjusted.FY2023"]
    assert _ids("co2") == ["co2", "co2.scope2", *electricity]
    assert _ids("co2.scope1")[:3] == ["co2.scope1", "co2.scope1.aoba.coal", "fuel.aoba.coal"]
    assert _ids("energy.AOB-FUR-01") == ["energy.AOB-FUR-01"]


def test_the_other_branches_stay_in_sight() -> None:
    given = sheet()
    opened = steps(given, given.figure("co2"))
    assert [each.id for each in closed_branches(given, opened)] == ["co2.scope1"]


def test_a_figure_knows_its_place_below_the_total() -> None:
    given = sheet()
    assert [each.id for each in trail(given, given.figure("fuel.aoba.coal"))] == [
        "co2",
        "co2.scope1",
        "co2.scope1.aoba.coal",
    ]
    assert trail(given, given.figure("energy.AOB-FUR-01")) == ()
    assert trail(given, given.total) == ()


def test_sums_are_written_out_with_exact_parts() -> None:
    given = sheet()
    whole = [(term.name, term.result) for term in terms(given, given.total, EN)]
    assert whole == [
        ("scope 2, electricity", "8,821.156 t"),
        ("scope 1, fuel", "5,117.083 t"),
        ("Total", "13,938.239 t"),
    ]
    (registers,) = terms(given, given.figure("energy.AOB-RCV-01"), EN)
    assert (registers.name, registers.left, registers.right) == (
        "61,640,935 − 61,204,417",
        "= 436,518",
        "× 48 kWh",
    )
    difference = [term.result for term in terms(given, given.figure("balance.AOB-RCV-01"), EN)]
    assert difference[0] == "20,952,864 kWh" and difference[-1] == "86,440 kWh"
    assert difference[1:-1] == ["− 3,318,624 kWh", "− 15,311,520 kWh", "− 1,274,900 kWh", "− 961,380 kWh"]


def test_a_missing_part_is_written_as_missing() -> None:
    given = sheet_of(without("AOB-RCV-01"))
    assert [term.result for term in terms(given, given.total, EN)] == ["5,117.083 t", "missing", "missing"]
