"""One line a record, with the facts of an error, for people or for machines."""

from __future__ import annotations

import io
import json
import logging

import pytest

from core.errors import Unreachable
from core.runtime.logs import LogFormat, facts, start_logging

ERROR = Unreachable("No reply", where="192.0.2.7:502 unit 3", evidence="nothing within 3 s", next="ping it")


def logged(form: LogFormat) -> str:
    stream = io.StringIO()
    start_logging(form, stream=stream)
    logging.getLogger("agent").warning("%s is silent", "AOB-RCV-01", extra=facts(ERROR))
    logging.getLogger("agent").debug("not shown")
    logging.getLogger("pymodbus.logging").error("told in our own words")
    return stream.getvalue()


def test_people_read_what_where_evidence_and_next_on_one_line() -> None:
    (line,) = logged("human").splitlines()
    assert line.endswith(
        " WARN  AOB-RCV-01 is silent | where 192.0.2.7:502 unit 3 | seen nothing within 3 s | next ping it"
    )


def test_machines_read_the_same_facts() -> None:
    (line,) = logged("json").splitlines()
    record = json.loads(line)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "level": "warning",
        "logger": "agent",
        "message": "AOB-RCV-01 is silent",
        "where": "192.0.2.7:502 unit 3",
        "seen": "nothing within 3 s",
        "next": "ping it",
    }


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_traceback_is_kept(form: LogFormat) -> None:
    stream = io.StringIO()
    start_logging(form, stream=stream)
    try:
        raise KeyError("lost")
    except KeyError:
        logging.getLogger("agent").exception("stopped")
    assert "KeyError: 'lost'" in stream.getvalue()
