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
    for path, what, is_ca in _named(config):
        if path not in found:
            found[path] = read_certificate(path, what, is_ca=is_ca)
    return tuple(found.values())


def read_certificate(path: Path, what: str, *, is_ca: bool = False) -> Certificate:
    """Return when a PEM file ends: a chain with its first certificate, a set of authorities with its last."""
    try:
        parts = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return Certificate(str(path), what, None, error.strerror or str(error))
    except ValueError:
        return Certificate(str(path), what, None, "no PEM certificate in it")
    ends = (max if is_ca else min)(part.not_valid_after_utc for part in parts)
    return Certificate(str(path), what, int(ends.timestamp() * 1000))


def _named(config: AgentConfig) -> Iterator[tuple[Path, str, bool]]:
    for device in config.devices:
        if device.modbus is None:
            continue
        link = config.link(device)
        if link.tls is not None:
            yield link.tls.ca, f"CA of {link.name}", True
            if link.tls.certificate is not None:
                yield link.tls.certificate, f"client certificate for {link.name}", False
