"""The product's processes as a test has them: born by the nursery, killed, stopped, born again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.faults.nursery import ROOT, Wanted

BORN_WITHIN_S = 30.0
ENDS_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.01


class Child:
    """One process.

    Attributes
    ----------
    pid
        Its number.
    code
        Its exit code, negative for a signal; None: it runs.
    """

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self.code: int | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.code is None:
            os.kill(self.pid, number)

    async def ended(self, within_s: float = ENDS_WITHIN_S) -> int:
        """Wait for its end; return its exit code."""
        deadline_s = time.monotonic() + within_s
        while self.code is None:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"still runs after {within_s:g} s:\n{self.log.read_text()[-3000:]}")
            await asyncio.sleep(_LOOK_EVERY_S)  # its end is told to a thread
        return self.code


class Nursery:
    """The process that forks all others; one serves many tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests/e2e/faults/nursery.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._changed = threading.Condition()
        self._is_gone = False
        self._born: list[int] = []
        self._codes: dict[int, int] = {}
        self._children: dict[int, Child] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(ENDS_WITHIN_S)
        self._listener.join()

    def start(self, wanted: Wanted) -> Child:
        """Start a process of the product."""
        assert self._process.stdin is not None
        with self._changed:
            self._process.stdin.write(wanted.line())
            self._process.stdin.flush()
            self._changed.wait_for(lambda: self._born or self._is_gone, BORN_WITHIN_S)
            assert self._born, "the nursery has nobody born; what it printed says why"
            child = Child(self._born.pop(), Path(wanted.log))
            self._children[child.pid] = child
            child.code = self._codes.pop(child.pid, None)
        return child

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._changed:
                if "born" in told:
                    self._born.append(told["born"])
                elif (child := self._children.pop(told["ended"], None)) is not None:
                    child.code = told["code"]
                else:
                    self._codes[told["ended"]] = told["code"]
                self._changed.notify_all()
        with self._changed:
            self._is_gone = True
            self._changed.notify_all()
