"""The certificates and the secrets that a configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.agent import AgentConfig
from core.runtime.certificates import Certificate, certificates_of

_METERS = "its meters are not read; their registers count on"
_BROKER = "nothing is delivered; what was read stays on the disk"


def certificates(config: AgentConfig) -> tuple[Certificate, ...]:
    """Return the certificates for the broker and for all gateways with TLS, each file once."""
    found: dict[str, Certificate] = {}
    for one in _named(config):
        found.setdefault(one.where, one)
    return tuple(found.values())


def secrets(config: AgentConfig) -> dict[str, Path]:
    """Return the keys and passwords that nobody else should read: where they are named, and their files."""
    named: dict[str, Path | None] = {"broker.password_file": config.broker.password_file}
    if config.broker.tls is not None:
        named["broker.tls.key"] = config.broker.tls.key
    for name, gateway in config.gateways.items():
        if gateway.tls is not None:
            named[f"gateways.{name}.tls.key"] = gateway.tls.key
    for index, device in enumerate(config.devices):
        if device.modbus is not None and device.modbus.tls is not None:
            named[f"devices.{index}.modbus.tls.key"] = device.modbus.tls.key
    return {key: path for key, path in named.items() if path is not None}


def _named(config: AgentConfig) -> Iterator[Certificate]:
    if config.broker.tls is not None:
        yield from certificates_of(config.broker.tls.files, "the broker", _BROKER)
    for device in config.devices:
        if device.modbus is None:
            continue
        link = config.link(device)
        if link.tls is not None:
            yield from certificates_of(link.tls.files, link.name, _METERS)
