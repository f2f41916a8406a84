"""Where the MQTT broker listens, and how a client shows it who it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from config.strict import Host, Id, Loc, Model, Port, Problem, Wrong
from config.tls import FilePath, Tls
from core.delivery.topics import COLLECTORS
from core.runtime.mqtt_security import MqttSecurity

HERE: Final = ("localhost", "127.0.0.1", "::1")
_TLS_PORT: Final = 8883


def _site(value: str) -> str:
    if value == COLLECTORS:
        raise Wrong(
            f"must not be {COLLECTORS}",
            cause="this name is taken by the protocol",
            next="choose another name",
        )
    return value


SiteId = Annotated[Id, AfterValidator(_site)]
"""A site's name, which becomes part of topics and of its agents' names at the broker."""


class Broker(Model):
    """The broker, and what it must know of a client.

    Attributes
    ----------
    port
        TCP port; 8883 where there is `tls` and no port is given.
    tls
        What secures the connection; its certificate may be all that the broker needs to know.
    username
        Name at the broker, where it is not taken from the certificate.
    password_file
        File that holds the password and nothing else; without it the environment's
        ``SEIREN_BROKER_PASSWORD`` is taken.
    """

    host: Host
    port: Port = 1883
    tls: Tls | None = None
    username: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    password_file: FilePath | None = None

    @model_validator(mode="before")
    @classmethod
    def _port_of_tls(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("tls") is not None and "port" not in data:
            return {**data, "port": _TLS_PORT}
        return data

    @property
    def where(self) -> str:
        """Host and port, ``mqtt.example:8883``."""
        return f"{self.host}:{self.port}"

    @property
    def security(self) -> MqttSecurity | None:
        """How a session is secured; None: it is not."""
        if self.tls is None and self.username is None:
            return None
        return MqttSecurity(
            tls=None if self.tls is None else self.tls.files,
            username=self.username,
            password_file=self.password_file,
        )

    def problems_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield settings that contradict each other; `loc` is where they stand."""
        if self.tls is not None:
            yield from self.tls.problems_at((*loc, "tls"))
        if self.password_file is not None and self.username is None:
            yield Problem(
                (*loc, "password_file"),
                "A password belongs to a name.",
                evidence="username is missing",
                next="add username, or remove password_file",
            )

    def warnings_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield what works, and lets others in; `loc` is where it stands."""
        if self.tls is None and self.port == _TLS_PORT:
            yield Problem(
                (*loc, "port"),
                "This is the port of MQTT over TLS, and no tls is configured.",
                evidence=str(_TLS_PORT),
                next="add tls with ca, the file of the authority that signed the broker's certificate",
            )
        elif self.tls is None and self.host not in HERE:
            yield Problem(
                (*loc, "host"),
                "Whoever is on the way to this broker can read and forge everything.",
                evidence=f"{self.where} without tls",
                cause="the password goes in plain text too" if self.username is not None else "",
                next="add tls, as docs/security.md shows",
            )
        elif self.tls is not None and self.tls.certificate is None and self.username is None:
            yield Problem(
                (*loc, "tls"),
                "The broker cannot know who this is, so it cannot keep others out.",
                evidence="neither certificate nor username",
                next="add tls.certificate and tls.key, or username and password_file",
            )


class AgentBroker(Broker):
    """The broker as an agent is told of it.

    Attributes
    ----------
    max_bytes_per_s
        How much may be sent on average [bytes/s]; registers go first. None: as much as goes.
    """

    max_bytes_per_s: Annotated[int, Field(ge=100)] | None = None
