"""The demo's folder: shipped site files with this run's ports, seed and store put in."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from core.errors import UsageError

MARKER = "demo.json"
"""Says that a folder is a demo's, and may be replaced by the next."""

_BROKER_PORT = 15883
_DEVICE_PORT = re.compile(r"\b1502\d\b")
_STORE = "store: {kind: sqlite}"
_SYNTHETIC = 'synthetic: "seed 1"'


@dataclass(frozen=True, slots=True)
class InfluxAccess:
    """How to reach an InfluxDB 2."""

    url: str
    org: str
    bucket: str
    token: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What a demo writes and leaves."""

    path: Path
    agents: tuple[Path, ...]
    fuel: Path | None
    production: Path | None
    mqtt_port: int

    @property
    def logs(self) -> Path:
        """Return the folder of the children's logs."""
        return self.path / "logs"


def claim(path: Path, facts: object) -> None:
    """Make `path` a demo's folder with nothing in it but the marker, replacing an earlier demo's.

    Parameters
    ----------
    path
        The folder.
    facts
        What the marker keeps of the run, as JSON.

    Raises
    ------
    UsageError
        If something else is there.
    """
    if path.exists() and not (path.is_dir() and ((path / MARKER).exists() or not any(path.iterdir()))):
        raise UsageError(
            "The folder is not a demo's, so it is left alone",
            where=str(path),
            evidence=f"it has no {MARKER}",
            next="choose another folder with --out",
        )
    path.mkdir(parents=True, exist_ok=True)
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (path / MARKER).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def site_folder(site: str) -> Path:
    """Return the folder of a shipped site, ``demo`` or ``replay``."""
    return Path(str(files("config"))) / "sites" / site


def write(path: Path, *, site: str, synthetic: str, influx: InfluxAccess | None) -> Folder:
    """Write a site's files into a claimed folder, with free ports.

    Parameters
    ----------
    path
        The folder.
    site
        Name of the shipped site, ``demo`` or ``replay``.
    synthetic
        What every report says of the data's origin.
    influx
        Reading store; None: SQLite.
    """
    shipped = {entry.name: entry.read_text(encoding="utf-8") for entry in site_folder(site).iterdir()}
    taken = {int(port) for text in shipped.values() for port in _DEVICE_PORT.findall(text)}
    ports = dict(zip(sorted({*taken, _BROKER_PORT}), free_ports(len(taken) + 1), strict=True))
    for name, text in shipped.items():
        filled = _with_ports(text, ports)
        if name == "hq.yaml":
            filled = _replaced(filled, _SYNTHETIC, f"synthetic: {json.dumps(synthetic, ensure_ascii=False)}")
            if influx is not None:
                filled = _replaced(filled, _STORE, _influx_store(path, influx))
        (path / name).write_text(filled, encoding="utf-8")
    agents = sorted(name for name in shipped if name.startswith("agent"))
    return Folder(
        path=path,
        agents=tuple(path / name for name in agents),
        fuel=path / "fuel.csv" if "fuel.csv" in shipped else None,
        production=path / "production.csv" if "production.csv" in shipped else None,
        mqtt_port=ports[_BROKER_PORT],
    )


def free_ports(count: int) -> list[int]:
    """Return loopback TCP ports that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _with_ports(text: str, ports: Mapping[int, int]) -> str:
    for written, port in ports.items():
        text = re.sub(rf"\b{written}\b", str(port), text)
    return text


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"the shipped site file must hold {old!r} once")
    return text.replace(old, new)


def _influx_store(path: Path, influx: InfluxAccess) -> str:
    token = path / "influx.token"
    token.touch(mode=0o600)
    token.write_text(influx.token + "\n", encoding="ascii")
    fields = {"kind": "influxdb", "url": influx.url, "org": influx.org, "bucket": influx.bucket}
    return f"store: {json.dumps({**fields, 'token_file': token.name}, ensure_ascii=False)}"
