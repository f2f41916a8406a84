"""TLS towards a meter, a gateway or a broker: what a connection must fulfil, and why it was refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import Unreachable


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a side needs to trust the other and to be trusted.

    Attributes
    ----------
    ca
        PEM file of the authority that signs the other side.
    certificate, key
        PEM files of our own certificate; None: we have none.
    server_name
        Name in the other side's certificate; None: its host.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None


class TlsTrouble(Unreachable):
    """A TLS connection that one of both sides refuses; who is at fault is said."""


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """The other side, for a connection and for the words of its errors.

    Attributes
    ----------
    what
        What people call it, ``broker``.
    host, port
        Where it listens.
    files
        What it must show, and what we show.
    usual_port
        Where such a side listens over TLS.
    protocol
        What is spoken there.
    """

    what: str
    host: str
    port: int
    files: TlsFiles
    usual_port: int
    protocol: str

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The name that must be in its certificate."""
        return self.files.server_name or self.host

    def prepare(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Load the files into a client's context; read anew each time, for certificates are renewed.

        Raises
        ------
        TlsTrouble
            If a file cannot be used.
        """
        files = self.files
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cafile=files.ca)
        except OSError as error:
            raise self._unusable(files.ca, error) from None
        if files.certificate is not None:
            try:  # an empty passphrase: OpenSSL would ask on the terminal, and everything would wait there
                context.load_cert_chain(files.certificate, files.key, password="")
            except OSError as error:
                raise self._unusable(files.key or files.certificate, error) from None
        return context

    def refused(self, error: ssl.SSLError, where: str = "") -> TlsTrouble:
        """Return which side's certificate is at fault, and why; `where` is host and port by default."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._not_trusted(error, where or self.where)
        why = error.reason or str(error)
        evidence = next((text for part, text in _ALERTS if part in why), why).format(what=self.what)
        if "VERSION" in why or "PROTOCOL" in why:
            return TlsTrouble(
                "The TLS connection cannot be made",
                where=where or self.where,
                evidence=evidence,
                cause=f"another port than that of {self.protocol}, or an old {self.what}",
                next=f"correct the port (usually {self.usual_port}; this is {self.port}), or remove tls",
            )
        return TlsTrouble(
            f"The TLS connection is refused by the {self.what}",
            where=where or self.where,
            evidence=evidence,
            cause=self._client_certificate(),
            next=self._trusted_pair(),
        )

    def closed(self, what: str, *, evidence: str, otherwise: str, where: str = "") -> TlsTrouble:
        """Return the error of a side that closes instead of telling why; `otherwise` is the other guess."""
        return TlsTrouble(
            what,
            where=where or self.where,
            evidence=evidence,
            cause=f"{self._client_certificate()}; or {otherwise}",
            next=self._trusted_pair(),
        )

    def _not_trusted(self, error: ssl.SSLCertVerificationError, where: str) -> TlsTrouble:
        code = error.verify_code
        shown = "openssl x509 -noout -dates -issuer -ext subjectAltName"
        advice = f"openssl s_client -connect {self.where} </dev/null | {shown}"
        cause = f"the {self.what} has another certificate than expected"
        if code in (9, 10):
            cause, advice = "it was not renewed, or a clock is wrong", f"date; {advice}"
        elif code in (18, 19, 20):
            cause = f"{self.files.ca} does not hold the CA that signed it, or another {self.what} answers"
        elif code in (62, 64):
            cause = f"it should be for {self.name}; set tls.server_name to the name in it"
        seen = _VERIFY.get(code)
        return TlsTrouble(
            "The TLS connection is refused by this side",
            where=where,
            evidence=error.verify_message if seen is None else f"the {self.what}'s certificate {seen}",
            cause=cause,
            next=advice,
        )

    def _unusable(self, path: Path, error: OSError) -> TlsTrouble:
        said = (error.reason or str(error)) if isinstance(error, ssl.SSLError) else error.strerror
        return TlsTrouble(
            "A TLS file cannot be used",
            where=str(path),
            evidence=said or str(error),
            cause=f"{self.where} needs it; it is missing, unreadable, protected by a passphrase, or no PEM",
            next=f"ls -l {path}; openssl x509 -noout -subject -in {path}",
        )

    def _client_certificate(self) -> str:
        if self.files.certificate is None:
            return f"the {self.what} wants a client certificate, and none is configured"
        return f"the {self.what} does not accept our client certificate, {self.files.certificate}"

    def _trusted_pair(self) -> str:
        return f"set tls.certificate and tls.key to a pair that the {self.what} trusts"


_VERIFY: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself, not by the CA",
    19: "is from an unknown CA",
    20: "is from an unknown CA",
    62: "is for another name",
    64: "is for another address",
}
_ALERTS: Final = (
    ("CERTIFICATE_REQUIRED", "the {what} wants a client certificate"),
    ("HANDSHAKE_FAILURE", "the {what} wants a client certificate, or other ciphers"),
    ("UNKNOWN_CA", "the {what} does not know the CA of our client certificate"),
    ("CERTIFICATE_EXPIRED", "our client certificate has expired"),
    ("CERTIFICATE_REVOKED", "our client certificate was revoked"),
    ("BAD_CERTIFICATE", "the {what} does not accept our client certificate"),
    ("CERTIFICATE_UNKNOWN", "the {what} does not accept our client certificate"),
    ("ACCESS_DENIED", "the {what} does not let our client certificate in"),
    ("PROTOCOL", "the {what} does not speak TLS 1.2 or newer"),
    ("WRONG_VERSION_NUMBER", "what answers does not speak TLS"),
)
