"""The shipped emission factors, with what each rests on."""

from __future__ import annotations

from fractions import Fraction

from collector.table import Form, as_csv, as_json, as_table
from config.factors import load_electricity_factors, load_fuel_factors
from core.carbon.factors import ElectricityFactor, FuelFactor
from core.carbon.rounding import exact_text, printed

_SHOWN_DIGITS = 5


def factor_report(form: Form) -> str:
    """Return all shipped factors as text.

    Raises
    ------
    ConfigError
        A shipped file is wrong.
    """
    fuels = load_fuel_factors()
    electricity = [factor for series in load_electricity_factors() for factor in series.factors]
    facts = [*map(_fuel, fuels), *map(_electricity, electricity)]
    if form is Form.JSON:
        return as_json({"factors": facts})
    if form is Form.CSV:
        return as_csv(facts)
    cells = [
        (
            factor.id,
            _years(factor),
            _shown(factor.co2_t_per_unit),
            f"t/{factor.unit}",
            *_proof(factor),
        )
        for factor in fuels
    ]
    cells += [
        (
            factor.id,
            f"FY{factor.fiscal_year}",
            _shown(factor.kg_per_kwh),
            "kg/kWh",
            *_proof(factor),
        )
        for factor in electricity
    ]
    return as_table(("factor", "valid", "CO2", "per", "confidence", "status"), cells, left=2)


def _fuel(factor: FuelFactor) -> dict[str, object]:
    return {
        "id": factor.id,
        "valid": _years(factor),
        "co2": exact_text(factor.co2_t_per_unit),
        "unit": f"t/{factor.unit}",
        "gcv_gj": exact_text(factor.gcv),
        "carbon_t_per_gj": exact_text(factor.carbon),
        **_sources(factor),
    }


def _electricity(factor: ElectricityFactor) -> dict[str, object]:
    return {
        "id": factor.id,
        "valid": f"FY{factor.fiscal_year}",
        "co2": exact_text(factor.kg_per_kwh),
        "unit": "kg/kWh",
        "gcv_gj": None,
        "carbon_t_per_gj": None,
        **_sources(factor),
    }


def _sources(factor: FuelFactor | ElectricityFactor) -> dict[str, object]:
    return {
        "confidence": factor.confidence.value,
        "status": factor.status.value,
        "source": factor.source,
        "locator": factor.locator,
        "note": factor.note,
    }


def _proof(factor: FuelFactor | ElectricityFactor) -> tuple[str, str]:
    return factor.confidence.value, factor.status.value


def _shown(value: Fraction) -> str:
    return printed(value, _SHOWN_DIGITS)


def _years(factor: FuelFactor) -> str:
    return f"FY{factor.fy_from}-{factor.fy_to or ''}"
