"""Child processes of a demo: started, watched, killed on purpose, and never left behind.

Each child leads a session of its own, so that Ctrl-C at the terminal reaches the demo alone, which then ends
the children in good order. A sentinel process ends them if the demo itself is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from core.errors import OutsideError

T = TypeVar("T")

TAIL_LINES = 12
STOP_GRACE_S = 8.0
NOTICE_S = 0.5
"""How long a failure waits for the end of a child that may be its cause [s]."""

_SENTINEL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    word, pid = line.split()
    (groups.add if word == "started" else groups.discard)(int(pid))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@dataclass(slots=True)
class Child:
    """One child: how it is started, where it logs, and the process it is now."""

    name: str
    command: Sequence[str]
    log: Path
    process: asyncio.subprocess.Process
    ending: bool = field(default=False)
    """Whether its end is wanted, and no failure."""

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            return "\n".join(lines[-TAIL_LINES:])
        return ""


class Children:
    """The children of a demo; leaving the context ends all of them, the last started first.

    Parameters
    ----------
    logs
        Folder for one log file per child.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, Child] = {}
        self._sentinel: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._sentinel = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _SENTINEL,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for name in reversed(tuple(self._children)):
                await self.stop(name)
        finally:  # a second Ctrl-C comes through here: whoever is left is killed
            for child in self._children.values():
                _signal(child, signal.SIGKILL)
            if self._sentinel is not None and self._sentinel.stdin is not None:
                self._sentinel.stdin.close()
                await self._sentinel.wait()

    async def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a child; its output goes to its log.

        Raises
        ------
        OutsideError
            If the program cannot be started.
        """
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            except OSError as error:
                raise OutsideError(
                    f"The {name} cannot be started", where=command[0], evidence=str(error)
                ) from error
        child = self._children[name] = Child(name, command, log, process)
        self._tell_sentinel("started", process.pid)
        self._changed.set()
        return child

    async def stop(self, name: str) -> None:
        """End a child in good order: SIGTERM, and SIGKILL if it takes longer than `STOP_GRACE_S`."""
        child = self._children[name]
        child.ending = True
        _signal(child, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.process.wait(), STOP_GRACE_S)
        except TimeoutError:
            _signal(child, signal.SIGKILL)
            await child.process.wait()
        self._tell_sentinel("ended", child.process.pid)

    async def kill(self, name: str) -> None:
        """Kill a child with SIGKILL, as a power cut or the kernel would."""
        child = self._children[name]
        child.ending = True
        _signal(child, signal.SIGKILL)
        await child.process.wait()
        self._tell_sentinel("ended", child.process.pid)

    async def restart(self, name: str) -> Child:
        """Start a killed child again with the command it had."""
        return await self.start(name, self._children[name].command)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns, unless a child ends by itself meanwhile.

        Raises
        ------
        OutsideError
            A child ended though nobody wanted it: its name, exit code and last lines.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self._changed.clear()
                await self._first_of(self._changed.wait(), task)
                if not task.done():
                    self._raise_ended()
            if task.exception() is not None:  # it may only have noticed that a child is gone
                await self._first_of(asyncio.sleep(NOTICE_S))
                self._raise_ended()
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _first_of(
        self, event: Coroutine[Any, Any, object], task: asyncio.Future[Any] | None = None
    ) -> None:
        """Return at the event, when the task is done, or when a child ended that nobody wanted to end."""
        waits = [child.process.wait() for child in self._children.values() if not child.ending]
        waiting = [asyncio.ensure_future(each) for each in (event, *waits)]
        try:
            await asyncio.wait((*waiting, *filter(None, [task])), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _raise_ended(self) -> None:
        for child in self._children.values():
            if child.process.returncode is not None and not child.ending:
                raise OutsideError(
                    f"The {child.name} ended by itself",
                    where=str(child.log),
                    evidence=f"exit {child.process.returncode}\n{child.log_tail()}",
                    next=f"read {child.log}",
                )

    async def run(self, name: str, command: Sequence[str]) -> str:
        """Run a command to its end, and return its standard output.

        Raises
        ------
        OutsideError
            If it exits with another code than 0: what it wrote.
        """
        code, output, errors = await self.ask(name, command)
        if code != 0:
            raise OutsideError(
                f"`{name}` failed",
                where=" ".join(command),
                evidence=f"exit {code}\n{(errors or output).strip()}",
                next=f"read the logs in {self._logs}",
            )
        return output

    async def ask(self, name: str, command: Sequence[str]) -> tuple[int, str, str]:
        """Run a command to its end, and return exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._tell_sentinel("started", process.pid)
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
            self._tell_sentinel("ended", process.pid)
        assert process.returncode is not None
        return process.returncode, output.decode(errors="replace"), errors.decode(errors="replace")

    def _tell_sentinel(self, word: str, pid: int) -> None:
        if self._sentinel is not None and self._sentinel.stdin is not None:
            self._sentinel.stdin.write(f"{word} {pid}\n".encode())


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)
