"""Point tables on disk, each in two files: without its table a frame is bytes without meaning."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from agent.spool.files import rename_durably, write_private
from core.delivery.tables import PointRow, PointTable

log = logging.getLogger(__name__)

_SUFFIXES = (".json", ".again")


class PointTableFiles:
    """The point tables that frames on disk use, by digest.

    A file that is not what was written is set aside when it is opened, and written again from the other one.

    Parameters
    ----------
    folder
        Where they are; it exists.
    aside
        Where damaged files are kept; it exists.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()
        for digest in {path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES}:
            files = {path: _read(path) for path in self._paths(digest) if path.exists()}
            good = [table for table in files.values() if table is not None and table.digest == digest]
            for path, table in files.items():
                if table is None or table.digest != digest:
                    rename_durably(path, aside / path.name)
                    log.error(
                        "a point table on the disk is damaged",
                        extra={
                            "where": str(path),
                            "seen": "its second copy is whole" if good else "there is no second copy",
                        },
                    )
            if good:
                self.keep(good[0])

    def keep(self, table: PointTable) -> None:
        """Write a table where it is not on disk yet; it is durable when this returns.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if table.digest in self._kept:
            return
        data = json.dumps([row.as_dict() for row in table.rows], ensure_ascii=False).encode()
        for path in self._paths(table.digest):
            if not path.exists():
                write_private(path, data)
        self._kept.add(table.digest)

    def get(self, digest: str) -> PointTable | None:
        """Return a table, or None where it is gone or damaged in both files."""
        tables = map(_read, self._paths(digest))
        return next((table for table in tables if table is not None and table.digest == digest), None)

    def _paths(self, digest: str) -> tuple[Path, ...]:
        return tuple(self._folder / f"{digest}{suffix}" for suffix in _SUFFIXES)


def _read(path: Path) -> PointTable | None:
    """The table of a file, or None where it cannot be read."""
    try:
        return PointTable(tuple(PointRow(**row) for row in json.loads(path.read_bytes())))
    except (OSError, ValueError, TypeError):
        return None
