"""The month's report for a terminal: 80 columns, plain ASCII, the verdict before the evidence."""

from __future__ import annotations

import calendar
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from collector.report.hand import by_hand
from collector.report.numbers import WIDTH, grouped, shown
from collector.report.sheet import Figure, Judgement, Sheet, judge
from collector.report.splits import split_lines
from collector.report.standing import Standing, standing_lines
from core.carbon.rounding import printed
from core.delivery.count import Count

_LEFT = 36
_RIGHT_AT = 40


def month_report(sheet: Sheet, counts: Sequence[Count] = (), standing: Standing | None = None) -> str:
    """Write a month's statement for a terminal.

    Parameters
    ----------
    sheet
        The month's statement.
    counts
        The count of readings per agent, lane and epoch; the report adds them up.
    standing
        How far the month is: closed by whom, restated, proposed.

    Returns
    -------
    str
        Lines of at most 80 ASCII characters, with a trailing newline.
    """
    left = [*_electricity(sheet)]
    right = [*_emissions(sheet)]
    table = [
        f"{ours:<{_RIGHT_AT}}{theirs}" if theirs else ours
        for ours, theirs in zip_longest(left, right, fillvalue="")
    ]
    restated = standing is not None and standing.status.restated
    lines = (
        *(*_heading(sheet, restated), "", *table, "", *_intensities(sheet), *_sureness(sheet)),
        *(*split_lines(sheet), *_count(counts), *standing_lines(sheet, standing)),
    )
    return "".join(f"{ascii_text(line.rstrip())}\n" for line in lines)


def month_name(month: str) -> str:
    """Write ``2024-02`` as ``February 2024``."""
    return f"{calendar.month_name[int(month[5:7])]} {month[:4]}"


