"""OPC UA devices against a real server: status codes, node by node, and servers that come back changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.server import Server

from agent.opcua.device import NodePoint, OpcUaDevice, judged
from agent.opcua.session import Address, OpcUaSession
from agent.readings import Scan
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD
from core.errors import Unreachable
from core.metering.readings import Quality

URI, OTHER_URI = "urn:test:rectifier", "urn:test:other"
ENERGY, NEAR = Address("s=Energy", URI), Address("s=Near", URI)


@asynccontextmanager
async def server(port: int, *namespaces: str, energy: int = 61_204_417) -> AsyncIterator[Server]:
    """A server with these namespaces in this order; each holds s=Energy, only the rectifier's is right."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    running = Server()
    await running.init()
    running.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    running.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in namespaces:
        index = await running.register_namespace(uri)
        value = energy if uri == URI else 0
        held = ua.Variant(value, ua.VariantType.UInt64)
        await running.nodes.objects.add_variable(f"ns={index};s=Energy", f"{index}:Energy", held)
    async with running:
        yield running


def device(port: int, *addresses: Address) -> OpcUaDevice:
    session = OpcUaSession(f"opc.tcp://127.0.0.1:{port}", timeout_s=2, now_ms=lambda: 1_000)
    points = [NodePoint(f"D.{number}", address) for number, address in enumerate(addresses)]
    return OpcUaDevice(session, lanes={Lane.REGISTERS: points, Lane.SAMPLES: ()})


async def read(source: OpcUaDevice) -> list[tuple[object, int]]:
    scans: list[Scan] = []
    await source.read(Lane.REGISTERS, scans)
    readings = [reading for scan in scans for reading in scan.readings()]
    assert {reading.time_ms for reading in readings} == {1_000}
    return [(reading.count, reading.quality) for reading in readings]


async def test_values_come_with_their_status_one_unknown_node_spoils_nothing_and_limits_are_kept(
    free_port: Callable[[], int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    async with server(port, OTHER_URI, URI) as running:
        source = device(port, ENERGY, NEAR, Address("s=Energy", "urn:test:none"), Address("ns=3;s=Energy"))
        with caplog.at_level(logging.INFO, logger="agent"):
            for _ in range(2):
                assert await read(source) == [
                    (61_204_417, GOOD),
                    (None, BAD),
                    (None, BAD),
                    (61_204_417, GOOD),
                ]
        near, none = caplog.records  # each said once
        assert near.__dict__["seen"] == "BadNodeIdUnknown"
        assert none.__dict__["seen"] == "namespace unknown to the server"

        caplog.clear()
        index = await running.get_namespace_index(URI)
        near_node = f"ns={index};s=Near"
        await running.nodes.objects.add_variable(near_node, f"{index}:Near", 1.5, ua.VariantType.Float)
        with caplog.at_level(logging.INFO, logger="agent"):
            assert (await read(source))[1] == (Decimal("1.5"), GOOD)
        assert caplog.messages == ["D.1 has a value again"]

        node = running.get_node(near_node)
        await node.write_value(value(2.5, ua.VariantType.Float, 0x40900000))
        assert (await read(source))[1] == (Decimal("2.5"), Quality.UNCERTAIN)
        await source.close()

        limit = running.get_node("i=11705")  # MaxNodesPerRead
        await limit.write_value(ua.Variant(2, ua.VariantType.UInt32))
        sizes = count_nodes_per_read(running, monkeypatch)
        source = device(port, *[ENERGY] * 5)
        assert await read(source) == [(61_204_417, GOOD)] * 5
        assert sizes[-3:] == [2, 2, 1]
        await source.close()


def count_nodes_per_read(running: Server, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the server adds how many nodes each request asks for."""
    sizes: list[int] = []
    session: Any = type(running.iserver.isession)
    honest = session.read

    async def counted(self: Any, params: ua.ReadParameters) -> Any:
        sizes.append(len(params.NodesToRead))
        return await honest(self, params)

    monkeypatch.setattr(session, "read", counted)
    return sizes


async def test_a_restarted_server_with_other_namespace_numbers_books_nothing_wrongly(
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    source = device(port, ENERGY)
    async with server(port, URI, OTHER_URI):
        assert await read(source) == [(61_204_417, GOOD)]
    with pytest.raises(Unreachable) as caught:
        await read(source)
    assert caught.value.next == f"nc -vz 127.0.0.1 {port}"
    async with server(port, OTHER_URI, URI, energy=61_204_500):
        assert await read(source) == [(61_204_500, GOOD)]
        await source.close()


@pytest.mark.parametrize(
    "talk", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"ACKF\xff\xff\xff\xff", b"\x00" * 64, b""]
)
async def test_what_is_no_opcua_server_is_unreachable_and_nothing_else(talk: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(talk)
        await writer.drain()
        writer.close()

    peer = await asyncio.start_server(serve, "127.0.0.1", 0)
    session = OpcUaSession(
        f"opc.tcp://127.0.0.1:{peer.sockets[0].getsockname()[1]}", timeout_s=0.2, now_ms=lambda: 0
    )
    async with peer:
        with pytest.raises(Unreachable) as caught:
            await session.read([ENERGY])
    assert caught.value.next
    await session.close()


async def test_a_server_that_accepts_and_says_nothing_meets_the_deadline() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    peer = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"opc.tcp://127.0.0.1:{peer.sockets[0].getsockname()[1]}"
    session = OpcUaSession(url, timeout_s=0.1, now_ms=lambda: 0)
    async with peer, asyncio.timeout(2):
        with pytest.raises(Unreachable, match="No answer"):
            await session.read([ENERGY])
        await session.close()


def value(held: Any, kind: ua.VariantType, status: int = 0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(held, kind), ua.StatusCode(ua.UInt32(status)))


@pytest.mark.parametrize(
    ("sent", "count", "quality"),
    [
        (value(2**64 - 1, ua.VariantType.UInt64), 2**64 - 1, GOOD),
        (value(-5, ua.VariantType.Int16), -5, GOOD),
        (value(0.10000000149011612, ua.VariantType.Float), Decimal("0.1"), GOOD),
        (value(0.1, ua.VariantType.Double), Decimal("0.1"), GOOD),
        (value(5.0, ua.VariantType.Double), 5, GOOD),
        (value(float("nan"), ua.VariantType.Double), None, BAD),
        (value(float("inf"), ua.VariantType.Float), None, BAD),
        (value(True, ua.VariantType.Boolean), None, BAD),
        (value("12", ua.VariantType.String), None, BAD),
        (value([1, 2], ua.VariantType.Int32), None, BAD),
        (value(None, ua.VariantType.Null), None, BAD),
        (value(7, ua.VariantType.Int32, 0x80340000), None, BAD),  # BadNodeIdUnknown
        (value(7, ua.VariantType.Int32, 0x40900000), 7, Quality.UNCERTAIN),
        (None, None, BAD),
        (ua.DataValue(None, None), None, BAD),
    ],
)
def test_what_a_node_may_say(sent: ua.DataValue | None, count: object, quality: int) -> None:
    got, got_quality, fault = judged(sent)
    assert (got, got_quality) == (count, quality)
    assert type(got) is type(count)
    assert bool(fault) == (quality != GOOD)
