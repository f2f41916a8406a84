"""The durable epoch table: what each run of the agent wrote, and what of it no longer exists and why.

A log of lines, ``CRC-32 JSON``; the last intact line of an epoch and lane is its entry. It is small, is
rewritten when it is opened, and is kept even when all frames are gone: a ledger restored from a time
before an epoch must still hear of it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from agent.spool.files import rename_durably, sync_data
from core.delivery.frames import Lane
from core.delivery.messages import Ended, Gone

_GROWTH = 4
_SLACK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Entry:
    """One epoch in one lane.

    Parameters
    ----------
    epoch, lane
        Whose it is.
    prev, prev_frames, prev_readings, prev_clean
        The epoch before it, where that ended, and whether in order; None and zeros for the first.
    frames, readings
        Where it ended, or how far it is known to go [1].
    ended, clean
        Whether `frames` and `readings` are final, and whether the run ended in order.
    gone
        Ranges that no longer exist, by first index.
    """

    epoch: str
    lane: Lane
    prev: str | None = None
    prev_frames: int = 0
    prev_readings: int = 0
    prev_clean: bool = False
    frames: int = 0
    readings: int = 0
    ended: bool = False
    clean: bool = False
    gone: tuple[Gone, ...] = ()

    def as_ended(self) -> Ended:
        """Return the entry as inventories list it."""
        return Ended(
            self.epoch,
            self.frames,
            self.readings,
            self.prev,
            self.prev_frames,
            self.prev_readings,
            self.prev_clean,
        )

    def with_gone(self, gone: Gone) -> Entry:
        """Return the entry with one more range; what was freed side by side is one range."""
        ranges: list[Gone] = []
        for entry in sorted((*self.gone, gone), key=lambda entry: entry.first):
            last = ranges[-1] if ranges else None
            if last and last.reason == entry.reason == "freed" and last.first + last.frames == entry.first:
                ranges[-1] = last._replace(
                    frames=last.frames + entry.frames,
                    readings=last.readings + entry.readings,
                    digest=None,
                    from_ms=min(_known(last.from_ms, entry.from_ms), default=None),
                    to_ms=max(_known(last.to_ms, entry.to_ms), default=None),
                )
            else:
                ranges.append(entry)
        return replace(self, gone=tuple(ranges))


class EpochTable:
    """The epoch table in its file.

    Parameters
    ----------
    path
        The file; it is made where there is none.

    Raises
    ------
    OSError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, Lane], Entry] = {}
        self._live_bytes = 0
        self.damaged_lines = 0
        if path.exists():
            for line in path.read_bytes().splitlines():
                entry = _parse(line)
                if entry is None:
                    self.damaged_lines += 1
                else:
                    self._entries[entry.epoch, entry.lane] = entry
            if self.damaged_lines:
                kept = path.with_name(f"{path.name}.damaged-{zlib.crc32(path.read_bytes()):08x}")
                rename_durably(path, kept)
        self._file = self._rewrite()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def get(self, epoch: str, lane: Lane) -> Entry | None:
        """Return an entry, or None."""
        return self._entries.get((epoch, lane))

    def last_epoch(self) -> str | None:
        """Return the newest epoch, or None."""
        return next(reversed(self._entries), (None, None))[0]

    def put(self, *entries: Entry) -> None:
        """Write entries; they are durable when this returns."""
        for entry in entries:
            self._entries[entry.epoch, entry.lane] = entry
        self._file.write(b"".join(map(_line, entries)))
        self._file.flush()
        sync_data(self._file.fileno())
        if self._file.tell() > _GROWTH * self._live_bytes + _SLACK_BYTES:
            self._file.close()
            self._file = self._rewrite()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rewrite(self) -> IO[bytes]:
        """Write the live entries to a new file, put it in place, and leave it open for more."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        lines = b"".join(map(_line, self._entries.values()))
        self._live_bytes = len(lines)
        with fresh.open("wb") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        rename_durably(fresh, self._path)
        return self._path.open("ab")


def _line(entry: Entry) -> bytes:
    """An entry as a line of the log."""
    text = json.dumps(asdict(entry), separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(line: bytes) -> Entry | None:
    """The entry of a line, or None where it is damaged."""
    crc, _, text = line.partition(b" ")
    if crc != b"%08x" % zlib.crc32(text):
        return None
    fields = json.loads(text)
    fields["lane"] = Lane(fields["lane"])
    fields["gone"] = tuple(Gone(*gone) for gone in fields["gone"])
    return Entry(**fields)


def _known(*times_ms: int | None) -> list[int]:
    """Those of the times that are known."""
    return [time_ms for time_ms in times_ms if time_ms is not None]
