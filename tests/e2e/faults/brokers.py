"""Sites behind brokers as they come: what an operator gets who installs one and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.e2e.faults.processes import Nursery
from tests.e2e.faults.site import Site
from tests.parts import MOSQUITTO, require
from tests.servers import LOOPBACK, BrokerProcess, free_port, nats


def stock_mosquitto(folder: Path) -> BrokerProcess:
    """Make a Mosquitto with Debian's settings: it saves every half-hour, queues 1,000 messages, sends 20.

    Only the listener and its permission are added, without which it takes nobody.
    """
    port = free_port()
    lines = [
        f"pid_file {folder}/mosquitto.pid",
        "persistence true",
        f"persistence_location {folder}/",
        f"listener {port} {LOOPBACK}",
        "allow_anonymous true",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it gives up root, and with it its folder
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return BrokerProcess([str(require(MOSQUITTO)), "-c", str(config)], folder=folder, port=port)


BROKERS: Mapping[str, Callable[[Path], BrokerProcess]] = MappingProxyType(
    {"mosquitto": stock_mosquitto, "nats": nats}
)


def make_site(folder: Path, nursery: Nursery, broker: str = "mosquitto", **settings: Any) -> Site:
    """Make a site in a folder, behind one of `BROKERS`."""
    (folder / "broker").mkdir()
    return Site(folder, nursery, BROKERS[broker](folder / "broker"), **settings)
