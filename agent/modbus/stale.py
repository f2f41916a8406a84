"""Late replies where no transaction id tells them: what may still come, and how to be rid of it (pure).

On a serial line a reply that comes after its deadline looks like the reply to the next request of the
same unit, if that has the same function and length. A device answers in order, though: once it has
answered a request of another length, the old reply can no longer come.
"""

from __future__ import annotations

from typing import Final

from agent.modbus.wire import MAX_BITS, MAX_WORDS, ReadRequest, Request

FORGOTTEN_AFTER_S: Final = 30.0
"""No device, and no gateway, answers later than this [s]."""
_CANDIDATES: Final = 16


class Unanswered:
    """Replies that one unit may still owe, by function and length."""

    def __init__(self) -> None:
        self._owed: dict[tuple[int, int], float] = {}  # form → when it was given up

    def gave_up(self, request: Request, now_s: float) -> None:
        """Remember a request without reply; `now_s` is monotonic [s]."""
        if isinstance(request, ReadRequest):  # a late identification is still that of the same device
            self._owed[request.function, request.size] = now_s

    def answered(self, request: Request, now_s: float, *, refused: bool) -> None:
        """Forget what a reply proves to be past, for a device answers in order.

        Parameters
        ----------
        request
            What it was the reply to.
        now_s
            Monotonic [s].
        refused
            Whether it is an exception: that may be the old reply, and the one to `request` still be owed.
        """
        if self._owed and isinstance(request, ReadRequest):
            form = (request.function, request.size)
            if refused:
                self._owed = {form: now_s}
            elif form not in self._owed:
                self._owed.clear()

    def to_ask_first(self, request: Request, now_s: float) -> ReadRequest | None:
        """Return a request with a reply of another length, where an old reply could pass for the new one.

        Parameters
        ----------
        request
            What is to be asked.
        now_s
            Monotonic [s].
        """
        if not self._owed or not isinstance(request, ReadRequest):
            return None
        self._owed = {form: at for form, at in self._owed.items() if now_s - at < FORGOTTEN_AFTER_S}
        if (request.function, request.size) not in self._owed:
            return None
        return min(
            _neighbours(request),
            key=lambda other: self._owed.get((other.function, other.size), float("-inf")),
        )


def _neighbours(request: ReadRequest) -> list[ReadRequest]:
    """Return requests for nearly the same registers, shorter ones first: what lies beyond may not exist."""
    step, most = (1, MAX_WORDS) if request.function > 2 else (8, MAX_BITS)
    shorter = range(request.count - step, 0, -step)
    longer = range(request.count + step, most + 1, step)
    return [
        ReadRequest(request.unit, request.function, min(request.address, 0x10000 - count), count)
        for count in [*shorter, *longer][:_CANDIDATES]
    ]
