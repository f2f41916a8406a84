"""``seiren correct``: put right what the ledger says, with person, reason and evidence; nothing is edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector import correcting, drafts
from collector.correct_options import (
    At,
    AtMaybe,
    By,
    Document,
    Facts,
    File,
    From,
    FromMaybe,
    Reason,
    To,
    ToMaybe,
    Where,
    Yes,
    folder_of,
    interval_of,
    meter_of,
    needs_document,
)
from collector.correct_report import list_report, preview_report
from collector.corrections import KIND
from collector.drafts import Body
from collector.folders import DEFAULT_FOLDER, FormOption, opened
from collector.ledger import Ledger, decisions
from collector.people import who as deciding
from collector.substitution import Rule, substitute
from collector.table import Form
from collector.view import View
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.errors import UsageError
from core.runtime.clock import WallClock
from core.timeline import parse_local

app = typer.Typer(no_args_is_help=True, help="Put right what the ledger says; what was read stays.")


@app.command()
def exclude(
    where: Where,
    reason: Reason,
    at: AtMaybe = None,
    start: FromMaybe = None,
    end: ToMaybe = None,
    document: Document = None,
    file: File = None,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Leave out one reading, or all readings of an interval, also those that arrive later."""
    if (at is None) == (start is None) or (start is None) != (end is None):
        raise UsageError("one reading or an interval is left out", next="give --at, or both --from and --to")
    with opened(folder_of(where)) as (ledger, hq):
        site, meter = meter_of(hq, where)

        def draw(view: View) -> Body:
            time_ms = interval = None
            if at is not None:
                time_ms = drafts.one_reading(view.connection, meter, at, site.time_zone)
            else:
                interval = interval_of(start or "", end or "", site)
            return drafts.excluded(time_ms, interval, meter) | drafts.evidence(document, file)

        _correct(ledger, hq, site, meter, draw, reason=reason, by=by, yes=yes, form=form)


