"""How a session with a broker is secured: whom it trusts, and who it says that it is."""

from __future__ import annotations

import contextlib
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import OutsideError, Unreachable
from core.runtime.secrets import secret_in
from core.runtime.tls import TlsFiles, TlsPeer

PASSWORD_VARIABLE: Final = "SEIREN_BROKER_PASSWORD"

_USUAL_PORT: Final = 8883


@dataclass(frozen=True, slots=True)
class MqttSecurity:
    """What a session with a broker needs besides its address; holds no secret, only where one is.

    Attributes
    ----------
    tls
        Certificates; None: plain text.
    username
        Name at the broker; None: the one in the certificate, or none.
    password_file
        File with the password; None: it is in the environment, ``SEIREN_BROKER_PASSWORD``, or there is none.
    """

    tls: TlsFiles | None = None
    username: str | None = None
    password_file: Path | None = None

    def peer(self, host: str, port: int) -> TlsPeer | None:
        """Return the broker as the other side of a TLS connection; None: there is no TLS."""
        if self.tls is None:
            return None
        return TlsPeer("broker", host, port, self.tls, _USUAL_PORT, "MQTT over TLS")

    def password(self) -> str | None:
        """Return the password; read anew each time, for it may be changed.

        Raises
        ------
        Unreachable
            If its file cannot be read or is empty.
        """
        if self.username is None:
            return None
        if self.password_file is None:
            return os.environ.get(PASSWORD_VARIABLE)
        try:
            return secret_in(self.password_file)
        except OutsideError as error:
            raise Unreachable(
                "the broker's password cannot be read",
                where=error.where,
                evidence=error.evidence,
                cause="the file is missing, or not readable for the user that this program runs as",
                next=error.next,
            ) from None


class _TellingSocket(ssl.SSLSocket):
    """Keeps why it failed, of which paho only tells that it did."""

    trouble: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.trouble = error
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:  # the other side is gone; its last word may have come all the same
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


class NamedContext(ssl.SSLContext):
    """A client's context that knows the name which the other side must show, whatever its address is."""

    sslsocket_class = _TellingSocket
    expects: str
    made: _TellingSocket | None = None

    def wrap_socket(self, sock: Any, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """Wrap a socket for the expected name."""
        made = super().wrap_socket(sock, *arguments, **named | {"server_hostname": self.expects})
        assert isinstance(made, _TellingSocket)
        self.made = made
        return made

    @property
    def trouble(self) -> ssl.SSLError | None:
        """Why the connection failed, where it was TLS that failed."""
        return None if self.made is None else self.made.trouble


def context_for(peer: TlsPeer) -> NamedContext:
    """Return what a broker's TLS connection must fulfil; for one connection.

    Raises
    ------
    TlsTrouble
        If a file cannot be used.
    """
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.expects = peer.name
    peer.prepare(context)
    return context
