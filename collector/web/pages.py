"""The pages: each reads the ledger's present state and answers with HTML, JSON or CSV."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from collector.report.export import to_csv
from collector.report.sheet import Figure, Judgement, Sheet
from collector.web import figure_view, month_view, wording
from collector.web.count_view import count_rows
from collector.web.language import CODES, Language, preferred
from collector.web.rendering import environment, figure_url, month_url
from collector.web.statements import Statements
from core.errors import OutsideError, SeirenError

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_SIDES = {Judgement.UNDER: "good", Judgement.OVER: "bad"}


class Pages:
    """All pages over one source of statements."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._languages = {code: Language.load(code) for code in CODES}
        self._templates = {code: environment(language) for code, language in self._languages.items()}

    def front(self, request: Request) -> Response:
        """Send a browser to the newest month in its own language."""
        code = preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"/{code}/", 303, {"Vary": "Accept-Language"})

    def home(self, request: Request) -> Response:
        """Show the newest month, or what brings the first reading."""
        code = _code(request)
        months = self._statements.months()
        if months:
            return RedirectResponse(month_url(code, months[-1]), 303)
        return self._page(request, "empty.html", {})

    def month(self, request: Request) -> Response:
        """Show a month: on target or not, how sure, what it is made of."""
        sheet = self._sheet(request)
        language = self._languages[_code(request)]
        months = self._statements.months()
        place = months.index(sheet.month)
        target = month_view.target_row(sheet)
        context = self._shared(sheet, month_url(language.code, sheet.month)) | {
            "here": "month",
            "title": wording.month_title(sheet, language),
            "previous": months[place - 1] if place else None,
            "next": months[place + 1] if place + 1 < len(months) else None,
            "sites": language.gettext(", ").join(language.name(name) for name in sheet.site_names()),
            "target_title": wording.target_title(sheet, language),
            "verdict": target.verdict,
            "target_bar": target.bar,
            "side": _SIDES.get(target.verdict.judgement, ""),
            "trees": month_view.trees(sheet, language),
            "intensities": tuple(month_view.intensity_rows(sheet)),
            "intensity_title": wording.intensity_title(sheet, language),
            "preliminary_factors": tuple(
                f for f in sheet.figures() if f.kind == "factor" and sheet.preliminary(f)
            ),
            "sources": tuple(month_view.source_rows(sheet, language)),
            "sources_title": wording.sources_title(sheet, language),
        }
        context |= self._sureness(sheet, language) | self._count(language)
        return self._page(request, "month.html", context)

    def month_json(self, request: Request) -> Response:
        """Return a month's statement, byte for byte."""
        return Response(self._sheet(request).content, media_type="application/json")

    def month_csv(self, request: Request) -> Response:
        """Return all figures of a month."""
        sheet = self._sheet(request)
        return _csv(to_csv(sheet), f"seiren-{sheet.month}.csv")

    def figure(self, request: Request) -> Response:
        """Show one figure and the way down to its registers, slips, factor and source."""
        sheet, figure = self._figure(request)
        language = self._languages[_code(request)]
        steps = figure_view.steps(sheet, figure)
        others = figure_view.closed_branches(sheet, steps)
        unproven = _energies(sheet, figure)
        context = self._shared(sheet, figure_url(language.code, sheet.month, figure.id)) | {
            "here": "figure",
            "title": wording.figure_title(sheet, figure, language),
            "figure": figure,
            "trail": figure_view.trail(sheet, figure),
            "terms": tuple(figure_view.terms(sheet, figure, language)),
            "steps": steps,
            "others": others,
            "others_title": wording.others_title(others, len(steps) > 1, language),
            "daily": {each.id: self._daily(sheet, each, language) for each in steps if each.kind == "energy"},
            "unproven": unproven,
            "unproven_title": wording.unproven_title(unproven, language),
        }
        return self._page(request, "figure.html", context)

    def figure_json(self, request: Request) -> Response:
        """Return one figure with everything it rests on."""
        sheet, figure = self._figure(request)
        document = {key: sheet.document[key] for key in ("schema", "month", "synthetic", "status")}
        document |= {"figure": figure.id, "figures": {each.id: each.facts for each in _below(sheet, figure)}}
        return Response(
            json.dumps(document, ensure_ascii=False, sort_keys=True), media_type="application/json"
        )

    def figure_csv(self, request: Request) -> Response:
        """Return one figure with everything it rests on, a line each."""
        sheet, figure = self._figure(request)
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", figure.id)
        return _csv(to_csv(sheet, _below(sheet, figure)), f"seiren-{sheet.month}-{name}.csv")

    def problem(self, request: Request, error: Exception) -> Response:
        """Say what is wrong, what was seen and what to do next."""
        t = self._languages[_code(request)].gettext
        if isinstance(error, PageError):
            status, facts = error.status, error.facts
        elif isinstance(error, SeirenError):
            status = 503 if isinstance(error, OutsideError) else 500
            facts = {key: getattr(error, key) for key in ("what", "where", "evidence", "cause", "next")}
        elif isinstance(error, HTTPException):
            status = error.status_code
            facts = {"what": t("There is no such page") if status == 404 else t("Pages can only be read")}
        else:
            status = 500
            facts = {"what": t("This page could not be made"), "evidence": type(error).__name__}
            facts["next"] = t("The log of seiren web says where it stopped.")
        if request.url.path.endswith((".json", ".csv")):
            lines = (f"{key}: {text}\n" for key, text in facts.items() if text)
            return PlainTextResponse("".join(lines), status)
        blank = dict.fromkeys(("where", "evidence", "cause", "next"), "")
        months = self._statements.months() if status == 404 else ()
        links = [
            (month_url(_code(request), month), self._languages[_code(request)].month(month))
            for month in months
        ]
        return self._page(request, "problem.html", blank | facts | {"links": links[::-1]}, status)

    def _sheet(self, request: Request) -> Sheet:
        month = request.path_params["month"]
        t = self._languages[_code(request)].gettext
        if not _MONTH.fullmatch(month):
            raise PageError(
                404, what=t("%(month)s is no month", month=month), next=t("A month is written like 2024-02.")
            )
        if month not in self._statements.months():
            raise PageError(
                404,
                what=t("%(month)s: no reading yet", month=self._languages[_code(request)].month(month)),
                evidence=t(
                    "the ledger %(folder)s has no reading of this month", folder=self._statements.folder
                ),
                next=f"seiren collector run {self._statements.folder}",
            )
        return self._statements.sheet(month)

    def _figure(self, request: Request) -> tuple[Sheet, Figure]:
        sheet, figure_id = self._sheet(request), request.path_params["figure"]
        if sheet.has(figure_id):
            return sheet, sheet.figure(figure_id)
        t = self._languages[_code(request)].gettext
        near = ", ".join(sheet.near(figure_id))
        raise PageError(
            404,
            what=t(
                "The statement of %(month)s has no figure %(figure)s", month=sheet.month, figure=figure_id
            ),
            evidence=t("nearest: %(figures)s", figures=near) if near else "",
            next=t("The month's CSV lists all figures."),
        )

    def _daily(self, sheet: Sheet, energy: Figure, language: Language) -> figure_view.Daily:
        values = self._statements.days(sheet.month, energy.facts["meter"]["id"])
        return figure_view.daily(energy, values, language)

    def _sureness(self, sheet: Sheet, language: Language) -> dict[str, Any]:
        if not sheet.has("completeness"):
            return {"completeness": None}
        completeness = sheet.figure("completeness")
        return {
            "completeness": completeness,
            "sureness_title": wording.sureness_title(completeness, language),
        }

    def _count(self, language: Language) -> dict[str, Any]:
        counts = self._statements.counts()
        return {
            "counts": tuple(count_rows(counts, language)),
            "count_title": wording.count_title(counts, language),
        }

    def _shared(self, sheet: Sheet, twin: str) -> dict[str, Any]:
        return {
            "sheet": sheet,
            "synthetic": sheet.document["synthetic"],
            "digest": hashlib.sha256(sheet.content).hexdigest()[:16],
            "twin": twin,
            "month": sheet.month,
        }

    def _page(self, request: Request, template: str, context: dict[str, Any], status: int = 200) -> Response:
        code = _code(request)
        other = next(each for each in CODES if each != code)
        month = context.get("month", "")
        path = request.url.path
        shared = {
            "here": "",
            "synthetic": None,
            "folder": self._statements.folder,
            "other_url": f"/{other}/{path.removeprefix(f'/{code}/')}"
            if path.startswith(f"/{code}/")
            else f"/{other}/",
            "figure_url": lambda figure_id: figure_url(code, month, figure_id),
            "month_url": lambda of: month_url(code, of),
        }
        return HTMLResponse(self._templates[code].get_template(template).render(shared | context), status)


class PageError(Exception):
    """What a page cannot show, said in the page's language."""

    def __init__(self, status: int, **facts: str) -> None:
        super().__init__(facts["what"])
        self.status = status
        self.facts = facts


def _code(request: Request) -> str:
    first = request.url.path.split("/")[1]
    return first if first in CODES else preferred(request.headers.get("accept-language", ""))


def _csv(text: str, name: str) -> Response:
    # the mark lets spreadsheets take the bytes for UTF-8
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


def _below(sheet: Sheet, figure: Figure) -> Iterator[Figure]:
    """Yield a figure and all that it rests on, each once."""
    found = {figure.id: figure}
    waiting = [figure]
    while waiting:
        each = waiting.pop(0)
        yield each
        for below in sheet.inputs(each):
            if below.id not in found:
                found[below.id] = below
                waiting.append(below)


def _energies(sheet: Sheet, figure: Figure) -> tuple[Figure, ...]:
    return tuple(each for each in _below(sheet, figure) if each.kind == "energy")