@app.command()
def enter(
    where: Where,
    reason: Reason,
    at: At,
    index: Annotated[
        str, typer.Option("--index", metavar="INDEX", help='A count, or the display: "8412337.1 kWh".')
    ],
    reader: Annotated[
        str | None, typer.Option("--reader", metavar="NAME", help="Who read it; without it, who decides.")
    ] = None,
    document: Document = None,
    file: File = None,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Enter an index that a person read off the meter; it stands for whatever was read at that instant."""
    proof = drafts.evidence(document, file)
    needs_document(proof)
    with opened(folder_of(where)) as (ledger, hq):
        site, meter = meter_of(hq, where)

        def draw(view: View) -> Body:
            time_ms = parse_local(at, site.time_zone)
            stood = drafts.standing(view, site, meter, time_ms)
            body: Body = {
                "what": "enter",
                "point": meter.point,
                "time_ms": time_ms,
                "count": str(drafts.index(index, stood)),
                "reader": reader or deciding(by).person,
            }
            return body | proof

        _correct(ledger, hq, site, meter, draw, reason=reason, by=by, yes=yes, form=form)


@app.command()
def installation(
    where: Where,
    reason: Reason,
    start: From,
    facts: Facts = None,
    end: ToMaybe = None,
    document: Document = None,
    file: File = None,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Change facts of what was installed, from a time on: a ratio, a serial number, what a count is worth."""
    if not facts:
        raise UsageError("nothing is changed", next="say what with --set, such as --set ct=600/5")
    with opened(folder_of(where)) as (ledger, hq):
        site, meter = meter_of(hq, where)
        body: Body = {
            "what": "installation",
            "meter": meter.id,
            "from_ms": parse_local(start, site.time_zone),
            "to_ms": None if end is None else interval_of(start, end, site).end_ms,
            "set": drafts.facts(facts, meter),
        }
        body |= drafts.evidence(document, file)
        _correct(ledger, hq, site, meter, lambda _: body, reason=reason, by=by, yes=yes, form=form)


@app.command()
def exchange(
    where: Where,
    reason: Reason,
    at: At,
    serial: Annotated[str, typer.Option("--serial", metavar="TEXT", help="Of the new meter.")],
    closing: Annotated[
        str | None, typer.Option("--closing", metavar="INDEX", help="Last index of the old meter.")
    ] = None,
    opening: Annotated[
        str | None, typer.Option("--opening", metavar="INDEX", help="First index of the new meter.")
    ] = None,
    facts: Facts = None,
    document: Document = None,
    file: File = None,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Put an exchange of meters on record as its slip says, however late it comes."""
    proof = drafts.evidence(document, file)
    needs_document(proof)
    with opened(folder_of(where)) as (ledger, hq):
        site, meter = meter_of(hq, where)

        def draw(view: View) -> Body:
            at_ms = parse_local(at, site.time_zone)
            body: Body = {
                "what": "exchange",
                "meter": meter.id,
                "at_ms": at_ms,
                "serial": serial,
                "set": drafts.facts(facts or (), meter),
                "closing": None,
                "opening": None,
            }
            body |= proof
            old, new = drafts.exchanged(view, site, meter, body)
            return body | {
                "closing": None if closing is None else str(drafts.index(closing, old)),
                "opening": None if opening is None else str(drafts.index(opening, new)),
            }

        _correct(ledger, hq, site, meter, draw, reason=reason, by=by, yes=yes, form=form)


@app.command("substitute")
def substituteinterval_of(
    where: Where,
    reason: Reason,
    start: From,
    end: To,
    kwh: Annotated[
        str | None, typer.Option("--kwh", metavar="N", help="The energy, with --method and a document.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="TEXT", help="How that energy was found.")
    ] = None,
    rule: Annotated[Rule | None, typer.Option("--rule", help="Let a named rule find it.")] = None,
    document: Document = None,
    file: File = None,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Give an interval an energy where registers give none; a register that comes later replaces it."""
    proof = drafts.evidence(document, file)
    if (kwh is None) == (rule is None) or (kwh is None) != (method is None):
        raise UsageError("an energy or a rule is wanted", next="give --rule, or both --kwh and --method")
    if kwh is not None:
        needs_document(proof)
    with opened(folder_of(where)) as (ledger, hq):
        site, meter = meter_of(hq, where)
        interval = interval_of(start, end, site)

        def draw(view: View) -> Body:
            given = drafts.wh(kwh) if kwh is not None else None
            body: Body = {
                "what": "substitute",
                "point": meter.point,
                "start_ms": interval.start_ms,
                "end_ms": interval.end_ms,
                "wh": substitute(view, site, meter, interval, rule) if rule else given,
                "method": rule.value if rule else method,
                "document": "",
            }
            return body | proof

        _correct(ledger, hq, site, meter, draw, reason=reason, by=by, yes=yes, form=form)


@app.command()
def undo(
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="[FOLDER] NUMBER",
            help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then the correction's number.",
            show_default=False,
        ),
    ],
    reason: Reason,
    by: By = None,
    yes: Yes = False,
    form: FormOption = Form.TABLE,
) -> None:
    """Take a correction back by another one; an undo can be undone."""
    if not where[-1].isdecimal():
        raise UsageError(
            "the number of a correction is wanted",
            evidence=where[-1],
            next="seiren correct list FOLDER shows them",
        )
    number = int(where[-1])
    with opened(folder_of(where)) as (ledger, hq):
        with ledger.reading() as connection:
            site, meter = correcting.undone_subject(connection, hq, number)
        body: Body = {"what": "undo", "number": number}
        _correct(ledger, hq, site, meter, lambda _: body, reason=reason, by=by, yes=yes, form=form)


@app.command("list")
def list_corrections(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The ledger's folder.")] = DEFAULT_FOLDER,
    form: FormOption = Form.TABLE,
) -> None:
    """Show every correction with person, time, reason and evidence; those undone as such."""
    with opened(folder) as (ledger, hq), ledger.reading() as connection:
        typer.echo(list_report(hq, decisions.read(connection, {KIND}), form))


def _correct(
    ledger: Ledger,
    hq: HqConfig,
    site: SiteRecord,
    meter: MeterRecord,
    draw: correcting.Draw,
    *,
    reason: str,
    by: str | None,
    yes: bool,
    form: Form,
) -> None:
    who = deciding(by)
    if not reason.strip():
        raise UsageError("a correction needs its reason", where="--reason")
    if yes:
        now_ms = WallClock().now_ms()
        seen = correcting.write(ledger, hq, site, meter, draw, who=who, reason=reason.strip(), time_ms=now_ms)
    else:
        seen = correcting.preview(ledger, hq, site, meter, draw)
    typer.echo(preview_report(seen, who, reason.strip(), form))
