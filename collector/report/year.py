"""Several months in one table, with their exact sum: a fiscal year, a calendar year, a replayed year."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from collector.report.month import WIDTH, ascii_text, month_name, scope_name, title_lines
from collector.report.numbers import shown
from collector.report.sheet import Sheet


def year_report(title: str, months: Sequence[str], sheets: Mapping[str, Sheet]) -> str:
    """Write months of a year for a terminal, and what they sum to.

    Parameters
    ----------
    title
        Name of the year, such as ``FY2023``.
    months
        The months that make the year, in order.
    sheets
        Statements by month; a month without one counts as missing, never as 0.

    Returns
    -------
    str
        Lines of at most 80 ASCII characters, with a trailing newline.
    """
    known = [sheets[month] for month in months if month in sheets]
    energies = [_boundary_kwh(sheets[month]) if month in sheets else None for month in months]
    tonnes = [sheets[month].total.value if month in sheets else None for month in months]
    lines = []
    if known:
        worst = next((sheet for sheet in known if sheet.provisional), known[-1])
        lines += [*title_lines(f"{scope_name(worst)}, {title}", worst), ""]
    lines.append(f" {'month':<16}{'electricity [kWh]':>20}{'CO2 [t]':>12}{'covered [%]':>14}")
    for month, energy, co2 in zip(months, energies, tonnes, strict=True):
        cover = shown(_covered_percent(sheets[month]), 2) if month in sheets else "-"
        lines.append(f" {month_name(month):<16}{shown(energy, 2):>20}{shown(co2):>12}{cover:>14}")
    lines.append(f" {'sum':<16}{shown(_sum(energies), 2):>20}{shown(_sum(tonnes)):>12}")
    lines += _absent(months, sheets)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _absent(months: Sequence[str], sheets: Mapping[str, Sheet]) -> Iterator[str]:
    """Say how many months keep the year from being summed, and why the first of them does."""
    unsummed = [month for month in months if month not in sheets or sheets[month].total.value is None]
    if unsummed:
        first = unsummed[0]
        reason = sheets[first].total.facts["not_summed"] if first in sheets else "no reading"
        text = f"not summed: {len(unsummed)} of {len(months)} months have no sum; {first}: {reason}"
        yield from ("", *textwrap.wrap(ascii_text(text), WIDTH, subsequent_indent="  "))


def _boundary_kwh(sheet: Sheet) -> Fraction | None:
    return _sum([e.value for e in sheet.table("electricity") if e.facts["role"] == "boundary"])


def _covered_percent(sheet: Sheet) -> Fraction | None:
    share = sheet.figure("completeness").exact("share") if sheet.has("completeness") else None
    return None if share is None else share * 100


def _sum(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction(0)) if known and len(known) == len(values) else None
