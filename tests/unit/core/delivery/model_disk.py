"""A disk that forgets at a power cut what was not synced, kills who writes at any step, fills up and fails.

The files are real ones below one folder. While the model is in force, ``os.write``, ``os.fsync`` and their
like pass through it: a sync only takes note of what a power cut would leave.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from weakref import WeakSet

from agent.spool.files import AppendFile

_PLENTY = 10**12


Image = dict[str, bytes]
"""Files of a folder, by name."""


class Usage(NamedTuple):
    """What `shutil.disk_usage` tells [bytes]."""

    total: int
    used: int
    free: int


class Killed(BaseException):
    """The process has ended here; nothing of it runs any more."""


class OpenFile(AppendFile):
    """A file that is closed when its process is killed; a copy is opened when its process is resumed."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        super().__init__(path, new=new)
        self.path, self._was_open = path, True
        _OPEN.add(self)

    def __deepcopy__(self, memo: object) -> OpenFile:
        copied = object.__new__(OpenFile)
        copied.path, copied.size, copied._descriptor = self.path, self.size, -1
        copied._was_open = self._descriptor >= 0 or self._was_open
        return copied

    def close(self) -> None:
        super().close()
        self._was_open = False
        _OPEN.discard(self)

    def resume(self) -> None:
        """Open it again, if it was open when it was copied."""
        if self._was_open:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            _OPEN.add(self)


_OPEN: WeakSet[OpenFile] = WeakSet()


