"""The durable epoch table: what each run of the agent wrote, and what of it no longer exists and why.

A log of lines, ``CRC-32 JSON``, in two files that hold the same; the newest intact line of an epoch and lane
is its entry, so that a byte that flips in one of them costs nothing. It is small, is rewritten when it is
opened, and is kept even when all frames are gone: a ledger restored from a time before an epoch must still
hear of it.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from agent.spool.files import FULL, AppendFile, rename_durably, sync_data, write_private
from core.delivery.frames import Lane
from core.delivery.messages import Ended, Gone

_LOG = logging.getLogger(__name__)

NAMES: Final = ("epochs.log", "epochs.again")
"""The two files; only the first is synced at each change."""

_GROWTH = 4
_SLACK_BYTES = 65_536
_MOST_RANGES = 256
"""Ranges of an entry that keep their own digest; those dropped side by side before them become one [1]."""


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
            if ranges and ranges[-1].reason == "freed" and _adjoin(ranges[-1], entry):
                ranges[-1] = _joined(ranges[-1], entry)
            else:
                ranges.append(entry)
        while len(ranges) > _MOST_RANGES:
            pairs = enumerate(pairwise(ranges))
            at = next((at for at, (a, b) in pairs if a.reason == "disk_full" and _adjoin(a, b)), None)
            if at is None:
                break
            ranges[at : at + 2] = [_joined(*ranges[at : at + 2])]
        return replace(self, gone=tuple(ranges))


class EpochTable:
    """The epoch table in its files.

    Parameters
    ----------
    folder
        The spool's folder; the files are made where there are none.
    give_room
        Called when the disk is full; returns whether writing is worth another try.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    """

    def __init__(self, folder: Path, give_room: Callable[[], bool] = lambda: False) -> None:
        self._paths = tuple(folder / name for name in NAMES)
        self._give_room = give_room
        self._live_bytes = self._number = 0
        lines: dict[int, Entry] = {}
        for path in self._paths:
            lines |= self._read(path)
        self._entries = {(entry.epoch, entry.lane): entry for _, entry in sorted(lines.items())}
        self._number = max(lines, default=0)
        self._files = self._rewrite()

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
        lines = b"".join(map(self._line, entries))
        self._with_room(lambda: self._files[0].append(lines))
        sync_data(self._files[0].fileno())
        self._with_room(lambda: self._files[1].append(lines))
        for entry in entries:
            self._entries[entry.epoch, entry.lane] = entry
        if self._files[0].size > _GROWTH * self._live_bytes + _SLACK_BYTES:
            self.close()
            self._files = self._rewrite()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _read(self, path: Path) -> dict[int, Entry]:
        """The intact lines of a file by their numbers; a file with others is kept aside."""
        data = path.read_bytes() if path.exists() else b""
        *lines, torn = data.split(b"\n")
        found: dict[int, Entry] = {}
        damaged = 0
        for place, line in enumerate((*lines, torn)):
            parsed = _parse(line, place)
            if parsed is not None:
                found[parsed[0]] = parsed[1]
            elif line is not torn:  # a line that was written in part when the machine stopped is no damage
                damaged += 1
        if damaged:
            aside = path.with_name(f"{path.name}.damaged-{zlib.crc32(data):08x}")
            rename_durably(path, aside)
            _LOG.error(
                "one of the two copies of the epoch table is damaged",
                extra={
                    "where": str(path),
                    "seen": f"{damaged} of {len(lines)} lines are not what was written",
                    "next": f"nothing: what the other copy has is kept; this one is {aside.name} now",
                },
            )
        return found

    def _rewrite(self) -> tuple[AppendFile, ...]:
        """Write the live entries to new files, put them in place, and leave them open for more."""
        lines = b"".join(map(self._line, self._entries.values()))
        self._live_bytes = len(lines)
        for path in self._paths:
            try:
                self._with_room(partial(write_private, path, lines))
            except OSError as error:
                if error.errno not in FULL or not path.exists():
                    raise  # the old file is as good, only longer
        return tuple(AppendFile(path) for path in self._paths)

    def _with_room(self, write: Callable[[], object]) -> None:
        """Write, and once more where the disk was full and room could be given."""
        try:
            write()
        except OSError as error:
            if error.errno not in FULL or not self._give_room():
                raise
            write()

    def _line(self, entry: Entry) -> bytes:
        """An entry as the next line of the log."""
        self._number += 1
        text = json.dumps({"s": self._number, **asdict(entry)}, separators=(",", ":")).encode()
        return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(line: bytes, place: int) -> tuple[int, Entry] | None:
    """The number of a line, its place where it has none, and its entry; None where it is damaged."""
    crc, _, text = line.partition(b" ")
    if not text or crc != b"%08x" % zlib.crc32(text):
        return None
    fields: dict[str, Any] = json.loads(text)
    number = fields.pop("s", place)
    fields["lane"] = Lane(fields["lane"])
    fields["gone"] = tuple(Gone(*gone) for gone in fields["gone"])
    return number, Entry(**fields)


def _adjoin(one: Gone, other: Gone) -> bool:
    """Whether two ranges of one reason stand side by side."""
    return one.reason == other.reason and one.first + one.frames == other.first


def _joined(one: Gone, other: Gone) -> Gone:
    """Two ranges that stand side by side as one; a digest over the ids of both is not known."""
    return one._replace(
        frames=one.frames + other.frames,
        readings=one.readings + other.readings,
        digest=None,
        from_ms=min(_known(one.from_ms, other.from_ms), default=None),
        to_ms=max(_known(one.to_ms, other.to_ms), default=None),
    )


def _known(*times_ms: int | None) -> list[int]:
    """Those of the times that are known."""
    return [time_ms for time_ms in times_ms if time_ms is not None]
