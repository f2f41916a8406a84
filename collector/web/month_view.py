"""What the month's page shows, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from collector.report.sheet import Figure, Sheet, Verdict, judge
from collector.web.charts import VarianceBar, variance_bar, variance_scale
from collector.web.language import Language
from collector.web.wording import balance_title
from collector.web.words import origin_name


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row of the table of sources; `level` is total, scope or source."""

    level: str
    figure: Figure
    name: str
    amount: Figure | None = None
    amount_sum: Fraction | None = None
    unit: str = ""
    factor: Figure | None = None
    share: Fraction | None = None
    evidence: str = ""
    preliminary: bool = False
    substituted: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A sub-meter beside its parent; `share` of the parent [1], None where either is missing."""

    figure: Figure
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class Tree:
    """One balance of the network: a parent and its sub-meters."""

    title: str
    balance: Figure
    parent: Figure
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The month against its target, with its bar on the common scale."""

    verdict: Verdict
    bar: VarianceBar | None


def target_row(sheet: Sheet) -> TargetRow:
    """Set the month against its target."""
    verdict = judge(sheet)
    percent = verdict.percent
    return TargetRow(verdict, None if percent is None else variance_bar(percent, variance_scale(percent)))


@dataclass(frozen=True, slots=True)
class IntensityRow:
    """A metal's CO2 per tonne, beside its production."""

    figure: Figure
    production: Figure


def intensity_rows(sheet: Sheet) -> Iterator[IntensityRow]:
    """Yield the intensities with their productions."""
    for figure in sheet.table("intensities"):
        yield IntensityRow(figure, sheet.figure(figure.facts["production"]))


def trees(sheet: Sheet, language: Language) -> tuple[Tree, ...]:
    """Return the network's balances."""
    return tuple(_tree(sheet, balance, language) for balance in sheet.balances())


def _tree(sheet: Sheet, balance: Figure, language: Language) -> Tree:
    parent = sheet.energy(balance.facts["parent"])
    children = [each for each in sheet.largest_first(balance) if each.id != parent.id]
    shares = tuple(Child(child, _share(child.value, parent.value)) for child in children)
    return Tree(balance_title(sheet, balance, language), balance, parent, shares)


def source_rows(sheet: Sheet, language: Language) -> Iterator[SourceRow]:
    """Yield the scopes, each with its sources below it, and the total."""
    total = sheet.total
    for scope in sheet.table("scopes"):
        sources = [_source(sheet, emission, language) for emission in sheet.largest_first(scope)]
        yield _scope(sheet, scope, sources, language)
        yield from sources
    yield SourceRow(
        "total",
        total,
        language.gettext("Total"),
        share=_share(total.value, total.value),
        preliminary=sheet.preliminary(total),
    )


def _scope(sheet: Sheet, scope: Figure, sources: list[SourceRow], language: Language) -> SourceRow:
    electricity = scope.id == "co2.scope2"
    t = language.gettext
    amounts = [row.amount.value for row in sources if row.amount is not None]
    known = [amount for amount in amounts if amount is not None]
    summed = electricity and known and len(known) == len(sources)
    return SourceRow(
        "scope",
        scope,
        t("Scope 2, purchased electricity") if electricity else t("Scope 1, fuel"),
        amount_sum=sum(known, Fraction(0)) if summed else None,
        unit="kWh" if summed else "",
        share=_share(scope.value, sheet.total.value),
        evidence=_scope_evidence(sources, electricity, language),
        preliminary=sheet.preliminary(scope),
    )


def _scope_evidence(sources: list[SourceRow], electricity: bool, language: Language) -> str:
    if electricity:
        return language.ngettext("%(n)s receiving point", "%(n)s receiving points", len(sources))
    slips = sum(len(row.amount.facts["lines"]) for row in sources if row.amount is not None)
    return language.ngettext("%(n)s slip", "%(n)s slips", slips)


def _source(sheet: Sheet, emission: Figure, language: Language) -> SourceRow:
    amount = sheet.figure(emission.facts["amount"])
    return SourceRow(
        "source",
        emission,
        language.name(amount.label) if amount.kind == "fuel" else _site_name(sheet, amount, language),
        amount=amount,
        unit=amount.unit,
        factor=sheet.figure(emission.facts["factor"]),
        share=_share(emission.value, sheet.total.value),
        evidence=_evidence(amount, language),
        preliminary=sheet.preliminary(emission),
        substituted=amount.facts.get("origin") in ("substituted", "manual"),
    )


def _site_name(sheet: Sheet, amount: Figure, language: Language) -> str:
    return language.name(sheet.document["sites"][amount.facts["site"]])


def _evidence(amount: Figure, language: Language) -> str:
    if amount.kind == "energy":
        meter = amount.id.removeprefix("energy.")
        return language.gettext(
            "%(meter)s, %(origin)s", meter=meter, origin=origin_name(amount.facts["origin"], language)
        )
    return language.ngettext("%(n)s slip", "%(n)s slips", len(amount.facts["lines"]))


def _share(part: Fraction | None, whole: Fraction | None) -> Fraction | None:
    return None if part is None or not whole else part / whole
