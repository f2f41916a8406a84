"""Several months in one table, with their exact sum: a fiscal year, a calendar year, a replayed year."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from collector.report.month import ascii_text, month_name, scope_name, title_lines
from collector.report.numbers import WIDTH, shown
from collector.report.sheet import Sheet
from core.carbon.closing import MonthStatus
from core.carbon.differences import co2_t, purchased_kwh
from core.carbon.figures import optional_text


@dataclass(frozen=True, slots=True)
class YearMonth:
    """A month of a year: its statement, and how far it is; without a statement it counts as missing."""

    status: MonthStatus
    sheet: Sheet | None = None

    @property
    def kwh(self) -> Fraction | None:
        """Energy of its boundary set [kWh]; None where it is missing, which is never 0."""
        return None if self.sheet is None else purchased_kwh(self.sheet.document)

    @property
    def co2_t(self) -> Fraction | None:
        """Its CO2 [t]; None where it is not summed."""
        return None if self.sheet is None else co2_t(self.sheet.document)

    @property
    def covered_percent(self) -> Fraction | None:
        """Share of the time that is covered [%]; None where it is not known."""
        if self.sheet is None or not self.sheet.has("completeness"):
            return None
        share = self.sheet.figure("completeness").exact("share")
        return None if share is None else share * 100

    @property
    def mark(self) -> str:
        """How far it is, in a word; with a second one where its factors are final."""
        if self.sheet is None:
            return ""
        activity = "restated" if self.status.restated else self.status.activity.value
        return activity if self.sheet.provisional else f"{activity}, final"


def year_report(title: str, months: Sequence[YearMonth]) -> str:
    """Write months of a year for a terminal, and what they sum to.

    Parameters
    ----------
    title
        Name of the year, such as ``FY2023``.
    months
        The months that make the year, in order.

    Returns
    -------
    str
        Lines of at most 80 ASCII characters, with a trailing newline.
    """
    known = [each.sheet for each in months if each.sheet is not None]
    lines: list[str] = []
    if known:
        worst = next((sheet for sheet in known if sheet.provisional), known[-1])
        restated = any(each.status.restated for each in months)
        lines += [*title_lines(f"{scope_name(worst)}, {title}", worst, restated), ""]
    lines.append(f" {'month':<16}{'electricity [kWh]':>18}{'CO2 [t]':>11}{'covered [%]':>13}  status")
    lines += (
        f" {month_name(each.status.month):<16}{shown(each.kwh, 2):>18}{shown(each.co2_t):>11}"
        f"{shown(each.covered_percent, 2):>13}  {each.mark}"
        for each in months
    )
    lines.append(f" {'sum':<16}{shown(year_kwh(months), 2):>18}{shown(year_co2_t(months)):>11}")
    lines += _absent(months)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def year_rows(months: Sequence[YearMonth]) -> list[dict[str, object]]:
    """Return months of a year as rows of exact figures; what is missing is None."""
    return [
        {
            "month": each.status.month,
            "activity": each.status.activity.value,
            "revision": each.status.revision,
            "factors": None if each.sheet is None else each.sheet.document["status"]["factors"],
            "kwh": optional_text(each.kwh),
            "co2_t": optional_text(each.co2_t),
            "covered_percent": optional_text(each.covered_percent),
        }
        for each in months
    ]


def year_kwh(months: Sequence[YearMonth]) -> Fraction | None:
    """Return the sum of the months [kWh]; None while one of them is missing."""
    return _sum([each.kwh for each in months])


def year_co2_t(months: Sequence[YearMonth]) -> Fraction | None:
    """Return the sum of the months [t]; None while one of them has none."""
    return _sum([each.co2_t for each in months])


def _absent(months: Sequence[YearMonth]) -> Iterator[str]:
    """Say how many months keep the year from being summed, and why the first of them does."""
    unsummed = [each for each in months if each.co2_t is None]
    if unsummed:
        first = unsummed[0]
        reason = "no reading" if first.sheet is None else first.sheet.total.facts["not_summed"]
        text = (
            f"not summed: {len(unsummed)} of {len(months)} months have no sum; {first.status.month}: {reason}"
        )
        yield from ("", *textwrap.wrap(ascii_text(text), WIDTH, subsequent_indent="  "))


def _sum(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction(0)) if known and len(known) == len(values) else None
