"""Who a device says it is: 43/14 (device identification), and the texts that its profile names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from agent.modbus.bus import Bus, RefusedError, Reply
from agent.modbus.decode import decode_text, decode_value
from agent.modbus.plan import RegisterPoint
from agent.modbus.wire import IdentifyRequest
from agent.readings import Identity
from config.profile import Place, Profile, Text, ValueType
from core.errors import Unreachable

VENDOR, PRODUCT, REVISION = 0, 1, 2
"""Ids of the basic objects."""
_DAY_MS: Final = 86_400_000
_MORE: Final = 0xFF
_MOST_REPLIES: Final = 8


def parse_identification(data: bytes) -> tuple[dict[int, str], int | None]:
    """Return the objects of one reply to 43/14, and the id from which to ask on; None where that is all.

    Parameters
    ----------
    data
        The reply after the MEI type; what is cut off is left out.

    Examples
    --------
    >>> parse_identification(bytes.fromhex("01 01 00 00 02 00 03 414242 01 03 423234"))
    ({0: 'ABB', 1: 'B24'}, None)
    """
    if len(data) < 5:
        return {}, None
    _, _, more, following, count = data[:5]
    objects: dict[int, str] = {}
    at = 5
    for _ in range(count):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            break
        end = at + 2 + data[at + 1]
        objects[data[at]] = decode_text(data[at + 2 : end])
        at = end
    goes_on = more == _MORE and following > max(objects, default=-1)
    return objects, following if goes_on else None


async def read_identification(
    ask: Callable[[IdentifyRequest], Awaitable[Reply]], unit: int, *, code: int = 1
) -> dict[int, str]:
    """Return what a unit says by 43/14: text by object id.

    Parameters
    ----------
    ask
        Sends a request, and returns its reply; may raise.
    unit
        1 to 255.
    code
        1 basic, 2 regular, 3 extended.
    """
    objects: dict[int, str] = {}
    start: int | None = 0
    for _ in range(_MOST_REPLIES):
        if start is None:
            break
        found, start = parse_identification((await ask(IdentifyRequest(unit, code, start))).data)
        objects |= found
    return objects


class Identification:
    """Asks one unit for 43/14, and leaves a unit alone that does not know it.

    Some answer nothing at all then, which costs their bus a reconnect: so they are asked once in a
    connection, and again only a day later.

    Parameters
    ----------
    bus
        Its connection.
    unit
        1 to 255.
    """

    def __init__(self, bus: Bus, unit: int) -> None:
        self._bus, self._unit = bus, unit
        self._speechless_in, self._speechless_until_ms = -1, 0

    async def read(self, *, within_s: float | None = None) -> dict[int, str]:
        """Return what it says within a time [s]: text by object id; nothing where it does not know 43/14."""
        connection, now_ms = self._bus.stats.connects, self._bus.now_ms()
        if connection == self._speechless_in or now_ms < self._speechless_until_ms:
            return {}
        try:
            return await read_identification(partial(self._bus.ask, within_s=within_s), self._unit)
        except (RefusedError, Unreachable):
            self._speechless_in, self._speechless_until_ms = connection, now_ms + _DAY_MS
            return {}


def text_of(text: Text, profile: Profile, data: bytes) -> str:
    """Return what an identity register says; empty where it holds nothing: zeros, or ones throughout."""
    if not data.strip(b"\0") or not data.strip(b"\xff"):
        return ""
    if text.type is ValueType.STRING:
        return decode_text(data, profile.byte_order)
    place = Place(0, text.type, 1)
    order = text.word_order or profile.word_order
    value = decode_value(RegisterPoint("", (place,), order, profile.byte_order), data)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def combined(texts: dict[str, str], objects: dict[int, str]) -> Identity | None:
    """Return the identity: the profile's own texts first, else 43/14; None where neither says anything."""
    identity = Identity(
        vendor=objects.get(VENDOR, ""),
        model=texts.get("model") or objects.get(PRODUCT, ""),
        firmware=texts.get("firmware") or objects.get(REVISION, ""),
        serial_number=texts.get("serial_number", ""),
    )
    return None if identity == Identity() else identity
