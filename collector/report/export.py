"""A statement's figures as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from collector.report.sheet import Figure, Sheet

COLUMNS = ("figure", "kind", "name_ja", "name_en", "printed", "unit", "exact", "inputs")


def to_csv(sheet: Sheet, figures: Iterable[Figure] | None = None) -> str:
    """Write figures as CSV, all of the statement unless some are given.

    Returns
    -------
    str
        A first line that names the month and its status (``#``), a header, one line per figure. Missing
        figures are empty, never 0. Text that a spreadsheet would run as a formula is escaped.
    """
    synthetic = sheet.document.get("synthetic")
    notes = ([f"SYNTHETIC DATA {synthetic}"] if synthetic else []) + [
        f"statement {sheet.month}",
        str(sheet.document["status"]["month"]),
    ]
    text = io.StringIO()
    text.write(f"# {', '.join(notes)}\r\n")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for figure in sheet.figures() if figures is None else figures:
        writer.writerow(
            (
                _inert(figure.id),
                figure.kind,
                _inert(figure.label["ja"]),
                _inert(figure.label["en"]),
                figure.printed or "",
                _inert(figure.unit),
                figure.facts["value"] or "",
                _inert(" ".join(figure.inputs)),
            )
        )
    return text.getvalue()


def _inert(text: str) -> str:
    """Keep a spreadsheet from running text as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
