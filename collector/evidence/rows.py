"""Rows of evidence as CSV: exact texts that a spreadsheet opens and does not run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

_NUMBER = re.compile(r"[+-]?[0-9.]+", re.ASCII)
_RUNS = ("=", "+", "-", "@", "\t", "\r", "'")


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV: a header, one line for each row, lines ended by a line feed.

    What is not known is empty. A text that a spreadsheet would run gets an apostrophe in front, and one that
    begins with an apostrophe gets another, so that each text can be had back.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if text.startswith(_RUNS) and not _NUMBER.fullmatch(text) else text
