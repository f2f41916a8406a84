"""Looks from outside at what a running agent depends on: the broker's port, the disk, who holds the spool."""

from __future__ import annotations

import errno
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agent.sockets import reason

Reached = Literal["open", "unknown_name", "refused", "no_route", "no_answer"]

_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a TCP connection comes, and the system's own words."""

    reached: Reached
    seen: str = ""


def reach(host: str, port: int, within_s: float = _WITHIN_S) -> Reach:
    """Open a TCP connection and close it again; nothing is sent."""
    try:
        socket.create_connection((host, port), timeout=within_s).close()
    except socket.gaierror as error:
        return Reach("unknown_name", error.strerror or str(error))
    except TimeoutError:
        return Reach("no_answer", f"no answer within {within_s:g} s")
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        return Reach("refused" if refused else "no_route", reason(error))
    return Reach("open")


def free_bytes(folder: Path) -> int | None:
    """Return the free space of the disk on which a folder is or would be [bytes]; None: not known."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def holder(lock: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """Return the process that holds a lock file, without touching it; None: none, or not known here."""
    try:
        inode = str(lock.stat().st_ino)
        lines = locks.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None
