"""Writes over HTTP: what each answer of an engine comes to, row by row."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from collector.stores.base import DeliveryRow, EnergyRow, StoreRow
from collector.stores.http import LineHttp, Words
from collector.stores.lines import LineWriter
from collector.stores.samples import Samples
from collector.trouble import Trouble
from core.delivery.payload import TakenReading
from core.errors import OutsideError, Unreachable

Respond = Callable[[list[str]], tuple[int, str, str]]
"""From the lines of a request to status, body and more headers."""


def row(number: int) -> StoreRow:
    return StoreRow("M.active_power", number, None, 1.5, 0)


def _unzipped(head: bytes, body: bytes) -> bytes:
    return gzip.decompress(body) if b"Content-Encoding: gzip" in head else body


@asynccontextmanager
async def engine(respond: Respond) -> AsyncIterator[tuple[LineHttp, list[list[str]]]]:
    """An engine that answers as told, and the lines of each request that it got."""
    heard: list[list[str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                (length,) = (
                    [0]
                    if head.startswith(b"GET")
                    else (
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if b"content-length" in line
                    )
                )
                lines = _unzipped(head, await reader.readexactly(length)).decode().splitlines()
                heard.append(lines)
                status, body, more = respond(lines)
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}".encode()
                )
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = LineHttp(f"http://127.0.0.1:{port}", "/write", {}, Words("engine", "here", "look", "look there"))
    try:
        yield http, heard
    finally:
        await http.close()
        server.close()


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    "text",
    [
        '{"code":"invalid","message":"partial write: field type conflict dropped=1"}',
        '{"error":"partial write: points beyond retention policy dropped=0"}',
        "unable to parse 'x'",
    ],
)
async def test_a_refusal_of_lines_is_known_by_its_text_and_found_by_halving(status: int, text: str) -> None:
    bad = {3, 40, 41}

    def respond(lines: list[str]) -> tuple[int, str, str]:
        refused = any(int(line.rsplit(" ", 1)[1]) in bad for line in lines)
        return (status, text, "") if refused else (204, "", "")

    async with engine(respond) as (http, heard):
        outcome = await http.write([row(i) for i in range(64)])
    assert [each.row.time_ms for each in outcome.rejected] == sorted(bad)
    assert (outcome.accepted, outcome.retry, outcome.trouble) == (61, (), None)
    assert len(heard) < 32
    stored = {
        line for lines in heard for line in lines if not bad & {int(each.rsplit(" ", 1)[1]) for each in lines}
    }
    assert len(stored) == 61


async def test_what_came_after_a_failure_is_to_be_written_again_and_nothing_else() -> None:
    async with engine(
        lambda lines: (503, "busy", "") if " 7500" in lines[0] + lines[-1] else (204, "", "")
    ) as (
        http,
        _,
    ):
        rows = [row(i) for i in range(7501)]
        outcome = await http.write(rows)
    assert (outcome.accepted, len(outcome.retry), outcome.rejected) == (5000, 2501, ())
    assert list(outcome.retry) == rows[5000:]
    with pytest.raises(Unreachable, match="cannot take readings now"):
        outcome.settled()


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(("header", "rest_s"), [("7", 7.0), ("99999", 300.0), ("soon", 0.0)])
async def test_an_engine_that_asks_for_rest_gets_it(
    status: int, header: str, rest_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(lambda _: (status, "internal error", f"Retry-After: {header}\r\n")) as (http, _):
        trouble = (await http.write([row(1)])).trouble
    assert isinstance(trouble, Unreachable)
    assert trouble.retry_after_s == rest_s
    pause_s = Trouble(logging.getLogger("x"), "again").failed(trouble)
    assert pause_s == rest_s if rest_s else pause_s <= 0.5


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_other_refusals_cost_no_line(status: int) -> None:
    async with engine(lambda _: (status, "no such thing", "")) as (http, heard):
        outcome = await http.write([row(1), row(2)])
    assert len(outcome.retry) == 2
    assert isinstance(outcome.trouble, OutsideError) and not outcome.trouble.retryable
    assert len(heard) == 1


async def test_a_request_that_is_too_large_is_halved() -> None:
    async with engine(lambda lines: (413, "", "") if len(lines) > 10 else (204, "", "")) as (http, heard):
        outcome = await http.write([row(i) for i in range(64)])
    assert outcome.accepted == 64
    assert sum(len(lines) for lines in heard if len(lines) <= 10) == 64


async def test_what_leaves_the_house_is_zipped() -> None:
    nowhere = Words("engine", "there", "look", "look there")
    assert LineHttp("https://influx.example", "/write", {}, nowhere).zips
    async with engine(lambda _: (204, "", "")) as (http, heard):
        assert not http.zips
        http.zips = True
        assert (await http.write([row(1), row(2)])).accepted == 2
    assert [len(lines) for lines in heard] == [2]


@pytest.mark.parametrize("text", ["<html>hello</html>", "[]", ""])
async def test_another_program_at_the_address_is_told_apart(text: str) -> None:
    async with engine(lambda _: (200, text, "")) as (http, _):
        with pytest.raises(OutsideError, match="what answers is no engine"):
            await http.ask_json("/api/v2/buckets")


async def test_nobody_there() -> None:
    http = LineHttp("http://127.0.0.1:1", "/write", {}, Words("engine", "here", "look", "look there"))
    outcome = await http.write([row(1)])
    assert isinstance(outcome.trouble, Unreachable)
    await http.close()


def test_lines_of_each_kind() -> None:
    writer = LineWriter()
    assert writer.lines([StoreRow("a b.c,d", 5, 7, 70.0, 1), StoreRow("a b.c,d", 6, 2**63, 1.0, 0)]) == [
        r"reading,meter=a\ b,quantity=c\,d quality=1i,value=70.0,count=7i 5",
        r'reading,meter=a\ b,quantity=c\,d quality=0i,value=1.0,count_text="9223372036854775808" 6',
    ]
    assert writer.lines(
        [StoreRow("m.q", 5, None, None, 2), row(9), StoreRow("m.q", 1, 1, float("inf"), 0)]
    ) == [
        "reading,meter=m,quantity=q quality=2i 5",
        "reading,meter=M,quantity=active_power quality=0i,value=1.5 9",
        "",
    ]
    assert writer.lines([EnergyRow("m.q", 5, 12, 3, "interpolated", 'a"b', "p")]) == [
        r'energy_interval,meter=m,quantity=q origin="interpolated",site="a\"b",parent="p",'
        "wh=12i,unproven_wh=3i 5"
    ]
    assert writer.lines([DeliveryRow("a-1", "registers", 5, 6, 5, 0, 0, 1, 0, None)]) == [
        "delivery,agent=a-1,lane=registers taken=6i,stored=5i,quarantined=0i,lost=0i,waiting=1i,owed=0i 5"
    ]


def test_lines_of_samples_are_those_of_their_rows() -> None:
    readings = [
        TakenReading("m.power", 1, 2301, 0),
        TakenReading("m.power", 2, -7, 1),
        TakenReading("m.power", 3, Decimal("1.5"), 0),
        TakenReading("m.power", 4, None, 2),
        TakenReading("m.power", 5, 9, 2),
        TakenReading("no-quantity", 6, 1, 0),
        TakenReading("m.power", 7, Decimal("1E+400"), 0),
        TakenReading("m.power", 8, 2**53 + 1, 0),
    ]
    scale = {"m.power": (1, 10), "no-quantity": (1, 1)}
    for some in (readings, readings[:5], [*readings, TakenReading("m.power", 9, 10**400, 0)]):
        samples = Samples.of([(some, scale)])
        assert isinstance(samples, Samples)
        assert LineWriter().lines(samples) == LineWriter().lines(list(samples))
        assert [samples[i] for i in range(len(samples))] == list(samples)
        assert list(samples[1:3]) == list(samples)[1:3]
    assert LineWriter().lines(Samples.of([(readings[:1], scale)])) == [
        "reading,meter=m,quantity=power quality=0i,value=230.1 1"
    ]
    changed = Samples.of([(readings[:1], scale), (readings[:1], {"m.power": (1, 1)})])
    assert [row.value for row in changed] == [230.1, 2301.0]


async def test_samples_that_cannot_be_kept_are_named_among_the_others() -> None:
    readings = [TakenReading("m.power", i, Decimal("1E+400") if i == 3 else i, 0) for i in range(10)]
    async with engine(lambda _: (204, "", "")) as (http, heard):
        outcome = await http.write(Samples.of([(readings, {"m.power": (1, 1)})]))
    assert [(each.row.time_ms, each.reason) for each in outcome.rejected] == [
        (3, "the value inf is not finite")
    ]
    assert [len(lines) for lines in heard] == [9]
