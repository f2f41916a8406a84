"""Programs from elsewhere that some tests run for real, and what brings them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

MISSING = "MISSING PART"
REQUIRE = "SEIREN_REQUIRE_PARTS"  # 1: a missing part fails the test instead of skipping it


@dataclass(frozen=True, slots=True)
class Part:
    """A program, how it is found, and the command that brings it."""

    name: str
    find: Callable[[], str | None]
    brought_by: str


def require(part: Part) -> Path:
    """Return the program's path; without it skip the test loudly, or fail it where parts are required."""
    if found := part.find():
        return Path(found)
    reason = f"{MISSING}: {part.name}, brought by: {part.brought_by}"
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _mosquitto() -> str | None:
    # Debian keeps it where only root's PATH looks.
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _nats_server() -> str | None:
    return shutil.which("nats-server", path=sysconfig.get_path("scripts"))


def _influxd() -> str | None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for candidate in (shutil.which("influxd"), shutil.which("influxd", path=cache / "seiren/influxd-2.7.12")):
        if candidate and _is_influxdb_2_7(candidate):
            return candidate
    return None


def _is_influxdb_2_7(program: str) -> bool:
    # Debian's package is 1.6.7, which speaks another protocol.
    answer = subprocess.run([program, "version"], capture_output=True, text=True, timeout=20, check=False)
    return re.match(r"InfluxDB v?2\.7\.", answer.stdout) is not None


def _chromium() -> str | None:
    return shutil.which("chromium")


MOSQUITTO = Part("mosquitto", _mosquitto, "apt-get install mosquitto")
MOSQUITTO_PASSWD = Part(
    "mosquitto_passwd", lambda: shutil.which("mosquitto_passwd"), "apt-get install mosquitto"
)
SYSTEMD_ANALYZE = Part("systemd-analyze", lambda: shutil.which("systemd-analyze"), "apt-get install systemd")
SYSCALL_NUMBERS = Part(
    "linux-libc-dev",
    lambda: next(map(str, Path("/usr/include/x86_64-linux-gnu/asm").glob("unistd_64.h")), None),
    "apt-get install linux-libc-dev",
)
HADOLINT = Part(
    "hadolint",
    lambda: shutil.which("hadolint", path=sysconfig.get_path("scripts")),
    "make test, which installs lock/dev.txt into .venv/",
)
NATS_SERVER = Part("nats-server", _nats_server, "make test, which installs lock/dev.txt into .venv/")
INFLUXD = Part("influxd 2.7", _influxd, "make influxd")
CHROMIUM = Part("chromium", _chromium, "apt-get install chromium fonts-noto-cjk")
SOCAT = Part("socat", lambda: shutil.which("socat"), "apt-get install socat")
MBPOLL = Part("mbpoll", lambda: shutil.which("mbpoll"), "apt-get install mbpoll")


def _postgres() -> str | None:
    # Debian keeps a server's programs beside each other, outside PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which("initdb") or next(
        (str(f / "initdb") for f in folders if (f / "initdb").exists()), None
    )


def _influxd_1() -> str | None:
    found = shutil.which("influxd", path="/usr/bin:/usr/local/bin")
    if found is None:
        return None
    answer = subprocess.run([found, "version"], capture_output=True, text=True, timeout=20, check=False)
    return found if re.match(r"InfluxDB v?1\.", answer.stdout) else None


POSTGRES = Part("postgresql", _postgres, "apt-get install postgresql")
"""Its `initdb`; `postgres` and `pg_ctl` stand beside it."""
INFLUXD_1 = Part("influxd 1.x", _influxd_1, "apt-get install influxdb")
VICTORIA = Part(
    "victoria-metrics", lambda: shutil.which("victoria-metrics"), "apt-get install victoria-metrics"
)
