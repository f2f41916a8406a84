"""The demo's broker: nats-server with its MQTT listener, or Mosquitto as at a site."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from core.errors import OutsideError, UsageError

BROKERS = ("nats", "mosquitto")


def broker_command(kind: str, folder: Path, *, mqtt_port: int, port: int) -> list[str]:
    """Write a broker's configuration, and return the command that starts it.

    Parameters
    ----------
    kind
        One of `BROKERS`.
    folder
        Where its configuration and its messages are kept, so that a killed broker finds them again.
    mqtt_port, port
        Where it listens on loopback: for MQTT, and for its own protocol, which is not used.

    Raises
    ------
    UsageError
        If there is no such kind.
    OutsideError
        If its program is not installed.
    """
    if kind not in BROKERS:
        raise UsageError("Not a broker", where="--broker", evidence=kind, next=" or ".join(BROKERS))
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "broker.conf"
    if kind == "mosquitto":
        config.write_text(_mosquitto(folder, mqtt_port), encoding="utf-8")
        return [_program("mosquitto", "apt-get install mosquitto"), "-c", str(config)]
    config.write_text(_nats(folder, mqtt_port, port), encoding="utf-8")
    return [_program("nats-server", "in Seiren's own folder: make demo"), "--config", str(config)]


def _nats(folder: Path, mqtt_port: int, port: int) -> str:
    """Return nats-server's configuration; its format is a superset of JSON."""
    settings = {
        "server_name": "seiren-demo",  # MQTT needs a name that survives a restart
        "listen": f"127.0.0.1:{port}",
        "jetstream": {"store_dir": str(folder.resolve())},
        "mqtt": {"listen": f"127.0.0.1:{mqtt_port}", "ack_wait": "10s"},
    }
    return json.dumps(settings, indent=1)


def _mosquitto(folder: Path, mqtt_port: int) -> str:
    settings = {
        "listener": f"{mqtt_port} 127.0.0.1",
        "allow_anonymous": "true",
        "persistence": "true",
        "persistence_location": f"{folder.resolve()}/",
        "autosave_interval": "1",
        "max_queued_messages": "0",
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings["user"] = "root"  # else it gives up root, and with it the folder
    return "".join(f"{key} {value}\n" for key, value in settings.items())


def _program(name: str, install: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise OutsideError(
            f"The broker {name} is not installed",
            evidence=f"no {name} beside {sys.executable}, on the PATH or in /usr/sbin",
            next=f"install it with: {install}",
        )
    return found
