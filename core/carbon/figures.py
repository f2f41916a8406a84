"""Figures of a statement: an exact value, its printed form, and the figures it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from core.carbon.labels import Label
from core.carbon.rounding import Rounding, exact_text, printed

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""What a statement is written in; it has no floats."""


class Kind(StrEnum):
    """What a figure is."""

    TOTAL = "total"
    SCOPE = "scope"
    EMISSION = "emission"
    ENERGY = "energy"
    FUEL = "fuel"
    FACTOR = "factor"
    PRODUCTION = "production"
    REMAINDER = "remainder"
    INTENSITY = "intensity"
    BALANCE = "balance"
    TARGET = "target"
    COMPLETENESS = "completeness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    Attributes
    ----------
    id
        ``co2.scope2.AOB-RCV-01``: unique in the statement and the same from month to month.
    value
        Exact [`unit`]; `None` when something it needs is missing.
    digits
        Digits of the printed form; `None` prints the exact text.
    inputs
        Ids of the figures it is made of.
    not_summed
        What is missing, when the value is.
    facts
        What else belongs to this kind of figure.
    """

    id: str
    kind: Kind
    label: Label
    value: Fraction | None
    unit: str
    digits: int | None
    rounding: Rounding = Rounding.HALF_UP
    inputs: tuple[str, ...] = ()
    not_summed: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)

    def json(self) -> dict[str, Json]:
        """Return the figure as it stands in the statement."""
        body: dict[str, Json] = {
            "id": self.id,
            "kind": self.kind.value,
            "label": self.label.json(),
            "value": optional_text(self.value),
            "unit": self.unit,
            "printed": self._printed(),
            "inputs": list(self.inputs),
        }
        if self.value is None:
            body["not_summed"] = "; ".join(self.not_summed)
        return body | dict(self.facts)

    def _printed(self) -> str | None:
        if self.value is None:
            return None
        if self.digits is None:
            return exact_text(self.value)
        return printed(self.value, self.digits, rounding=self.rounding)


def total(
    *,
    id: str,
    kind: Kind,
    label: Label,
    unit: str,
    digits: int,
    parts: Iterable[Figure],
    lacking: tuple[str, ...] = (),
) -> Figure:
    """Return the sum of figures; it has no value unless every part has one and nothing else is lacking."""
    ordered = sorted(parts, key=lambda part: part.id)
    values = [part.value for part in ordered if part.value is not None]
    return Figure(
        id=id,
        kind=kind,
        label=label,
        value=sum(values, Fraction(0)) if len(values) == len(ordered) and not lacking else None,
        unit=unit,
        digits=digits,
        inputs=tuple(part.id for part in ordered),
        not_summed=(*missing(ordered), *lacking),
    )


def missing(parts: Iterable[Figure]) -> tuple[str, ...]:
    """Return what the parts without a value lack, each once, in order."""
    return tuple(dict.fromkeys(reason for part in parts if part.value is None for reason in part.not_summed))


def optional_text(value: Fraction | None) -> str | None:
    """Return the exact text of a figure that may be missing."""
    return None if value is None else exact_text(value)
