from __future__ import annotations

import doctest
from decimal import Decimal
from fractions import Fraction
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering import boundaries, cells, counters, energy, installations, network, quantities, readings
from core.metering.quantities import Kind, Quantity, Unit
from core.metering.readings import Quality, Reading, canonical_count


@pytest.mark.parametrize(
    "module", [boundaries, cells, counters, energy, installations, network, quantities, readings]
)
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_every_unit_and_every_quantity_stands_in_the_table() -> None:
    for unit in Unit:
        assert unit.factor_to(unit) == 1
    for quantity in Quantity:
        assert quantity.ja and quantity.en and quantity.unit.factor_to(quantity.unit) == 1
        counted = ("energy", "charge", "pulses", "volume", "mass", "heat")
        assert (quantity.kind is Kind.COUNTER) == any(word in quantity for word in counted)


def test_units_of_one_dimension_convert_exactly() -> None:
    assert Unit.MWH.factor_to(Unit.KWH) == 1000
    assert Unit.PERCENT.factor_to(Unit.ONE) == Fraction(1, 100)
    assert Unit.WH.factor_to(Unit.KWH) * Unit.KWH.factor_to(Unit.WH) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Unit.KWH, Unit.KW),
        (Unit.KWH, Unit.GJ),
        (Unit.NM3, Unit.SATP_M3),
        (Unit.KWH, Unit.KVARH),
        (Unit.T, Unit.KL),
    ],
)
def test_what_needs_a_factor_does_not_convert(one: Unit, other: Unit) -> None:
    with pytest.raises(DataError, match="does not convert"):
        one.factor_to(other)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_has_one_canonical_count_of_its_value(value: float) -> None:
    count = canonical_count(Decimal(repr(value)))
    assert float(count) == value
    assert isinstance(count, int) == (Decimal(repr(value)) % 1 == 0 if abs(value) < 1e25 else True)
    assert canonical_count(count) == count
    assert repr(
        canonical_count(
            Decimal(repr(value) + ("000" if "." in repr(value) and "e" not in repr(value) else ""))
        )
    ) == repr(count)


@pytest.mark.timeout(10)
def test_a_count_with_a_million_zeros_is_cut_at_once() -> None:
    assert canonical_count(Decimal("1.5" + "0" * 990_000)) == Decimal("1.5")
    assert canonical_count(Decimal("12." + "0" * 990_000)) == 12


@pytest.mark.parametrize(
    "count", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e311"), 10**311, True, 1.5, "7"]
)
def test_what_no_register_holds_is_no_count(count: object) -> None:
    with pytest.raises(DataError, match="not a count"):
        Reading("m.active_energy_import", 0, count)  # type: ignore[arg-type]  # the wrong type is the test


def test_only_a_bad_reading_has_no_count() -> None:
    assert Reading("m.active_energy_import", 0, None, Quality.BAD).count is None
    with pytest.raises(DataError, match="without a count"):
        Reading("m.active_energy_import", 0, None)
