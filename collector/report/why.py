"""Why a figure is what it is: its inputs, down to registers, slips, factor and source."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from collector.report.month import apart, month_name, title_lines
from collector.report.numbers import WIDTH, grouped, shown, written_out
from collector.report.sheet import Figure, Sheet
from collector.report.splits import split_text

_STEP = "  "


def why(sheet: Sheet, figure_id: str) -> str:
    """Explain a figure for a terminal.

    Returns
    -------
    str
        A tree: each figure with its exact value, its inputs indented below it, with a trailing newline.

    Raises
    ------
    UsageError
        When the statement has no such figure.
    """
    figure = sheet.figure(figure_id)
    lines = [*title_lines(f"{figure_id}, {month_name(sheet.month)}", sheet), ""]
    lines += _explain(sheet, figure, "", set())
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _explain(sheet: Sheet, figure: Figure, indent: str, seen: set[str]) -> Iterator[str]:
    value = "missing" if figure.printed is None else f"{grouped(figure.printed)} {figure.unit}"
    yield apart(f"{indent}{figure.id}  {figure.label['en']}", value)
    if figure.id in seen:
        yield f"{indent}{_STEP}explained above"
        return
    seen.add(figure.id)
    for text in _facts(figure):
        room = f"{indent}{_STEP}"
        yield from textwrap.wrap(text, WIDTH, initial_indent=room, subsequent_indent=f"{room}{_STEP}")
    for each in sheet.inputs(figure):
        yield from _explain(sheet, each, f"{indent}{_STEP}", seen)


def _facts(figure: Figure) -> Iterator[str]:
    facts = figure.facts
    if (reason := facts.get("not_summed")) is not None:
        yield f"not summed: {reason}"
    if figure.value is not None and written_out(figure.value) != grouped(figure.printed or ""):
        yield f"exact    {written_out(figure.value)} {figure.unit}"
    if figure.kind == "energy":
        yield from _energy(facts)
    elif figure.kind == "factor":
        yield from _factor(figure)
    for line in facts.get("lines", ()):
        day = f"{line['date']}  " if "date" in line else ""
        yield f"{day}{line['quantity']} {line['unit']}  {line['document']}  {line['source']}"
    for term in facts.get("terms", ()):
        name = term["figure"] or f"fuel of process {term['process']}"
        tonnes = "missing" if term["co2_t"] is None else f"{grouped(term['co2_t'])} t"
        yield f"bears    {term['share']} of {name} = {tonnes}"


def _energy(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"origin   {facts['origin']}, point {facts['point']}"
    if (made := facts.get("sum")) is not None:
        losses = f", and {made['losses_percent']} % of losses on top" if made["losses_percent"] != "0" else ""
        yield f"sum      {' + '.join(made['plus'])}{''.join(f' - {each}' for each in made['minus'])}{losses}"
    for installed in facts["installations"]:
        ratio = ", ".join(
            f"{name} {installed[key]}" for name, key in (("CT", "ct"), ("VT", "vt")) if installed[key]
        )
        multiplier = written_out(Fraction(installed["multiplier_wh"]) / 1000)
        yield f"meter    {installed['serial']} ({installed['profile']}) since {installed['from']}"
        accuracy = installed["accuracy_class"] or "-"
        yield f"         {ratio or 'direct'}, 1 count = {multiplier} kWh, class {accuracy}"
    for name, boundary in zip(("start", "end"), facts["boundaries"], strict=False):  # none without readings
        count = "missing" if boundary["count"] is None else grouped(str(boundary["count"]))
        yield f"{name:<8} {boundary['time']}  register {count}, {boundary['method']}"
        for side in ("before", "after"):
            if (reading := boundary[side]) is not None:
                yield f"         {side} {reading['time']}  {grouped(str(reading['count']))}"
    for split in facts.get("splits", ()):
        yield f"split    {split_text(split)}"
    unproven = facts["unproven_wh"]
    if unproven is not None:
        yield f"unproven at most {shown(Fraction(unproven, 1000), 3)} kWh"


def _factor(figure: Figure) -> Iterator[str]:
    facts = figure.facts
    if facts.get("gcv") is not None:
        yield f"heat {facts['gcv']} x carbon {facts['carbon']} x 44/12"
    if "source" not in facts:  # no factor was found
        return
    yield f"source   {facts['source']}"
    yield f"place    {facts['locator']}"
    validity = facts["validity"]
    yield f"valid    {validity['from']} to {validity['to'] or 'further notice'}"
    yield f"status   {facts['status']}, confidence {facts['confidence']}"
