"""What a figure's page shows: where it stands, how it adds up, and the way down to its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from collector.report.numbers import grouped, written_out
from collector.report.sheet import Figure, Sheet
from collector.web.charts import Bracket, DayBars, bracket, day_bars
from collector.web.language import Language
from collector.web.wording import days_caption


@dataclass(frozen=True, slots=True)
class Term:
    """A line of the sum that makes a figure: ``name  left × right = result``; `last` closes the sum."""

    name: str
    left: str
    right: str
    result: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """One boundary of an energy, with its drawing."""

    start: bool
    facts: Mapping[str, Any]
    drawing: Bracket


def trail(sheet: Sheet, figure: Figure) -> tuple[Figure, ...]:
    """Return the figures from the total down to the one above `figure`; none where the total needs it not."""
    above = {figure_id: parent for parent in sheet.figures() for figure_id in parent.inputs if _sums(parent)}
    found: list[Figure] = []
    while (parent := above.get(found[-1].id if found else figure.id)) is not None:
        found.append(parent)
    return tuple(reversed(found))


def _sums(figure: Figure) -> bool:
    return figure.kind in ("total", "scope", "emission")


def steps(sheet: Sheet, figure: Figure) -> tuple[Figure, ...]:
    """Return a figure and what it rests on, down its largest branch; an emission opens amount and factor."""
    if figure.kind == "emission":
        below = [step for each in sheet.inputs(figure) for step in steps(sheet, each)]
        return (figure, *below)
    if figure.kind in ("total", "scope") and figure.inputs:
        return (figure, *steps(sheet, sheet.largest_first(figure)[0]))
    return (figure,)


def closed_branches(sheet: Sheet, opened: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """Return the inputs of the opened figures that are not opened themselves, each once."""
    ids = {figure.id for figure in opened}
    found: dict[str, Figure] = {}
    for figure in opened:
        for each in sheet.inputs(figure):
            if each.id not in ids:
                found.setdefault(each.id, each)
    return tuple(found.values())


def edges(energy: Figure) -> tuple[Edge, ...]:
    """Return the two boundaries of an energy, drawn to scale."""
    found = []
    for start, facts in zip((True, False), energy.facts["boundaries"], strict=False):  # none without readings
        before, after = facts["before"], facts["after"]
        drawing = bracket(
            facts["time_ms"],
            None if before is None else before["time_ms"],
            None if after is None else after["time_ms"],
        )
        found.append(Edge(start, facts, drawing))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Daily:
    """A meter's days of the month, drawn wide and narrow."""

    values: tuple[Fraction | None, ...]
    wide: DayBars
    narrow: DayBars
    caption: str


def daily(energy: Figure, values: tuple[Fraction | None, ...], language: Language) -> Daily:
    """Return the days of an energy, with what can be said of them."""
    return Daily(values, day_bars(values, 600), day_bars(values, 300), days_caption(energy, values, language))


def terms(sheet: Sheet, figure: Figure, language: Language) -> Iterator[Term]:
    """Yield the sum of a figure, written out; nothing for a figure that is a plain fact."""
    if figure.kind in ("total", "scope"):
        for each in sheet.largest_first(figure):
            yield _term(sheet, each, language)
        yield Term(language.gettext("Total"), "", "", _exact(figure, language, 3), last=True)
    elif figure.kind == "emission":
        yield _term(sheet, figure, language)
    elif figure.kind == "balance":
        for each in sheet.inputs(figure):
            sign = "" if each.id == f"energy.{figure.facts['parent']}" else "− "
            yield Term(language.name(each.label), "", "", f"{sign}{_exact(each, language)}")
        yield Term(language.gettext("difference"), "", "", _exact(figure, language), last=True)
    elif figure.kind == "energy":
        yield from _registers(figure, language)
    elif figure.kind == "intensity":
        yield from _borne(sheet, figure, language)


def _term(sheet: Sheet, figure: Figure, language: Language) -> Term:
    if figure.kind != "emission":
        return Term(language.name(figure.label), "", "", _exact(figure, language, 3))
    amount, factor = sheet.figure(figure.facts["amount"]), sheet.figure(figure.facts["factor"])
    return Term(
        language.name(amount.label),
        _exact(amount, language),
        f"× {_exact(factor, language)}",
        _exact(figure, language, 3),
    )


def step_wh(energy: Figure) -> Fraction:
    """Return what one step of a register stands for [Wh], by the first installation of the month."""
    return Fraction(energy.facts["resolution"]) * Fraction(energy.facts["installations"][0]["multiplier_wh"])


def _registers(energy: Figure, language: Language) -> Iterator[Term]:
    """Yield the difference of the registers, where one meter with one multiplier measured the whole month."""
    if energy.value is None or len(energy.facts["installations"]) != 1:
        return
    start, end = energy.facts["boundaries"]
    kwh = step_wh(energy) / 1000
    difference = Fraction(end["count"] - start["count"])
    if difference * kwh != energy.value:
        return  # the register rolled over: it does not subtract plainly
    yield Term(
        f"{grouped(str(end['count']))} − {grouped(str(start['count']))}",
        "= " + language.number(difference),
        f"× {written_out(kwh)} kWh",
        _exact(energy, language),
        last=True,
    )


def _borne(sheet: Sheet, intensity: Figure, language: Language) -> Iterator[Term]:
    """Yield what a product bears, its sum, and the sum per tonne."""
    factors = [each for each in sheet.inputs(intensity) if each.kind == "factor"]
    for term in intensity.facts["terms"]:
        known = term["figure"] is not None
        name = language.name(sheet.figure(term["figure"]).label) if known else str(term["process"])
        share = "" if term["share"] == "1" else f" × {term['share']}"
        if term["kwh"] is not None and factors:
            left = f"{language.number(Fraction(term['kwh']))} kWh"
            right = f"× {_exact(factors[0], language)}"
        else:
            left = right = ""
        yield Term(f"{name}{share}", left, right, _tonnes(term["co2_t"], language))
    yield Term(language.gettext("Total"), "", "", _tonnes(intensity.facts["co2_t"], language), last=True)
    production = sheet.figure(intensity.facts["production"])
    yield Term(
        language.gettext("per tonne"), "", f"÷ {_exact(production, language)}", _exact(intensity, language)
    )


def _tonnes(text: str | None, language: Language) -> str:
    return language.gettext("missing") if text is None else f"{language.number(Fraction(text), 3)} t"


def _exact(figure: Figure, language: Language, digits: int | None = None) -> str:
    if figure.value is None:
        return language.gettext("missing")
    text = language.plain(figure.printed or "") if digits is None else language.number(figure.value, digits)
    return f"{text} {figure.unit}"
