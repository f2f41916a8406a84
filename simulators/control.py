"""Watching and pausing a conductor from another process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from core.errors import OutsideError, UsageError

LISTEN_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands, all times in [ms since 1970-01-01 UTC]."""

    time_ms: int
    start_ms: int
    end_ms: int
    state: str
    steps: int
    absent: tuple[str, ...]

    @property
    def share(self) -> float:
        """Return how much of the run is done [1]."""
        return (self.time_ms - self.start_ms) / (self.end_ms - self.start_ms)


class Control:
    """One control connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def status(self) -> Status:
        """Return where the run stands.

        Raises
        ------
        OutsideError
            If the conductor is gone.
        """
        fields: dict[str, Any] = json.loads((await self._ask("status")).removeprefix("status "))
        return Status(**{**fields, "absent": tuple(fields["absent"])})

    async def pause(self) -> None:
        """Let time stand still."""
        await self._ask("pause")

    async def resume(self) -> None:
        """Let time go on."""
        await self._ask("resume")

    async def fault(self, text: str) -> None:
        """Switch a fault of a meter, as `simulators.modbus.switchboard` has it.

        Raises
        ------
        UsageError
            If the plant does not understand it.
        """
        answer = await self._ask(f"fault {text}")
        if answer != "ok":
            raise UsageError("The plant does not know this fault", evidence=answer, next="set METER FAULT")

    async def reach(self, time_ms: int) -> None:
        """Return when the run's time is `time_ms` [ms since 1970-01-01 UTC] or later."""
        await self._ask(f"notify {time_ms}")

    async def _ask(self, line: str) -> str:
        try:
            self._writer.write(f"{line}\n".encode())
            answer = await self._reader.readline()
        except ConnectionError:
            answer = b""
        if not answer:
            raise OutsideError("The conductor is gone", evidence=f"no answer to {line!r}")
        return answer.decode().strip()


async def listening(port: int, what: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a loopback port, as soon as somebody listens there.

    Raises
    ------
    OutsideError
        If nobody does within `LISTEN_TIMEOUT_S`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LISTEN_TIMEOUT_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            if loop.time() > deadline:
                raise OutsideError(
                    f"The {what} does not listen", where=f"127.0.0.1:{port}", evidence=str(error)
                ) from error
            await asyncio.sleep(0.03)


@asynccontextmanager
async def control(port: int) -> AsyncIterator[Control]:
    """Connect to the conductor on a loopback port, waiting for it to listen."""
    reader, writer = await listening(port, "simulator")
    writer.write(b"control\n")
    try:
        yield Control(reader, writer)
    finally:
        writer.close()
