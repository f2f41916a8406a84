"""How far a demo is: a bar on a terminal, a few lines on a pipe."""

from __future__ import annotations

import sys
from typing import TextIO

WIDTH = 20


class Progress:
    """Shows the share that is done, in place on a terminal, at each quarter elsewhere.

    Parameters
    ----------
    days
        Days of the run.
    name
        What is run, ``February 2024``.
    stream
        Where to show it.
    """

    def __init__(self, days: int, name: str, stream: TextIO | None = None) -> None:
        self._days = days
        self._name = name
        self._stream = stream or sys.stdout
        self._in_place = self._stream.isatty()
        self._quarter = -1
        self._length = 0

    def show(self, share: float, note: str = "") -> None:
        """Show that `share` [1] of the run is done."""
        share = min(max(share, 0.0), 1.0)
        bar = "#" * int(share * WIDTH)
        line = f"[{bar:-<{WIDTH}}] {int(share * self._days):>2} of {self._days} days   {self._name}   {note}"
        line = line.rstrip()
        if self._in_place:
            self._stream.write(f"\r{line:<{self._length}}")
            self._length = len(line)
        elif int(share * 4) > self._quarter:
            self._quarter = int(share * 4)
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def end(self, note: str) -> None:
        """Show that all is done, and leave the line."""
        self._quarter = -1
        self.show(1.0, note)
        if self._in_place:
            self._stream.write("\n")
            self._stream.flush()
