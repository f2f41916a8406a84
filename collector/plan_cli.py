"""``seiren plan``: check the monitoring plan, show and compare its versions, adopt one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml

from collector import plan_report, plans
from collector.folders import DEFAULT_FOLDER, Folder, FormOption, configured, opened
from collector.people import who
from collector.table import Form, as_csv, as_json
from config.documents import DocumentError
from config.hq import HqConfig, examine_hq
from config.plan import plan_document
from config.plan_problems import plan_problems, plan_warnings
from config.plan_words import differences
from core.chain import canonical
from core.errors import AnswerIsNo, UsageError
from core.runtime.clock import WallClock

app = typer.Typer(no_args_is_help=True, help="What is measured and reported, and by which rules.")


class PlanForm(StrEnum):
    """How a plan is written."""

    YAML = "yaml"
    JSON = "json"


Where = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FOLDER] [OLD] [NEW]",
        help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then numbers of versions.",
        show_default=False,
    ),
]


@app.callback()
def plan() -> None:
    """What is measured and reported, and by which rules."""


@app.command()
def check(folder: Folder = DEFAULT_FOLDER, form: FormOption = Form.TABLE) -> None:
    """Refuse a plan that contradicts itself or counts energy twice, with file, line and key."""
    hq, notes = _checked(folder)
    if form is Form.TABLE:
        typer.echo("\n".join(plan_report.check_lines(hq, notes)))
    else:
        rows = plan_report.meter_rows(hq)
        typer.echo(as_csv(rows) if form is Form.CSV else as_json({"meters": rows, "notes": notes}))


@app.command()
def show(
    folder: Folder = DEFAULT_FOLDER,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="An adopted version; without it, the file.")
    ] = None,
    form: Annotated[PlanForm, typer.Option("--format", help="yaml or json.")] = PlanForm.YAML,
) -> None:
    """Show the plan in its canonical form: that of the file, or an adopted version."""
    if version is None:
        document = plan_document(configured(folder))
    else:
        with opened(folder) as (ledger, _), ledger.reading() as connection:
            document = dict(plans.version(connection, version).document)
    document = json.loads(canonical(document))  # the file's in the order of what is stored
    if form is PlanForm.JSON:
        typer.echo(as_json(document))
    else:
        typer.echo(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100), nl=False)


@app.command("list")
def list_versions(folder: Folder = DEFAULT_FOLDER, form: FormOption = Form.TABLE) -> None:
    """Show the adopted versions, and whether the file is the one in force."""
    with opened(folder) as (ledger, hq), ledger.reading() as connection:
        known = plans.versions(connection)
        cited = plans.cited(connection, hq)
    typer.echo(plan_report.list_report(known, cited, form))


@app.command()
def diff(where: Where = None, form: FormOption = Form.TABLE) -> None:
    """Say in words what differs, and exit 1 if anything does.

    Without numbers: the file against the version in force; with one: the file against that version; with two:
    the second against the first.
    """
    folder, numbers = _folder_and_numbers(where or [])
    with opened(folder) as (ledger, hq), ledger.reading() as connection:
        chosen = [plans.version(connection, number) for number in numbers]
        old = chosen[0] if chosen else plans.newest(connection)
        new = chosen[1].document if len(chosen) > 1 else plan_document(hq)
    title = f"{_name(old)} → {_name(chosen[1]) if len(chosen) > 1 else folder / 'hq.yaml'}"
    found = differences({} if old is None else old.document, new)
    typer.echo(plan_report.diff_report(title, found, form))
    if found:
        raise typer.Exit(AnswerIsNo.exit_code)


@app.command()
def adopt(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in your words.")],
    folder: Folder = DEFAULT_FOLDER,
    by: Annotated[
        str | None, typer.Option("--by", metavar="PERSON", help="Who decides; without it, the login name.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; without it, only show what changes.")] = False,
) -> None:
    """Put the file's plan into the chain of decisions as a new version; months cite it from then on."""
    hq, _ = _checked(folder)
    with opened(folder) as (ledger, _):
        with ledger.reading() as connection:
            before, found = plans.newest(connection), plans.changes(connection, hq)
        title = f"{_name(before)} → {folder / 'hq.yaml'}"
        if before is None or found:
            typer.echo(plan_report.diff_report(title, found, Form.TABLE))
        if not yes and (before is None or before.digest != hq.plan_digest):
            typer.echo(
                f"\nnothing was written\nnext  the same command with --yes adopts it, by {who(by).person}"
            )
            return
        done = plans.adopt(ledger, hq, who=who(by), reason=reason, time_ms=WallClock().now_ms())
    typer.echo(f"\nversion {done.version} adopted by {done.decision.person}, digest {done.digest[:32]}")
    typer.echo(f"decision {done.decision.number} {done.decision.hash[:32]}")


def _name(adopted: plans.Adopted | None) -> str:
    return "nothing adopted" if adopted is None else f"version {adopted.version}"


def _checked(folder: Path) -> tuple[HqConfig, tuple[str, ...]]:
    """Return a folder's configuration, and what is hardly meant in it.

    Raises
    ------
    ConfigError
        If anything in it is wrong.
    """
    if not (folder / "hq.yaml").is_file():
        configured(folder)  # says which of the two is missing
    examined = examine_hq(folder)
    hq = examined.accepted()
    wrong = sorted((examined.lines.error(each) for each in plan_problems(hq)), key=lambda error: error.line)
    if wrong:
        raise wrong[0] if len(wrong) == 1 else DocumentError(tuple(wrong))
    today = datetime.fromtimestamp(WallClock().now_ms() / 1000, UTC).date()
    notes = sorted((examined.lines.error(each) for each in plan_warnings(hq, today)), key=lambda e: e.line)
    return hq, tuple(f"line {each.line}: {each.what} {each.evidence}".strip() for each in notes)


def _folder_and_numbers(where: Sequence[str]) -> tuple[Path, list[int]]:
    """Take apart ``[FOLDER] [OLD] [NEW]``."""
    numbers = [int(word) for word in where if word.isascii() and word.isdigit()]
    folders = [word for word in where if not (word.isascii() and word.isdigit())]
    if len(folders) > 1 or len(numbers) > 2 or (folders and where[0] != folders[0]):
        raise UsageError("one folder and at most two versions are wanted", evidence=" ".join(where))
    return (Path(folders[0]) if folders else DEFAULT_FOLDER), numbers
