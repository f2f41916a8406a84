"""Which ledgers the agent knows: a file in the spool's folder, written by it and by `seiren agent trust`.

One line, ``CRC-32 JSON``: under each ledger's name the ids that are trusted, and one that waits to be. A name
that is missing was never followed: the first that comes is trusted. A damaged file is set aside, and then
nobody is trusted until somebody says so.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent.spool.files import disk_errors, open_private, rename_durably, write_private
from core.errors import OutsideError

if sys.platform != "win32":
    import fcntl

FILE = "ledgers.json"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known under one name.

    Parameters
    ----------
    trusted
        Ids of ledgers on whose word frames are freed.
    waiting
        Id of the ledger that speaks under the name now and is not trusted, or None.
    """

    trusted: tuple[str, ...] = ()
    waiting: str | None = None


class KnownLedgers:
    """The file of known ledgers.

    Parameters
    ----------
    folder
        The spool's folder, which exists.

    Raises
    ------
    OutsideError
        If the disk refuses; so do all methods.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._seen: tuple[int, int] | None = None

    def read(self) -> Mapping[str, Known]:
        """Return what is known, by name; nothing where the file is missing or damaged."""
        return self._read() or {}

    def open(self, required: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the trusted ids by name. Nobody waits any more: whoever is there will speak again.

        A damaged file is set aside, and from then on nobody is trusted.

        Parameters
        ----------
        required
            Names that must not become new again if the file is damaged.
        """
        with disk_errors(self._path):
            known = self._read()
            if known is None:
                data = self._path.read_bytes()
                rename_durably(self._path, self._path.with_name(f"{FILE}.damaged-{zlib.crc32(data):08x}"))
                known = dict.fromkeys(required, Known())
                self._write(known)
            elif any(one.waiting for one in known.values()):
                self._write({name: replace(one, waiting=None) for name, one in known.items()})
            self._seen = self._stamp()
        return {name: one.trusted for name, one in known.items()}

    def changed(self) -> Mapping[str, Collection[str]] | None:
        """Return the trusted ids by name if somebody has changed the file since it was read, else None."""
        with disk_errors(self._path):
            stamp = self._stamp()
            known = None if stamp == self._seen else self._read()
            if known is None:
                return None
            self._seen = stamp
        return {name: one.trusted for name, one in known.items()}

    def trust(self, name: str, ledger_id: str) -> None:
        """Trust a ledger under a name, beside those that are trusted already."""
        self._change(
            name,
            lambda one: Known(
                tuple(dict.fromkeys((*one.trusted, ledger_id))),
                None if one.waiting == ledger_id else one.waiting,
            ),
        )

    def let_wait(self, name: str, ledger_id: str | None) -> None:
        """Write down which ledger waits to be trusted under a name."""
        self._change(name, lambda one: replace(one, waiting=ledger_id))

    def _change(self, name: str, change: Callable[[Known], Known]) -> None:
        """Change one name's entry; two processes do not undo each other's changes."""
        with disk_errors(self._path), self._alone():
            found = self._read()
            if found is None:
                raise OutsideError(
                    "the file of known ledgers is damaged",
                    where=str(self._path),
                    next="start the agent again: it sets the file aside; then trust each ledger",
                )
            known = {**found, name: change(found.get(name, Known()))}
            if known != found:
                self._write(known)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other process from changing the file meanwhile."""
        with open_private(self._path.with_suffix(".lock")) as lock:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, Known] | None:
        """What the file says, or None where it is damaged."""
        try:
            crc, _, text = self._path.read_bytes().partition(b" ")
        except FileNotFoundError:
            return {}
        if crc != b"%08x" % zlib.crc32(text):
            return None
        return {name: Known(tuple(one["trusted"]), one["waiting"]) for name, one in json.loads(text).items()}

    def _write(self, known: Mapping[str, Known]) -> None:
        text = json.dumps(
            {name: {"trusted": one.trusted, "waiting": one.waiting} for name, one in known.items()}
        ).encode()
        write_private(self._path, b"%08x %s" % (zlib.crc32(text), text))

    def _stamp(self) -> tuple[int, int] | None:
        """What changes whenever the file is written."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns
