"""Memory and open files of processes over time (Linux: it reads /proc)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from subprocess import Popen
from types import TracebackType
from typing import Any, Self

EVERY_S = 5.0
WARM_UP_S = 180.0
"""What a process takes in this time after its start is no slope [s]."""


@dataclass
class Life:
    """One run of a process."""

    started_s: float
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @property
    def settled(self) -> list[tuple[float, float]]:
        """Memory after the time that a process needs to settle: [s] and [MB]."""
        return [(at_s, mb) for at_s, mb in self.memory_mb if at_s - self.started_s > WARM_UP_S]


class Watch:
    """Looks at processes in a thread of its own while it is entered.

    Parameters
    ----------
    processes
        By name; each new process under a name is a life of its own.
    names
        Which of them to look at.
    """

    def __init__(self, processes: Mapping[str, Popen[Any]], names: Sequence[str]) -> None:
        self.lives: dict[str, list[Life]] = {name: [] for name in names}
        self._processes = processes
        self._pids: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            for name in self.lives:
                self._look(name, self._processes[name].pid, time.monotonic())

    def _look(self, name: str, pid: int, now_s: float) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            return  # it ended just now
        if "VmRSS:" not in status:
            return
        if self._pids.get(name) != pid:
            self._pids[name] = pid
            self.lives[name].append(Life(now_s))
        life = self.lives[name][-1]
        life.memory_mb.append((now_s, int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6))
        life.files.append(files)


def figures(lives: Mapping[str, list[Life]]) -> dict[str, dict[str, Any]]:
    """Return the largest memory and number of open files, and of the longest life the memory minute by minute
    and its slope after the warm-up.
    """
    return {
        name: {
            "lives": len(each),
            "memory_mb_max": round(max(mb for life in each for _, mb in life.memory_mb), 1),
            "open_files_max": max(files for life in each for files in life.files),
            "open_files_last": each[-1].files[-1],
            "longest_life_s": round(longest.memory_mb[-1][0] - longest.started_s),
            "memory_mb_by_minute": [round(mb, 1) for _, mb in longest.memory_mb[:: round(60 / EVERY_S)]],
            "memory_slope_mb_per_10_min": slope_per_10_min(longest.settled),
        }
        for name, each in lives.items()
        for longest in [max(each, key=lambda life: len(life.memory_mb))]
    }


def slope_per_10_min(points: list[tuple[float, float]]) -> float | None:
    """Return the median slope between any two points [MB per 10 min]; None where there are few.

    What is taken once, for the largest backlog so far, moves a least-squares line and hardly this one; what
    is taken again and again moves both alike (Theil and Sen's estimator).
    """
    if len(points) < 10:
        return None
    slopes = [
        (mb - before_mb) / (at_s - before_s) for (before_s, before_mb), (at_s, mb) in combinations(points, 2)
    ]
    return round(600 * median(slopes), 2)
