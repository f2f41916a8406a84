from fractions import Fraction

import pytest

from collector.report.sheet import Judgement, Sheet, judge
from core.errors import DataError, UsageError
from tests.unit.collector.report.examples import sheet, sheet_of, without


@pytest.mark.parametrize(
    ("target_t", "judgement"),
    [
        (Fraction(14_100), Judgement.UNDER),
        (Fraction(13_900), Judgement.OVER),
        (Fraction(13_938), Judgement.AT),  # 0.239 t over: what prints as 0 t is no difference
        (None, Judgement.NO_TARGET),
    ],
)
def test_a_month_is_judged_against_its_target(target_t: Fraction | None, judgement: Judgement) -> None:
    verdict = judge(sheet(target_t=target_t))
    assert verdict.judgement is judgement
    if target_t is not None:
        assert verdict.delta == sheet().total.value - target_t  # type: ignore[operator]  # the example has a sum


def test_a_month_without_its_boundary_meter_is_not_judged() -> None:
    given = sheet_of(without("AOB-RCV-01"))
    verdict = judge(given)
    assert verdict.judgement is Judgement.NOT_SUMMED
    assert verdict.actual is None
    assert [figure.id for figure in given.missing(given.total)] == ["energy.AOB-RCV-01"]


def test_a_missing_sub_meter_does_not_touch_the_sum() -> None:
    assert judge(sheet_of(without("AOB-UTL-01"))).judgement is Judgement.UNDER


def test_an_unknown_figure_is_named_with_its_neighbours() -> None:
    with pytest.raises(UsageError) as caught:
        sheet().figure("co2.scope3")
    assert "co2.scope1" in caught.value.evidence


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": "seiren.statement/2"}'])
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        Sheet.parse(content)


def test_only_what_rests_on_a_provisional_factor_is_preliminary() -> None:
    given = sheet()
    ids = {figure.id for figure in given.figures() if given.preliminary(figure)}
    assert "co2" in ids and "co2.scope2" in ids and "factor.industry_adjusted.FY2023" in ids
    assert not {"co2.scope1", "fuel.aoba.coal", "energy.AOB-RCV-01"} & ids
