"""Does the broker welcome us? Asked once, before the agent runs."""

from __future__ import annotations

import secrets

from core.errors import Unreachable
from core.runtime.mqtt_connection import Connection

_KEEPALIVE_S = 10


async def reach_broker(host: str, port: int) -> None:
    """Return when an MQTT broker has welcomed us; it has taken leave of us then too.

    Raises
    ------
    Unreachable
        If nothing answers there in time, not as a broker, or it refuses us.
    """
    connection = Connection(f"{host}:{port}", None)
    try:
        await connection.open((host, port), f"seiren-check-{secrets.token_hex(4)}", _KEEPALIVE_S, None)
        await connection.leave()
    except Unreachable as error:
        raise Unreachable(
            "The broker does not welcome us",
            where=error.where,
            evidence=error.evidence or f"{error.what}: the connection was closed",
            cause="it is not running, listens elsewhere, wants TLS, or its access rules keep us out",
            next=f"nc -vz {host} {port}, then the broker's own log",
        ) from None
    finally:
        connection.shut()
