"""The configuration and the access rules of a Mosquitto, as texts (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

from core.delivery.access import Access
from core.delivery.messages import MAX_MESSAGE_BYTES

Identity = Literal["certificate", "password"]
"""By what a client shows who it is."""

CONF: Final = "mosquitto.conf"
ACL: Final = "acl"
CA: Final = "ca.pem"
CERTIFICATE: Final = "broker.crt"
KEY: Final = "broker.key"
PASSWORDS: Final = "passwords"

_ENVELOPE_BYTES: Final = 100_000


def acl_text(rules: Sequence[Access], made_by: str) -> str:
    """Return Mosquitto's access rules: whoever is not named may do nothing, and everybody no more than this.

    Parameters
    ----------
    rules
        Who may do what.
    made_by
        The command that writes this file again.
    """
    return "\n".join(_acl(rules, made_by)) + "\n"


def _acl(rules: Sequence[Access], made_by: str) -> Iterator[str]:
    yield f"# Made by: {made_by}"
    yield "# Who may publish and read what. What is not allowed here is denied, and the sender is not told."
    for rule in rules:
        yield ""
        yield f"user {rule.user}"
        for topic in dict.fromkeys((*rule.publishes, *rule.reads)):
            both = topic in rule.publishes and topic in rule.reads
            yield f"topic {'readwrite' if both else 'write' if topic in rule.publishes else 'read'} {topic}"


def mosquitto_conf(folder: PurePosixPath, *, identity: Identity, port: int = 8883) -> str:
    """Return Mosquitto's configuration: TLS only, nobody without a name, and bounds on what is kept.

    Parameters
    ----------
    folder
        Where certificates and rules stand on the broker's machine.
    identity
        By what clients show who they are.
    port
        TCP port [1].
    """
    return "\n".join(_conf(folder, identity, port)) + "\n"


def _conf(folder: PurePosixPath, identity: Identity, port: int) -> Iterator[str]:
    yield "# A broker for Seiren: everybody has a name, and the rules in the file acl say who may do what."
    yield "# Nothing is kept on its disk: agents and collectors send again what it forgets."
    yield f"listener {port}"
    yield f"cafile {folder / CA}"
    yield f"certfile {folder / CERTIFICATE}"
    yield f"keyfile {folder / KEY}"
    yield "tls_version tlsv1.2"
    yield "allow_anonymous false"
    yield f"acl_file {folder / ACL}"
    if identity == "certificate":
        yield "# The name is the common name of the client's certificate."
        yield "require_certificate true"
        yield "use_identity_as_username true"
    else:
        yield f"# Made with: mosquitto_passwd {folder / PASSWORDS} NAME"
        yield f"password_file {folder / PASSWORDS}"
    yield ""
    yield "set_tcp_nodelay true"
    yield "persistence false"
    yield f"max_packet_size {MAX_MESSAGE_BYTES + _ENVELOPE_BYTES}"
    yield "max_inflight_messages 256"
    yield "max_queued_messages 0"
    yield "max_queued_bytes 268435456"
    yield "connection_messages true"
