"""What a configuration names on this machine's disk, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.agent import AgentConfig, Gateway
from config.strict import Loc, Problem
from config.tls import Tls
from core.runtime.certificates import readable_by_others


def missing_files(config: AgentConfig) -> Iterator[Problem]:
    """Yield certificates, secrets and serial lines that are not on this machine; it may not be the agent's.

    Secrets that others can read are named too.

    The spool's folder is made by the agent; where a file is in its place, it cannot be.
    """
    if config.spool.exists() and not config.spool.is_dir():
        yield Problem(
            ("spool",),
            "The spool is a folder, and a file stands in its place.",
            evidence=str(config.spool),
            next="name a folder of a safe disk, such as /var/lib/seiren/spool",
        )
    described: list[tuple[Loc, Gateway]] = [
        (("gateways", name), gateway) for name, gateway in config.gateways.items()
    ]
    described += [
        (("devices", index, "modbus"), device.modbus)
        for index, device in enumerate(config.devices)
        if device.modbus is not None
    ]
    for loc, link in described:
        if link.serial is not None and not Path(link.serial).exists():
            yield Problem(
                (*loc, "serial"),
                "This serial line is not on this machine.",
                evidence=link.serial,
                cause="the adapter is unplugged, or this is not the agent's machine",
                next="ls -l /dev/serial/by-id/",
            )
        if link.tls is not None:
            yield from _tls_files(link.tls, (*loc, "tls"))
    broker = config.broker
    if broker.tls is not None:
        yield from _tls_files(broker.tls, ("broker", "tls"))
    if broker.password_file is not None:
        yield from _file(broker.password_file, ("broker", "password_file"), is_secret=True)


def _tls_files(tls: Tls, loc: Loc) -> Iterator[Problem]:
    for key, path in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
        if path is not None:
            yield from _file(path, (*loc, key), is_secret=key == "key")


def _file(path: Path, loc: Loc, *, is_secret: bool) -> Iterator[Problem]:
    """What is wrong with a file that the configuration names."""
    if not path.is_file():
        yield Problem(
            loc,
            "This file is not on this machine.",
            evidence=str(path),
            cause="it was not copied yet, or the path is not relative to this file",
            next=f"ls -l {path.parent}",
        )
    elif is_secret and (mode := readable_by_others(path)):
        yield Problem(
            loc,
            "Others on this machine can read this secret.",
            evidence=f"{path}, {mode}",
            next=f"chmod 600 {path}",
        )
