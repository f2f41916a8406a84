"""What readers of files hand on: one number each, with the line it stands in."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from core.errors import DataError
from core.metering.readings import Count
from core.metering.sources import Origin


class Grade(NamedTuple):
    """Where a value comes from, and by what rule; empty where it was measured."""

    origin: Origin
    method: str = ""


MEASURED = Grade(Origin.MEASURED)


class Index(NamedTuple):
    """What a register held at an instant [ms since 1970 UTC], as a count."""

    line: int
    point: str
    time_ms: int
    held: Count


class Energy(NamedTuple):
    """An exact energy [Wh] of an interval [ms since 1970 UTC] of a channel: a point, once it is known."""

    line: int
    channel: str
    start_ms: int
    end_ms: int
    wh: Decimal
    grade: Grade = MEASURED


def placed(error: DataError, where: str) -> DataError:
    """Return an error with the place it was seen at."""
    return DataError(error.what, where=where, evidence=error.evidence, cause=error.cause, next=error.next)
