"""Does the broker welcome us? Asked once, before the agent runs."""

from __future__ import annotations

import secrets

from core.errors import Unreachable
from core.runtime.mqtt_connection import Connection
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsTrouble

_KEEPALIVE_S = 10


async def reach_broker(host: str, port: int, security: MqttSecurity | None = None) -> None:
    """Return when an MQTT broker has welcomed us; it has taken leave of us then too.

    Raises
    ------
    Unreachable
        If nothing answers there in time, not as a broker, or it refuses us.
    """
    connection = Connection((host, port), None, security=security)
    try:
        await connection.open(f"seiren-check-{secrets.token_hex(4)}", _KEEPALIVE_S, None)
        await connection.leave()
    except TlsTrouble:
        raise
    except Unreachable as error:
        raise Unreachable(
            "The broker does not welcome us",
            where=error.where,
            evidence=f"{error.what}: {error.evidence or 'the connection was closed'}",
            cause=error.cause,
            next=f"nc -vz {host} {port}, then the broker's own log",
        ) from None
    finally:
        connection.shut()
