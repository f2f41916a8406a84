"""When the certificates end that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from config.agent import AgentConfig


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file: what it is for, and when it ends, or why that is not known."""

    path: str
    what: str
    ends_ms: int | None
    problem: str = ""


def certificates(config: AgentConfig) -> tuple[Certificate, ...]:
    """Return the certificates of all gateways that are spoken to by TLS, each file once."""
    found: dict[Path, Certificate] = {}
    for path, what in _named(config):
        if path not in found:
            found[path] = read_certificate(path, what)
    return tuple(found.values())


def read_certificate(path: Path, what: str) -> Certificate:
    """Return the end of a PEM file: of several certificates in it, the first end."""
    try:
        parts = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return Certificate(str(path), what, None, error.strerror or str(error))
    except ValueError:
        return Certificate(str(path), what, None, "no PEM certificate in it")
    ends = min(part.not_valid_after_utc for part in parts)
    return Certificate(str(path), what, int(ends.timestamp() * 1000))


def _named(config: AgentConfig) -> Iterator[tuple[Path, str]]:
    for device in config.devices:
        if device.modbus is None:
            continue
        link = config.link(device)
        if link.tls is not None:
            yield link.tls.ca, f"CA of {link.name}"
            if link.tls.certificate is not None:
                yield link.tls.certificate, f"client certificate for {link.name}"
