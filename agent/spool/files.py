"""Durable changes to folders and files, private to the agent's own user."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from core.errors import OutsideError

if sys.platform != "win32":
    import fcntl

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_BINARY: Final = getattr(os, "O_BINARY", 0)
_ADVICE: Final = {
    errno.ENOSPC: (
        "the disk is full, and nothing that the agent may give up is left in its spool",
        "free space on this disk, never files of the spool; then start the agent again: it loses nothing",
    ),
    errno.EROFS: (
        "the disk was mounted read-only; systems do that to a disk that fails",
        "dmesg; mount; fsck the disk, then start the agent again: it goes on with what it has",
    ),
    errno.EIO: (
        "the disk fails",
        "smartctl -a; replace the disk; what was durable before is counted, nothing else is",
    ),
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into one that names the disk."""
    try:
        yield
    except OSError as error:
        number = errno.ENOSPC if error.errno in FULL else error.errno
        cause, next_ = _ADVICE.get(
            number or 0,
            (
                "the disk is full, read-only or failing, or the folder belongs to somebody else",
                "see to the disk, then start the agent again: it goes on with what it has",
            ),
        )
        raise OutsideError(
            f"the disk refuses: {error.strerror or error}",
            where=error.filename or str(path),
            cause=cause,
            next=next_,
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
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, FILE_MODE), "wb")
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


class AppendFile:
    """A file that grows by whole pieces: what was written only in part is cut off again.

    Parameters
    ----------
    path
        The file; it is made where there is none.
    new
        It must not be there yet.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY | (os.O_EXCL if new else 0)
        self._descriptor = os.open(path, flags, FILE_MODE)
        self.size = os.fstat(self._descriptor).st_size

    def append(self, data: bytes) -> int:
        """Write at the end; return where it begins. It is durable after `sync_data`.

        Raises
        ------
        OSError
            If not all of it could be written; then none of it is there.
        """
        begin, rest = self.size, memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, begin)
            raise
        self.size += len(data)
        return begin

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_private(path: Path, data: bytes) -> None:
    """Write a file durably, in one step: another reader sees all of it or what was there before."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename_durably(fresh, path)


def open_private(path: Path) -> BinaryIO:
    """Open a file to append to it; where there is none, it is made for its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, FILE_MODE), "ab")


def make_private(folder: Path) -> None:
    """Make a folder where there is none, and let nobody else look into it or into its files."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if sys.platform == "win32":
        return
    with contextlib.suppress(PermissionError):  # it belongs to somebody else, whose business it is
        for path, mode in ((folder, FOLDER_MODE), *((p, FILE_MODE) for p in folder.iterdir() if p.is_file())):
            if path.stat().st_mode & 0o077:
                path.chmod(mode)


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
