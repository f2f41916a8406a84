"""What a spool on disk holds, looked at without changing it: for when its agent does not run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.spool.columns import Columns, columns_at_end
from agent.spool.records import CRC_BYTES, HEADER_BYTES, MARK_BYTES, Mark, parts
from agent.spool.segments import SUFFIX, parse_name


@dataclass(frozen=True, slots=True)
class SpoolLook:
    """Frames and readings in the files [1], their size [bytes], and first and last time in them.

    Some of them a ledger may hold already: only the running agent knows.
    """

    path: str
    frames: int = 0
    readings: int = 0
    bytes: int = 0
    oldest_ms: int | None = None
    newest_ms: int | None = None
    damaged_files: int = 0
    problem: str = ""


def look(folder: Path, agent: str) -> SpoolLook:
    """Look at all segment files; of a full one only at what it says of itself at its end."""
    frames = readings = size = damaged = 0
    times: list[int] = []
    try:
        files = [path for path in folder.iterdir() if path.name.endswith(SUFFIX) and parse_name(path, agent)]
        for path in files:
            size += path.stat().st_size
            columns, whole = columns_at_end(path), True
            if columns is None:
                columns, whole = _read(path)
            frames, readings = frames + sum(map(bool, columns.n)), readings + columns.readings
            times += [time_ms for time_ms in (columns.from_ms, columns.to_ms) if time_ms is not None]
            damaged += not whole
    except OSError as error:
        return SpoolLook(str(folder), problem=error.strerror or str(error))
    return SpoolLook(
        str(folder), frames, readings, size, min(times, default=None), max(times, default=None), damaged
    )


def _read(path: Path) -> tuple[Columns, bool]:
    """What is intact in a segment that was not filled, and whether that is all of it."""
    columns, covered = Columns(0), 0
    for part in parts(path.read_bytes()):
        if isinstance(part, Mark):
            covered += MARK_BYTES
        elif part.intact and part.header.at >= columns.end:
            length = HEADER_BYTES + part.header.size + CRC_BYTES
            if not columns.n:
                columns.first = part.header.at
            columns.add(part.offset, part.header, part.offset + length)
            covered += length
    return columns, covered == path.stat().st_size
