"""Instants as people write them: a local date, or a local date and time."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from config.strict import Wrong

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?([+-]\d{2}:\d{2})?)?", re.ASCII)


def _local_time(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise Wrong(f"is no date or time: {error}") from None
        return value
    raise Wrong(
        "must be a local date, or a date with the time",
        next="write it as 2024-02-01 or 2024-02-01T08:30",
    )


LocalTime = Annotated[str, PlainValidator(_local_time), PlainSerializer(str)]
"""A local date, which is its midnight, or a local date and time, as it is written."""
