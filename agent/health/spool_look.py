"""What a spool on disk holds, looked at without changing it: for when its agent does not run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.spool.records import CRC_BYTES, HEADER_BYTES, NO_TIME, header_at
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
    """Walk along the headers of all segment files; payloads are passed over."""
    frames = readings = held = damaged = 0
    times: list[int] = []
    try:
        files = [path for path in folder.iterdir() if path.name.endswith(SUFFIX) and parse_name(path, agent)]
        for path in files:
            total, at = path.stat().st_size, 0
            held += total
            with path.open("rb") as file:
                while at < total:
                    file.seek(at)
                    header = header_at(file.read(HEADER_BYTES), 0)
                    end = at + HEADER_BYTES + (header.size if header else 0) + CRC_BYTES
                    if header is None or end > total:
                        damaged += 1
                        break
                    frames, readings, at = frames + 1, readings + header.n, end
                    if header.from_ms != NO_TIME:
                        times += (header.from_ms, header.to_ms)
                        times = [min(times), max(times)]
    except OSError as error:
        return SpoolLook(str(folder), problem=error.strerror or str(error))
    return SpoolLook(
        str(folder), frames, readings, held, min(times, default=None), max(times, default=None), damaged
    )
