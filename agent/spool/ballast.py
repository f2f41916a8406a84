"""Space that is taken beforehand, so that even on a full disk the reason of a loss can be written down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from agent.spool.files import write_private

BALLAST_BYTES: Final = 262_144


class Ballast:
    """A file of the spool's folder that means nothing.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, free_bytes: int) -> None:
        """Make the file where it is not there and the disk has plenty.

        Parameters
        ----------
        free_bytes
            Free on the disk [bytes].

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if free_bytes > 4 * BALLAST_BYTES and not self._path.exists():
            write_private(self._path, os.urandom(BALLAST_BYTES))  # no file system makes that smaller

    def release(self) -> bool:
        """Remove the file; tell whether it was there."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
