"""What two statements of one month say differently, figure by figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]
"""A statement as it was parsed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what it was.

    Parameters
    ----------
    figure
        Id of the figure.
    kind
        What it is, ``energy`` or ``factor``.
    unit
        Unit of both values.
    old, new
        Exact values [`unit`]; None where it is missing, which is never 0.
    old_unproven_wh, new_unproven_wh
        The provable bound on what it may be off [Wh]; None of a figure that has none.
    """

    figure: str
    kind: str
    unit: str
    old: Fraction | None
    new: Fraction | None
    old_unproven_wh: int | None
    new_unproven_wh: int | None

    @property
    def amount(self) -> Fraction | None:
        """New less old [`unit`]; None where one of them is missing."""
        return None if self.old is None or self.new is None else self.new - self.old


def differences(old: Document, new: Document) -> tuple[Difference, ...]:
    """Return the figures of an older statement that have another value or bound in a newer one.

    What only the newer one has is no difference: a later release may know more figures, and what a new line
    adds shows in the sums.
    """
    return tuple(
        each
        for figure, facts in old["figures"].items()
        if (each := _difference(facts, new["figures"].get(figure, {}))) is not None
    )


def standing_differs(old: Document, new: Document) -> bool:
    """Tell whether the factors' status is another: provisional figures may become final as they are."""
    return bool(old["status"]["factors"] != new["status"]["factors"])


def co2_t(document: Document) -> Fraction | None:
    """Return a statement's CO2 [t]; None where it is not summed."""
    return _exact(document["figures"]["co2"])


def purchased_kwh(document: Document) -> Fraction | None:
    """Return the energy of a statement's boundary set [kWh]; None where a meter's is missing."""
    energies = [
        _exact(facts)
        for facts in document["figures"].values()
        if facts["kind"] == "energy" and facts["role"] == "boundary"
    ]
    known = [each for each in energies if each is not None]
    return sum(known, Fraction(0)) if len(known) == len(energies) else None


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference | None:
    before, after = old.get("unproven_wh"), new.get("unproven_wh")
    if _exact(old) == _exact(new) and before == after:
        return None
    return Difference(old["id"], old["kind"], old["unit"], _exact(old), _exact(new), before, after)


def _exact(facts: Mapping[str, Any]) -> Fraction | None:
    text = facts.get("value")
    return None if text is None else Fraction(text)
