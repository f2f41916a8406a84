"""The file of an embedded ledger: for its owner's eyes only, and for one collector at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import OutsideError

if sys.platform != "win32":
    import fcntl

FILE_NAME = "ledger.sqlite"
LOCK_NAME = "collector.lock"

_OWNERS_ONLY = 0o600
# SQLite gives its other files the mode of the first; those of an earlier release may be wider.
_SUFFIXES = ("", "-wal", "-shm")


def make_private(file: Path, *, create: bool) -> None:
    """Let nobody but the owner read or write a ledger's files, whatever the umask says.

    Parameters
    ----------
    create
        Whether a missing file is made, empty.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    if create:
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNERS_ONLY))
    for suffix in _SUFFIXES:
        # Another user's ledger stays as its owner has it; what is not there needs nothing.
        with suppress(FileNotFoundError, PermissionError):
            file.with_name(file.name + suffix).chmod(_OWNERS_ONLY)


@contextmanager
def only_collector(file: Path, name: str) -> Iterator[None]:
    """Be the only collector of an embedded ledger until the block ends.

    Raises
    ------
    OutsideError
        Another collector has the ledger, or the lock cannot be made.
    """
    path = file.with_name(LOCK_NAME)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, _OWNERS_ONLY)
    except OSError as error:
        raise OutsideError("the ledger's folder refuses", where=str(path), evidence=str(error)) from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
        if sys.platform != "win32":
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise another_collector(name, where=str(file), evidence=lock.read().strip()) from error
        lock.truncate()
        lock.write(f"{name}, process {os.getpid()}\n")
        lock.flush()
        yield


class AnotherCollector(OutsideError):
    """Another collector has the place of this one: it must end, for two of one name confuse agents."""


def another_collector(name: str, *, where: str, evidence: str = "") -> AnotherCollector:
    """Return the error of a collector whose place is taken."""
    return AnotherCollector(
        f"another collector runs as {name}",
        where=where,
        evidence=evidence,
        cause="two collectors of one name would answer the same agents",
        next="stop the other one; a partition by site needs a name of its own, and a ledger on PostgreSQL",
    )
