"""What the commands of ``seiren correct`` are told: options they share, and what these mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from collector.drafts import Body
from collector.folders import DEFAULT_FOLDER
from collector.records import find_meters
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.errors import UsageError
from core.timeline import Interval, parse_local

Where = Annotated[
    list[str],
    typer.Argument(
        metavar="[FOLDER] METER",
        help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then a meter or its point.",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in your words.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="PERSON", help="Who decides; without it, the login name.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Write it; without it, only show what would change.")]
Document = Annotated[str | None, typer.Option("--document", metavar="TEXT", help="What proves it.")]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="The document; its hash is kept.")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="Local time, 2024-02-01T08:30.")]
AtMaybe = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Of one reading; to the minute, if it is the only.")
]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Local date or time.")]
FromMaybe = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Local date or time.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="First instant after it.")]
ToMaybe = Annotated[str | None, typer.Option("--to", metavar="TIME", help="First instant after it.")]
Facts = Annotated[
    list[str] | None, typer.Option("--set", metavar="FACT=TEXT", help="Such as ct=600/5; repeatable.")
]


def folder_of(where: Sequence[str]) -> Path:
    """Return the folder of ``[FOLDER] NAME``.

    Raises
    ------
    UsageError
        There is more than that.
    """
    if len(where) > 2:
        raise UsageError("one folder and one name are wanted", evidence=" ".join(where))
    return Path(where[0]) if len(where) == 2 else DEFAULT_FOLDER


def meter_of(hq: HqConfig, where: Sequence[str]) -> tuple[SiteRecord, MeterRecord]:
    """Return the meter that ``[FOLDER] METER`` names.

    Raises
    ------
    UsageError
        Nothing has this name, or it is a site's.
    """
    found = find_meters(hq, where[-1])
    if len(found) != 1 or where[-1] == found[0][0].id:
        raise UsageError(
            "a correction is one meter's",
            evidence=where[-1],
            next=f"name one of {', '.join(meter.id for _, meter in found)}",
        )
    return found[0]


def interval_of(start: str, end: str, site: SiteRecord) -> Interval:
    """Return what lies between two local times.

    Raises
    ------
    UsageError
        A text is no time, or nothing lies between them.
    """
    interval = Interval(parse_local(start, site.time_zone), parse_local(end, site.time_zone))
    if not interval.duration_ms:
        raise UsageError("the interval is empty", evidence=f"{start} to {end}")
    return interval


def needs_document(proof: Body) -> None:
    """Refuse what nothing proves.

    Raises
    ------
    UsageError
        No document is named.
    """
    if not proof.get("document"):
        raise UsageError("no document proves it", next="name it with --document, or give its --file")
