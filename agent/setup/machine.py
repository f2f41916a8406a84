"""What a configuration names on this machine's disk, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.agent import AgentConfig, Gateway
from config.strict import Loc, Problem


def missing_files(config: AgentConfig) -> Iterator[Problem]:
    """Yield certificates and serial lines that are not on this machine; it may not be the agent's.

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
        files = {} if link.tls is None else {"ca": link.tls.ca, "key": link.tls.key}
        files |= {} if link.tls is None else {"certificate": link.tls.certificate}
        for key, path in files.items():
            if path is not None and not path.is_file():
                yield Problem(
                    (*loc, "tls", key),
                    "This file is not on this machine.",
                    evidence=str(path),
                    cause="it was not copied yet, or the path is not relative to this file",
                    next=f"ls -l {path.parent}",
                )
