"""A register at the end of a closed month, as text: the bracket, and where in it the value lies.

What a boundary has accumulated depends on where its segment began, which readings that come later may move.
A frozen one says how far beyond its bracket's first reading it lies, so it means the same ever after.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from core.errors import DataError
from core.metering.boundaries import Boundary, Method, RegisterReading
from core.metering.readings import Count, Quality


def frozen_text(mark: Boundary) -> str | None:
    """Return the one text of a boundary that is known; None of a missing one.

    Examples
    --------
    >>> around = RegisterReading(0, 100), RegisterReading(4000, 108)
    >>> print(frozen_text(Boundary(1000, Method.INTERPOLATED, *around, 202, 102, 200, 208, 0)))
    {"after":[4000,"108"],"before":[0,"100"],"count":102,"method":"interpolated","offset":2,"width":8}
    """
    if mark.method is Method.MISSING or mark.accumulated is None:
        return None
    lower = mark.accumulated if mark.lower is None else mark.lower
    upper = mark.accumulated if mark.upper is None else mark.upper
    facts: dict[str, Any] = {
        "method": mark.method.value,
        "before": _side(mark.before),
        "after": _side(mark.after),
        "offset": mark.accumulated - lower,
        "width": upper - lower,
        "count": mark.count,
    }
    if mark.wh_beyond:
        facts["wh_beyond"] = mark.wh_beyond
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def frozen_boundary(time_ms: int, text: str) -> Boundary:
    """Return the boundary of a text; what it accumulates is counted from its bracket's first reading.

    Parameters
    ----------
    time_ms
        Its instant [ms since 1970 UTC].
    text
        As `frozen_text` wrote it.

    Raises
    ------
    DataError
        If it is no such text.
    """
    try:
        facts = json.loads(text)
        return Boundary(
            time_ms=time_ms,
            method=Method(facts["method"]),
            before=_reading(facts["before"]),
            after=_reading(facts["after"]),
            accumulated=facts["offset"],
            count=facts["count"],
            lower=0,
            upper=facts["width"],
            segment=0,
            wh_beyond=facts.get("wh_beyond", 0),
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise DataError("not a frozen register", evidence=text[:80]) from error


def _side(side: RegisterReading | None) -> list[int | str] | None:
    if side is None:
        return None
    text = str(side.count) if isinstance(side.count, int) else f"{side.count:f}"
    return [side.time_ms, text, *([int(side.quality)] if side.quality else [])]


def _reading(side: list[Any] | None) -> RegisterReading | None:
    if side is None:
        return None
    time_ms, text, *quality = side
    count: Count = Decimal(text) if "." in text else int(text)
    return RegisterReading(time_ms, count, Quality(*quality) if quality else Quality.GOOD)
