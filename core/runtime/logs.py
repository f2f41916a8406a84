"""Logs of long-running commands: state changes, for people or as JSON lines.

A record may carry the same facts as an error, as ``extra={"where": …, "seen": …, "cause": …, "next": …}``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from core.errors import SeirenError, printable

LogFormat = Literal["human", "json"]
FACTS: Final = ("where", "seen", "cause", "next")

_LEVELS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_FOREIGN: Final = ("pymodbus", "asyncua")
"""Libraries whose troubles are all told in our own words; their DEBUG level costs threefold."""


def facts(error: SeirenError) -> Mapping[str, str]:
    """Return an error's facts for a record's ``extra``."""
    return {"where": error.where, "seen": error.evidence, "cause": error.cause, "next": error.next}


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        level = _LEVELS.get(record.levelname, record.levelname)
        text = f"{moment:%Y-%m-%d %H:%M:%S} {level:<5} {record.getMessage()}"
        told = (f" | {name} {value}" for name in FACTS if (value := getattr(record, name, "")))
        text = printable(text + "".join(told))
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in FACTS if (value := getattr(record, name, ""))}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_logging(form: LogFormat = "human", *, stream: TextIO | None = None) -> None:
    """Send the logs of this process to a stream, one line a record, from INFO up.

    Parameters
    ----------
    form
        ``human``, or ``json`` for machines.
    stream
        Where to; None is standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Human())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(logging.CRITICAL)
