"""What was made in a month."""

from __future__ import annotations

from fractions import Fraction

from core.carbon.emissions import convert
from core.carbon.figures import Figure, Kind
from core.carbon.inputs import StatementInputs
from core.carbon.rounding import exact_text
from core.errors import FactorError
from core.metering.quantities import Unit


def production_figures(inputs: StatementInputs) -> tuple[Figure, ...]:
    """Return what was made of each product, by product; a product without a line is missing, not 0."""
    figures = []
    for product, name in sorted(inputs.products.items()):
        lines = sorted(
            (line for line in inputs.production if line.product == product), key=lambda line: line.id
        )
        tonnes: list[Fraction] = []
        reasons = [] if lines else [f"production of {name.en}: no line of {inputs.month}"]
        for line in lines:
            try:
                tonnes.append(convert(line.quantity, line.unit, Unit.T))
            except FactorError as error:
                reasons.append(f"production of {name.en}, {line.document}: {error.what}")
        figures.append(
            Figure(
                id=f"production.{product}",
                kind=Kind.PRODUCTION,
                label=name,
                value=None if reasons else sum(tonnes, Fraction(0)),
                unit="t",
                digits=1,
                not_summed=tuple(reasons),
                facts={
                    "lines": [
                        {
                            "id": line.id,
                            "site": line.site,
                            "quantity": exact_text(line.quantity),
                            "unit": line.unit.value,
                            "document": line.document,
                            "source": line.source,
                        }
                        for line in lines
                    ]
                },
            )
        )
    return tuple(figures)