class ModelDisk:
    """Everything below a folder.

    Attributes
    ----------
    steps_left
        System calls before whoever makes them is killed; None: no kill.
    capacity
        Size of the disk [bytes], None for plenty.
    fails
        Whether the next sync fails with EIO.
    """

    syncs = True

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.root = folder / "disk"
        self._prefix = str(self.root)
        self._pins = folder / "pins"
        for made in (self.root, self._pins):
            made.mkdir(parents=True)
        self._chance = chance
        self._names: dict[str, dict[str, int]] = {}
        self._synced: dict[int, bytes] = {}
        self._real: dict[str, Callable[..., Any]] = {}
        self._dead = False
        self.steps_left: int | None = None
        self.capacity: int | None = None
        self.fails = False

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the model see what is done to files."""
        models = {
            "write": self._write,
            "fsync": self._sync,
            "fdatasync": self._sync,
            "replace": self._replace,
            "unlink": self._unlink,
            "ftruncate": self._truncate,
        }
        self._real = {name: getattr(os, name) for name in models}
        with (
            patch.multiple(os, **models),  # type: ignore[call-overload]  # its stub knows no names that are made
            patch.object(shutil, "disk_usage", self._usage),
            patch("agent.spool.segments.AppendFile", OpenFile),
            patch("agent.spool.epochs.AppendFile", OpenFile),
            patch("agent.spool.ballast.BALLAST_BYTES", 512),
            patch("agent.spool.room._LEAST_BYTES", 1_000),
        ):
            yield

    def end_process(self, folder: Path) -> None:
        """Close what a killed process had open."""
        self._dead, self.steps_left = False, None
        for file in tuple(_OPEN):
            if file.path.parent == folder:
                file.close()

    def cut_power(self, folder: Path) -> None:
        """Leave of a folder what was synced, and of the rest whatever chance leaves."""
        for place in (folder, *(path for path in folder.iterdir() if path.is_dir())):
            now = _files(place)
            names = self._names.get(str(place), {}) if self._chance.random() < 0.6 else now
            left = {name: self._left(ino, place / name, now) for name, ino in names.items()}
            for name in now:
                self._real["unlink"](place / name)
            for name, content in left.items():
                (place / name).write_bytes(content)
        self._settle(folder)

    def image(self, folder: Path) -> Image:
        """Return what is in a folder now."""
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "lock"
        }

    def put_back(self, folder: Path, image: Image) -> None:
        """Make a folder what it is in an image; who holds its lock goes on holding it."""
        for place in (folder, folder / "tables", folder / "set-aside"):
            place.mkdir(exist_ok=True)
            for name in _files(place):
                if name != "lock":
                    self._real["unlink"](place / name)
        for name, content in image.items():
            (folder / name).write_bytes(content)
        self._settle(folder)

    def flip(self, folder: Path) -> str:
        """Flip bits of one byte of one file; return which file."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size and p.name != "lock")
        if not paths:
            return ""
        path = self._chance.choice(paths)
        data = bytearray(path.read_bytes())
        at = self._chance.randrange(len(data))
        data[at] ^= self._chance.randrange(1, 256)
        with path.open("r+b") as file:
            file.write(data)
        ino = path.stat().st_ino
        if ino in self._synced:
            self._synced[ino] = bytes(data[: len(self._synced[ino])])
        return path.name

    def _settle(self, folder: Path) -> None:
        """Take a folder as it is for durable."""
        for place in (folder, *(path for path in folder.iterdir() if path.is_dir())):
            self._names[str(place)] = _files(place)
            for name, ino in self._names[str(place)].items():
                self._pin(place / name, ino)

    def _pin(self, path: Path, ino: int) -> None:
        """Take note of a file's durable contents; a second link keeps its number from being used again."""
        pin = self._pins / str(ino)
        if not pin.exists():
            os.link(path, pin)
        self._synced[ino] = path.read_bytes()

    def _left(self, ino: int, path: Path, now: dict[str, int]) -> bytes:
        """What a power cut leaves of a file."""
        pin = self._pins / str(ino)
        here = pin if pin.exists() else path
        written = here.read_bytes() if here == pin or now.get(path.name) == ino else b""
        synced = self._synced.get(ino, b"")
        if not written.startswith(synced):
            return synced if self._chance.random() < 0.5 else written
        rest = written[len(synced) :]
        kept = self._chance.randint(0, len(rest))
        torn = self._chance.choice((b"", bytes(len(rest) - kept)))
        return synced + rest[:kept] + torn

    def _step(self) -> None:
        if self._dead:
            raise Killed
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                self._dead = True
                raise Killed

    def _path(self, fd: int) -> str | None:
        path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 -- twice as quick, and this is what costs
        return path if path.startswith(self._prefix) else None

    def _write(self, fd: int, data: bytes) -> int:
        if self._path(fd) is None:
            return int(self._real["write"](fd, data))
        try:
            self._step()
        except Killed:
            self._real["write"](fd, data[: self._chance.randint(0, len(data))])
            raise
        if self.capacity is not None and self.used() + len(data) > self.capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._real["write"](fd, data))

    def _sync(self, fd: int) -> None:
        path = self._path(fd)
        if path is None:
            self._real["fsync"](fd)
            return
        self._step()
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not self.syncs:
            return
        info = os.fstat(fd)
        if stat.S_ISDIR(info.st_mode):
            self._names[path] = _files(path)
        elif Path(path).exists():
            self._pin(Path(path), info.st_ino)

    def _replace(self, old: Path, new: Path) -> None:
        if str(old).startswith(self._prefix):
            self._step()
        self._real["replace"](old, new)

    def _unlink(self, path: Path, **options: Any) -> None:
        if str(path).startswith(self._prefix):
            self._step()
        self._real["unlink"](path, **options)

    def _truncate(self, fd: int, size: int) -> None:
        if self._path(fd) is not None:
            self._step()
        self._real["ftruncate"](fd, size)

    def used(self) -> int:
        """Size of all files [bytes]."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def _usage(self, path: Path) -> Usage:
        total = self.capacity or _PLENTY
        used = self.used() if self.capacity else 0
        return Usage(total, used, max(0, total - used))


def _files(place: Path | str) -> dict[str, int]:
    """The files of a folder by name, each with its number."""
    try:
        with os.scandir(place) as entries:
            return {entry.name: entry.inode() for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return {}
