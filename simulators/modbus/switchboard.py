"""Switching faults from another process: a line of text in, a line of text out.

::

    set METER FAULT [key=value ...]     -> ok       from_ms, until_ms, and the fault's own settings
    clear METER [FAULT ...]             -> ok
    show                                -> {"METER": ["FAULT", ...], ...}
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from core.errors import UsageError
from simulators.modbus.faults import Faults

_WHEN = ("from_ms", "until_ms")


class Switchboard:
    """The switches of several meters.

    Parameters
    ----------
    meters
        Name → switches.
    """

    def __init__(self, meters: Mapping[str, Faults]) -> None:
        self._meters = meters

    def obey(self, text: str) -> str:
        """Do what a line says, and return the line that answers it."""
        try:
            return self._obey(text.split())
        except UsageError as error:
            return f"refused {error.what}: {error.evidence}; {error.next}"

    def _obey(self, words: Sequence[str]) -> str:
        match words:
            case ["set", meter, fault, *settings]:
                given = settings_of(settings)
                times = {key: int(given.pop(key)) for key in _WHEN if key in given}
                self._of(meter).set(fault, **times, **given)
            case ["clear", meter, *faults]:
                self._of(meter).clear(*faults)
            case ["show"]:
                return json.dumps(
                    {name: [each.fault for each in faults] for name, faults in self._meters.items()}
                )
            case _:
                raise UsageError("Not an order", evidence=" ".join(words), next="set, clear or show")
        return "ok"

    def _of(self, meter: str) -> Faults:
        if meter not in self._meters:
            raise UsageError("No such meter", evidence=meter, next=f"one of: {', '.join(self._meters)}")
        return self._meters[meter]


def settings_of(texts: Sequence[str]) -> dict[str, Any]:
    """Return settings from texts such as ``delay_ms=500``; what looks like a number is one.

    Raises
    ------
    UsageError
        If a text is none.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError("Not a setting", evidence=text, next="write it as key=value")
        settings[key] = _number(value)
    return settings


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def fault_of(text: str) -> tuple[str, dict[str, Any]]:
    """Return a fault and its settings from a text such as ``late-replies:delay_ms=500,seed=2``.

    Raises
    ------
    UsageError
        If a setting is no setting.
    """
    name, _, settings = text.partition(":")
    return name, settings_of([each for each in settings.split(",") if each])


@asynccontextmanager
async def serve_switchboard(board: Switchboard, *, port: int) -> AsyncIterator[int]:
    """Obey on a loopback port as long as the context lasts, and give the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(f"{board.obey(line.decode(errors='replace').strip())}\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
