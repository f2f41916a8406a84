from collections.abc import Mapping
from fractions import Fraction

import pytest

from core.carbon.allocation import Allocation
from core.errors import DataError

THIRDS = {"copper": Fraction(1, 3), "ferronickel": Fraction(2, 3)}


def test_exact_shares_that_add_up_to_one_are_taken() -> None:
    assert Allocation(meters={"M": THIRDS}, remainder=THIRDS, fuels={}).meters["M"] == THIRDS


@pytest.mark.parametrize(
    "shares",
    [
        {"copper": Fraction("0.33"), "ferronickel": Fraction("0.66")},
        {"copper": Fraction(3, 2), "ferronickel": Fraction(-1, 2)},
        {},
    ],
)
def test_other_shares_are_refused_wherever_they_stand(shares: Mapping[str, Fraction]) -> None:
    with pytest.raises(DataError, match="meter M do not add up"):
        Allocation(meters={"M": shares}, remainder=THIRDS, fuels={})
    with pytest.raises(DataError, match="remainder do not add up"):
        Allocation(meters={}, remainder=shares, fuels={})
    with pytest.raises(DataError, match="process kiln do not add up"):
        Allocation(meters={}, remainder=None, fuels={"kiln": shares})
