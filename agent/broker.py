"""Does a broker answer as one? A check before the agent runs; the agent itself goes through its session."""

from __future__ import annotations

import asyncio
from typing import Final

from agent.sockets import reason
from core.errors import OutsideError, Unreachable

_CONNECT: Final = bytes.fromhex("100c 0004 4d515454 04 02 000a 0000")
"""CONNECT of MQTT 3.1.1: clean session, keepalive 10 s, no client id (section 3.1)."""
_DISCONNECT: Final = bytes.fromhex("e000")
_CONNACK: Final = 0x20
_REFUSALS: Final = {
    1: "wrong protocol version",
    2: "client id refused",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}


async def reach_broker(host: str, port: int, *, timeout_s: float) -> None:
    """Return when an MQTT broker has welcomed us.

    Raises
    ------
    Unreachable
        If nothing answers there in time [s], or not as a broker.
    OutsideError
        If the broker refuses us.
    """
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_CONNECT)
                answer = await reader.readexactly(4)
                writer.write(_DISCONNECT)
            finally:
                writer.close()
    except TimeoutError:
        raise Unreachable(
            "The broker does not answer",
            where=where,
            evidence=f"nothing within {timeout_s:g} s",
            cause="a firewall, a wrong address, or the network to the broker is down",
            next=f"ping {host}",
        ) from None
    except asyncio.IncompleteReadError:
        raise Unreachable(
            "What listens there is no MQTT broker",
            where=where,
            evidence="it closed the connection instead of welcoming an MQTT client",
            cause="another service has this port, or it wants TLS",
            next="check broker.host and broker.port",
        ) from None
    except OSError as error:
        raise Unreachable(
            "The broker does not answer",
            where=where,
            evidence=reason(error),
            cause="it is not running, or listens on another address or port",
            next=f"nc -vz {host} {port}",
        ) from None
    if answer[0] != _CONNACK:
        raise Unreachable(
            "What listens there is no MQTT broker",
            where=where,
            evidence=f"it answered {answer.hex()}",
            next="check broker.host and broker.port",
        )
    if answer[3] != 0:
        raise OutsideError(
            "The broker refuses us",
            where=where,
            evidence=_REFUSALS.get(answer[3], f"code {answer[3]}"),
            cause="its access rules",
            next="ask whoever runs the broker to let this agent in",
        )
