"""A statement as its readers use it: figures by id, tables in order, exact values, and the verdict."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from typing import Any

from core.carbon.rounding import printed
from core.errors import DataError, UsageError

SCHEMA = "seiren.statement/1"
_FACTS = ("energy", "fuel", "factor", "production")
"""The kinds of figures that rest on no other figure, but on registers, slips and sources."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a statement; `facts` is its JSON object."""

    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def kind(self) -> str:
        return str(self.facts["kind"])

    @property
    def label(self) -> Mapping[str, str]:
        """Names, ``ja`` and ``en``."""
        label: Mapping[str, str] = self.facts["label"]
        return label

    @property
    def unit(self) -> str:
        return str(self.facts["unit"])

    @property
    def printed(self) -> str | None:
        """The figure rounded once by the statement; None where it is missing."""
        printed: str | None = self.facts["printed"]
        return printed

    @property
    def value(self) -> Fraction | None:
        """The exact figure [`unit`]; None where it is missing, which is never 0."""
        return self.exact("value")

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.facts["inputs"])

    def exact(self, key: str) -> Fraction | None:
        """Return an exact number that is kept under `key`, None where it is null or absent."""
        text = self.facts.get(key)
        return None if text is None else Fraction(text)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A month's statement; `content` is its canonical JSON, byte for byte."""

    content: bytes
    document: Mapping[str, Any]

    @classmethod
    def parse(cls, content: bytes) -> Sheet:
        """Read a statement's bytes.

        Raises
        ------
        DataError
            When the bytes are no statement of a schema known here.
        """
        try:
            document = json.loads(content)
        except ValueError as error:
            raise DataError("This is no statement: not JSON.", evidence=str(error)) from error
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise DataError(
                "This is no statement that this version can read.",
                evidence=f"schema {schema!r}, expected {SCHEMA!r}",
            )
        return cls(content, document)

    @property
    def month(self) -> str:
        return str(self.document["month"])

    @property
    def provisional(self) -> bool:
        return bool(self.document["status"]["month"] == "provisional")

    @property
    def total(self) -> Figure:
        return self.figure("co2")

    def figure(self, figure_id: str) -> Figure:
        """Return a figure by its id.

        Raises
        ------
        UsageError
            When the statement has no such figure; the nearest ids are named.
        """
        facts = self.document["figures"].get(figure_id)
        if facts is None:
            near = self.near(figure_id)
            raise UsageError(
                f"The statement of {self.month} has no figure {figure_id}.",
                evidence=f"nearest: {', '.join(near)}" if near else "",
                next=f"seiren month show {self.month} --format csv lists all figures",
            )
        return Figure(facts)

    def near(self, figure_id: str) -> tuple[str, ...]:
        """Return the ids that look most like an unknown one."""
        return tuple(difflib.get_close_matches(figure_id, self.document["figures"], n=3, cutoff=0.4))

    def has(self, figure_id: str) -> bool:
        return figure_id in self.document["figures"]

    def table(self, name: str) -> tuple[Figure, ...]:
        """Return a table's figures in the statement's order; empty where there is no such table."""
        return tuple(self.figure(figure_id) for figure_id in self.document["tables"].get(name, ()))

    def energy(self, meter: str) -> Figure:
        """Return a meter's energy."""
        return self.figure(f"energy.{meter}")

    def depth(self, energy: Figure) -> int:
        """Return how many meters stand before a meter [1]."""
        parent = energy.facts["parent"]
        return 0 if parent is None else 1 + self.depth(self.energy(parent))

    def balances(self) -> tuple[Figure, ...]:
        """Return the balances in the order in which the tree of meters is shown."""
        order = [energy.id for energy in self.table("electricity")]
        return tuple(
            sorted(self.table("balances"), key=lambda each: order.index(f"energy.{each.facts['parent']}"))
        )

    def site_names(self) -> tuple[Mapping[str, str], ...]:
        return tuple(self.document["sites"][site] for site in sorted(self.document["sites"]))

    def figures(self) -> Iterator[Figure]:
        """Yield all figures in the statement's order."""
        return map(Figure, self.document["figures"].values())

    def inputs(self, figure: Figure) -> tuple[Figure, ...]:
        return tuple(self.figure(figure_id) for figure_id in figure.inputs)

    def largest_first(self, figure: Figure) -> tuple[Figure, ...]:
        """Return a figure's inputs, the largest first and what is missing last."""
        return tuple(
            sorted(
                self.inputs(figure),
                key=lambda each: (each.value is None, -(each.value or Fraction(0)), each.id),
            )
        )

    def roots(self, figure: Figure) -> tuple[Figure, ...]:
        """Return the figures without inputs that a figure rests on, each once, in order."""
        found: dict[str, Figure] = {}
        for each in self.inputs(figure):
            for root in self.roots(each) if each.inputs else (each,):
                found.setdefault(root.id, root)
        return tuple(found.values())

    def missing(self, figure: Figure) -> tuple[Figure, ...]:
        """Return the facts that are missing for a figure to be summed."""
        roots = self.roots(figure) or (figure,)
        return tuple(root for root in roots if root.value is None and root.kind in _FACTS)

    def unnamed_reasons(self, figure: Figure) -> tuple[str, ...]:
        """Return why a figure is not summed, as far as no missing fact says it."""
        if figure.value is not None or figure.kind in _FACTS:
            return ()
        below = [(each, self._reasons(each)) for each in self.inputs(figure)]
        own = [why for why in self._reasons(figure) if not any(why in reasons for _, reasons in below)]
        return tuple(dict.fromkeys([*own, *(why for each, _ in below for why in self.unnamed_reasons(each))]))

    @staticmethod
    def _reasons(figure: Figure) -> list[str]:
        return str(figure.facts.get("not_summed", "")).split("; ")

    def preliminary(self, figure: Figure) -> bool:
        """Return whether a figure rests on a factor that will be restated."""
        factors = (figure,) if figure.kind == "factor" else self.roots(figure)
        return any(root.facts.get("status") == "provisional" for root in factors)


class Judgement(Enum):
    """What can be said of a month's CO2."""

    NOT_SUMMED = auto()
    NO_TARGET = auto()
    UNDER = auto()
    AT = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A month against its target: all figures in t, percent of the target."""

    judgement: Judgement
    actual: Fraction | None = None
    target: Fraction | None = None
    delta: Fraction | None = None
    percent: Fraction | None = None


def judge(sheet: Sheet) -> Verdict:
    """Set a month's CO2 against its target; on target is what prints as 0 t of difference."""
    actual = sheet.total.value
    target = sheet.figure("target.month").value if sheet.has("target.month") else None
    if actual is None:
        return Verdict(Judgement.NOT_SUMMED, target=target)
    if not target:
        return Verdict(Judgement.NO_TARGET, actual=actual)
    delta = actual - target
    judgement = Judgement.AT
    if printed(delta, 0) != "0":
        judgement = Judgement.UNDER if delta < 0 else Judgement.OVER
    return Verdict(judgement, actual, target, delta, delta * 100 / target)