def ascii_text(text: str) -> str:
    """Fold text to ASCII: accents are dropped, what has no equal becomes ``?``."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return folded.encode("ascii", "replace").decode("ascii")


def marks(sheet: Sheet, restated: bool = False) -> str:
    """Return what a reader must know before any figure: synthetic, restated, provisional or final."""
    synthetic = sheet.document.get("synthetic")
    status = "PROVISIONAL" if sheet.provisional else "FINAL"
    told = [f"SYNTHETIC DATA, {synthetic}"] if synthetic else []
    return ", ".join([*told, *(["RESTATED"] if restated else []), status])


def title_lines(title: str, sheet: Sheet, restated: bool = False) -> Iterator[str]:
    """Yield a title with the `marks` at its end, or on a line of their own where both do not fit."""
    told = marks(sheet, restated)
    if len(title) + 1 + len(told) <= WIDTH:
        yield apart(title, told)
    else:
        yield from (title[:WIDTH], *textwrap.wrap(told, WIDTH))


def apart(left: str, right: str, width: int = WIDTH) -> str:
    """Set two texts to the two ends of a line; the left one is cut where both do not fit."""
    room = width - len(right) - 1
    return f"{left[:room]:<{room}} {right}"


def headline(sheet: Sheet) -> str:
    """Say in one line how the month stands against its target."""
    verdict = judge(sheet)
    if verdict.judgement is Judgement.NOT_SUMMED:
        return f"CO2 not summed: {sheet.total.facts['not_summed']}"
    if verdict.judgement is Judgement.NO_TARGET:
        return f"CO2 {shown(verdict.actual)} t; no target is set"
    assert verdict.delta is not None and verdict.percent is not None  # a target was judged
    percent = printed(verdict.percent, 1, signed=True)
    evidence = f"({shown(verdict.actual)} of {shown(verdict.target)} t, {percent} %)"
    if verdict.judgement is Judgement.AT:
        return f"CO2 on target {evidence}"
    side = "under" if verdict.judgement is Judgement.UNDER else "over"
    return f"CO2 {shown(abs(verdict.delta))} t {side} target {evidence}"


def scope_name(sheet: Sheet) -> str:
    """Return whose month it is: the works where there is one, else the company."""
    sites = sheet.site_names()
    if len(sites) == 1:
        return ascii_text(sites[0]["en"])
    return f"{ascii_text(sheet.document['company']['en'])}, {len(sites)} sites"


def _heading(sheet: Sheet, restated: bool) -> Iterator[str]:
    yield from title_lines(f"{scope_name(sheet)}, {month_name(sheet.month)}", sheet, restated)
    yield from textwrap.wrap(headline(sheet), WIDTH, subsequent_indent="  ")


def _row(name: str, amount: str) -> str:
    return apart(f" {name}", amount, _LEFT)


def _electricity(sheet: Sheet) -> Iterator[str]:
    yield " electricity [kWh]"
    sites = sheet.document["sites"]
    shown_site = None if len(sites) > 1 else next(iter(sites))
    for energy in sheet.table("electricity"):
        if energy.facts["site"] != shown_site:
            shown_site = energy.facts["site"]
            yield f" {ascii_text(sites[shown_site]['en'])}"[:_LEFT]
        name = f"{'  ' * sheet.depth(energy)}{ascii_text(energy.label['en'])}"
        if energy.facts["role"] == "boundary":
            name = f"{name} {energy.id.removeprefix('energy.')}"
        yield _row(name, shown(energy.value))
    for balance in sheet.balances():
        yield from _balance(sheet, balance)


def _balance(sheet: Sheet, balance: Figure) -> Iterator[str]:
    parent = ascii_text(sheet.energy(balance.facts["parent"]).label["en"])
    rectifier = balance.facts["balance_kind"] == "rectifier"
    yield _row(f"{parent} - {'DC' if rectifier else 'children'}", shown(balance.value))
    percent, limit = balance.exact("percent"), balance.exact("limit_percent")
    if percent is None:
        yield _row("not checked: a meter is missing", "-")
        return
    if rectifier:
        text = f"{shown(percent, 2)} % rectifier loss"
    else:
        text = f"{shown(percent, 2)} %, limit {shown(limit, 2)} %"
    yield _row(text, {True: "ok", False: "FAULT", None: ""}[balance.facts["ok"]])


def _emissions(sheet: Sheet) -> Iterator[str]:
    yield _right("electricity and fuel", "CO2 [t]")
    for scope in sheet.table("scopes"):
        emissions = sheet.largest_first(scope)
        name = scope.id.removeprefix("co2.").replace("scope", "scope ")
        if scope.id == "co2.scope2":
            factors = {sheet.figure(each.facts["factor"]).printed or "-" for each in emissions}
            yield _right(f"{name}  electricity {' '.join(sorted(factors))}", shown(scope.value))
            lines = emissions if len(emissions) > 1 else ()
        else:
            yield _right(f"{name}  fuel", shown(scope.value))
            lines = emissions
        for emission in lines:
            yield _right(_source(sheet, sheet.figure(emission.facts["amount"])), shown(emission.value))
    yield _right("", "-------")
    yield _right("total", shown(sheet.total.value))


def _right(name: str, amount: str) -> str:
    return apart(name, amount, WIDTH - _RIGHT_AT)


def _source(sheet: Sheet, amount: Figure) -> str:
    if amount.kind == "energy":
        site = ascii_text(sheet.document["sites"][amount.facts["site"]]["en"])
        return f"  {site} {amount.facts['meter']['id']}"
    name = f"  {ascii_text(amount.label['en'])}"
    return f"{name[:21]:<21}{shown(amount.value, 1):>8} {amount.unit}"


def _pairs(texts: Iterable[str]) -> Iterator[str]:
    rows = list(texts)
    for first, second in zip_longest(rows[::2], rows[1::2], fillvalue=""):
        yield f" {first:<{_RIGHT_AT - 1}}{second}"


def _intensities(sheet: Sheet) -> Iterator[str]:
    texts = [
        f"{ascii_text(sheet.figure(each.facts['production']).label['en'])} {shown(each.value, 3)} t/t"
        for each in sheet.table("intensities")
        if each.value is not None
    ]
    if texts:
        yield from _pairs(texts)
        yield ""


def _sureness(sheet: Sheet) -> Iterator[str]:
    if not sheet.has("completeness"):
        return
    completeness = sheet.figure("completeness")
    kwh, tonnes = completeness.facts["unproven_kwh_printed"], completeness.facts["unproven_t_printed"]
    if kwh is None:
        proof = "the unproven part has no bound"
    elif kwh == "0":
        proof = "the registers prove every kWh"
    else:
        proof = f"at most {grouped(kwh)} kWh ({'-' if tonnes is None else grouped(tonnes)} t) unproven"
    yield f" how sure    time covered {completeness.printed} %; {proof}"
    reasons = "; ".join(reason["en"] for reason in sheet.document["status"]["reasons"])
    if reasons:
        yield f" provisional {reasons}"[:WIDTH]
    hand = by_hand(sheet)
    if hand is not None:
        sums = f"{hand.electricity_t:,.3f} + {hand.fuel_t:,.3f} = {hand.total_t:,.3f} t"
        yield apart(f" by hand     {sums}", "agrees" if hand.agrees else "DIFFERS")


def _count(counts: Sequence[Count]) -> Iterator[str]:
    if not counts:
        return
    lost = sum(sum(count.lost.values()) for count in counts)
    parts = [
        f"stored {sum(count.stored for count in counts):,}",
        *_nonzero("quarantined", sum(count.quarantined for count in counts)),
        *_nonzero("waiting", sum(count.waiting for count in counts)),
        *_nonzero("owed", sum(count.owed for count in counts)),
        f"named lost {lost:,}",
    ]
    closed = all(count.adds_up for count in counts)
    taken = sum(count.taken for count in counts)
    yield apart(f" the count   taken {taken:,} = {' + '.join(parts)}", "ok" if closed else "FAULT")


def _nonzero(name: str, number: int) -> Iterator[str]:
    if number:
        yield f"{name} {number:,}"
