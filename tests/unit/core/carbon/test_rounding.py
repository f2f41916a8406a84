from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.carbon.rounding import Rounding, exact_text, printed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        ("0.5", 0, "1"),
        ("1.5", 0, "2"),
        ("2.5", 0, "3"),  # half to even would say 2
        ("-0.5", 0, "-1"),
        ("-0.49", 0, "0"),  # no -0
        ("2.675", 2, "2.68"),  # a float would say 2.67
        ("999.95", 1, "1000.0"),
        ("0.004", 2, "0.00"),
    ],
)
def test_figures_are_rounded_half_up(value: str, digits: int, text: str) -> None:
    assert printed(Fraction(value), digits) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_half_up_is_what_decimal_calls_half_up(value: Decimal) -> None:
    expected = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    assert Decimal(printed(Fraction(value), 2)) == expected


def test_a_bound_is_rounded_up_and_a_share_down() -> None:
    assert printed(Fraction("0.0404"), 2, rounding=Rounding.UP) == "0.05"
    assert printed(Fraction("99.9999"), 2, rounding=Rounding.DOWN) == "99.99"
    assert printed(Fraction(100), 2, rounding=Rounding.DOWN) == "100.00"


def test_a_variance_carries_its_sign() -> None:
    assert [printed(Fraction(value), 0, signed=True) for value in (721, -169, 0)] == ["+721", "-169", "0"]


@given(st.fractions())
def test_exact_text_is_read_back_exactly(value: Fraction) -> None:
    text = exact_text(value)
    assert Fraction(text) == value
    assert "e" not in text.lower()


def test_exact_text_is_decimal_when_it_terminates() -> None:
    assert exact_text(Fraction(13938239, 1000)) == "13938.239"
    assert exact_text(Fraction(-1, 8)) == "-0.125"
    assert exact_text(Fraction(44, 12)) == "11/3"
