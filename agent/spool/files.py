"""Durable changes to folders: a name is durable when its folder has been synced."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import OutsideError

if sys.platform != "win32":
    import fcntl


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into one that names the disk."""
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"the disk refuses: {error.strerror or error}",
            where=error.filename or str(path),
            cause="the disk is full, read-only or failing, or the folder belongs to somebody else",
            next="see to the disk, then start the agent again: it goes on with what it has",
        ) from error


class Lock:
    """A file that one process at a time can hold.

    Parameters
    ----------
    path
        The file; it is made where there is none.

    Raises
    ------
    OutsideError
        If another process holds it.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        if sys.platform != "win32":
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._file.close()
                raise OutsideError(
                    "another process uses this folder",
                    where=str(path.parent),
                    cause="the agent is running already",
                    next="stop the other one first",
                ) from error

    def release(self) -> None:
        """Let others have it."""
        self._file.close()


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    if sys.platform == "win32":
        return  # NTFS journals names by itself and cannot open a folder for this
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_durably(old: Path, new: Path) -> None:
    """Put a file in another's place, durably."""
    old.replace(new)
    sync_folder(new.parent)


def sync_data(descriptor: int) -> None:
    """Make a file's contents durable."""
    if sys.platform == "win32" or sys.platform == "darwin":
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)
