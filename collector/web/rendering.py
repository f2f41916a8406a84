"""Templates in one language: their environment, filters and common words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from urllib.parse import quote

import jinja2

from collector.report.numbers import written_out
from collector.report.sheet import Figure
from collector.web import wording, words
from collector.web.figure_view import Edge, edges, step_wh
from collector.web.language import CODES, Language
from core.carbon.rounding import Rounding

_ENDONYMS = {"ja": "日本語", "en": "English"}
_BRANDS = {"ja": "製錬", "en": "Seiren"}


def environment(language: Language) -> jinja2.Environment:
    """Return the templates with one language's sentences, numbers and dates."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("collector.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    other = next(code for code in CODES if code != language.code)
    env.globals |= {
        "_": language.gettext,
        "ngettext": language.ngettext,
        "pgettext": language.pgettext,
        "language": language,
        "other": other,
        "other_name": _ENDONYMS[other],
        "brand_other": _BRANDS[other],
        "status_name": words.status_name,
        "activity_name": words.activity_name,
        "origin_name": words.origin_name,
        "method_name": words.method_name,
        "lane_name": words.lane_name,
        "lacking": wording.missing_text,
        "meter_name": wording.meter_name,
    }
    env.filters |= _filters(language)
    return env


def figure_url(code: str, month: str, figure_id: str) -> str:
    """Return a figure's address."""
    return f"/{code}/figure/{month}/{quote(figure_id, safe='')}"


def month_url(code: str, month: str) -> str:
    """Return a month's address."""
    return f"/{code}/month/{month}"


def _filters(language: Language) -> dict[str, Any]:
    def printed(figure: Figure) -> str:
        return language.plain(figure.printed or "")

    def unit(figure: Figure) -> str:
        return figure.unit

    def exact(figure: Figure) -> str:
        return f"{language.sign(written_out(figure.value or Fraction(0)))} {unit(figure)}".rstrip()

    def signed(value: Fraction, digits: int = 0) -> str:
        return language.number(value, digits, signed=True)

    def spoken(value: Fraction, digits: int = 0) -> str:
        size = language.number(abs(value), digits)
        if value < 0:
            return language.gettext("%(size)s under", size=size)
        return language.gettext("%(size)s over", size=size)

    def bound(value: Fraction, digits: int = 0) -> str:
        return language.number(value, digits, Rounding.UP)

    def share(value: Fraction | int, digits: int = 0) -> str:
        return language.number(Fraction(value), digits, Rounding.DOWN)

    def count(value: int | str) -> str:
        return language.plain(str(value))

    def meter(figure_id: str) -> str:
        return figure_id.removeprefix("energy.")

    def kwh(wh: str) -> str:
        return language.sign(written_out(Fraction(wh) / 1000))

    def counts_kwh(counts: str, energy: Figure) -> str:
        return kwh(str(Fraction(counts) * step_wh(energy)))

    def told(edge: Edge) -> str:
        return _told(edge, language)

    named = (printed, unit, exact, signed, spoken, bound, share, count, meter, kwh, counts_kwh, told)
    return {each.__name__: each for each in named} | {
        "number": language.number,
        "digits": language.plain,
        "edges": edges,
    }


def _told(edge: Edge, language: Language) -> str:
    """Say in words what the drawing of a boundary shows."""
    t = language.gettext
    before, after = edge.facts["before"], edge.facts["after"]
    at = language.clock(edge.facts["time"])
    if before is None and after is None:
        return t("No reading around %(at)s", at=at)
    if before is None or after is None:
        one = before or after
        text = t("Only one reading near %(at)s: %(count)s at %(time)s")
        return text % {
            "at": at,
            "count": language.plain(str(one["count"])),
            "time": language.clock(one["time"]),
        }
    return t(
        "%(at)s lies between %(first)s (%(first_time)s) and %(second)s (%(second_time)s)",
        at=at,
        first=language.plain(str(before["count"])),
        first_time=language.clock(before["time"]),
        second=language.plain(str(after["count"])),
        second_time=language.clock(after["time"]),
    )
