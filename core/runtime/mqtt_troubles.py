"""Why there is no session with a broker, in words."""

from __future__ import annotations

import ssl

from core.errors import Unreachable
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsPeer


def lost(where: str, evidence: str = "") -> Unreachable:
    """Return the error that says that there is no connection (any more)."""
    return Unreachable(
        "no connection to the broker",
        where=where,
        evidence=evidence,
        cause="the broker or the network is down",
        next="nothing: it is tried again and again",
    )


def thrown_out(where: str) -> Unreachable:
    """Return the error of a broker that lets us in and ends each connection soon after."""
    return Unreachable(
        "the broker ends each connection soon after it has begun",
        where=where,
        evidence="connected again and again, and ended by the broker within seconds",
        cause="its access rules lack our name, or another client has it",
        next="the broker's log; its rules are made by seiren collector acl, with --agents and --ledgers",
    )


def no_connection(where: str, peer: TlsPeer | None, error: OSError) -> Unreachable:
    """Return why there is no connection to a broker."""
    if peer is not None:
        if isinstance(error, ConnectionResetError) or _is_end(error):
            return _closed(peer)
        if isinstance(error, ssl.SSLError):
            return peer.refused(error)
    return Unreachable(
        "the broker does not answer",
        where=where,
        evidence=str(error),
        cause="it is not running, or the network to it is down",
        next="none: it is tried again",
    )


def not_welcomed(where: str, peer: TlsPeer | None, trouble: ssl.SSLError | None) -> Unreachable:
    """Return why a connection ended before the broker's welcome; `trouble` is what TLS said."""
    if peer is None:
        return Unreachable(
            "the broker closes the connection at once",
            where=where,
            evidence="closed before its welcome",
            cause="it wants TLS on this port, or does not let this machine in",
            next="the broker's own log says why",
        )
    return _closed(peer) if trouble is None or _is_end(trouble) else peer.refused(trouble)


def refused(where: str, security: MqttSecurity | None, evidence: str) -> Unreachable:
    """Return the error of a broker that does not let us in."""
    name = None if security is None else security.username
    if name is not None:
        cause = f"it does not know {name} with this password, or lets it in elsewhere only"
    elif security is not None and security.tls is not None and security.tls.certificate is not None:
        cause = f"it does not know the name in our certificate, {security.tls.certificate}"
    else:
        cause = "it wants to know who we are, and neither username nor certificate is configured"
    return Unreachable(
        "the broker refuses us",
        where=where,
        evidence=evidence,
        cause=cause,
        next="at the broker: its password file, its access rules, its log",
    )


def _closed(peer: TlsPeer) -> Unreachable:
    """Return the error of a broker that closes instead of telling why."""
    return peer.closed(
        "the broker closes the connection at once",
        evidence="closed by the other side during the TLS handshake",
        otherwise="it speaks no TLS on this port",
    )


def _is_end(error: OSError) -> bool:
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
