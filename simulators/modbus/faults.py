"""Faults that a simulated device, or the line before it, can be given.

A fault is switched on at a moment and off at another, in the plant's time, so that a run with faults is the
same each time. What a fault does to registers depends on the moment alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.errors import UsageError


class Fault(StrEnum):
    """What can go wrong."""

    METER_SILENT = "meter-silent"
    REGISTER_REFUSED = "register-refused"
    GATEWAY_BUSY = "gateway-busy"
    GARBLED_REPLIES = "garbled-replies"
    BAD_CHECKSUM = "bad-checksum"
    WRONG_LENGTH = "wrong-length"
    WRONG_UNIT = "wrong-unit"
    WRONG_FUNCTION = "wrong-function"
    SHORT_REPLY = "short-reply"
    NOISE = "noise"
    DRIPPING_REPLY = "dripping-reply"
    HALF_OPEN = "half-open"
    LATE_REPLIES = "late-replies"
    WRONG_TRANSACTION = "wrong-transaction"
    EARLIER_REPLY = "earlier-reply"
    NO_VALUE = "no-value"
    FROZEN_REGISTER = "frozen-register"
    REGISTER_ROLLOVER = "register-rollover"
    REGISTER_RESET = "register-reset"
    METER_REPLACED = "meter-replaced"
    REGISTER_DIP = "register-dip"
    REGISTER_BACK = "register-back"
    WORD_ORDER_SWAPPED = "word-order-swapped"
    SCALE_CHANGED = "scale-changed"
    NEEDS_GAP = "needs-gap"
    NEEDS_SETTLE = "needs-settle"


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault in words, and what can be said about it."""

    text: str
    settings: Mapping[str, Any]
    of_registers: bool = False


def _kind(text: str, of_registers: bool = False, **settings: Any) -> Kind:
    return Kind(text, MappingProxyType(settings), of_registers)


def _registers(text: str, **settings: Any) -> Kind:
    return _kind(text, of_registers=True, **settings)


KINDS: Mapping[Fault, Kind] = MappingProxyType(
    {
        Fault.METER_SILENT: _kind("never answers"),
        Fault.REGISTER_REFUSED: _kind("answers with an exception", code=2, first=0, last=0xFFFF),
        Fault.GATEWAY_BUSY: _kind("the gateway answers instead: 5, 6 busy, 10 no path, 11 no reply", code=6),
        Fault.GARBLED_REPLIES: _kind("one of the next six at random", seed=1),
        Fault.BAD_CHECKSUM: _kind("a checksum that is wrong; over TCP a header that is no Modbus"),
        Fault.WRONG_LENGTH: _kind("says that more bytes follow than do"),
        Fault.WRONG_UNIT: _kind("another unit answers"),
        Fault.WRONG_FUNCTION: _kind("the reply is to another function"),
        Fault.SHORT_REPLY: _kind("fewer registers than asked, the frame itself right"),
        Fault.NOISE: _kind("bytes at random", seed=1),
        Fault.DRIPPING_REPLY: _kind("the reply comes byte by byte", bytes_per_s=1.0),
        Fault.HALF_OPEN: _kind("the line takes connections and all that is sent, and never answers or ends"),
        Fault.LATE_REPLIES: _kind("the right reply comes late", delay_ms=2000.0),
        Fault.WRONG_TRANSACTION: _kind("the reply carries another request's number (TCP)"),
        Fault.EARLIER_REPLY: _kind("the reply to the request before this one"),
        Fault.NO_VALUE: _registers("all registers say that there is no value"),
        Fault.FROZEN_REGISTER: _registers("energy stands still while power flows"),
        Fault.REGISTER_ROLLOVER: _registers(
            "energy is about to start again from 0, at its width or another count", left=100, at=0
        ),
        Fault.REGISTER_RESET: _registers("energy starts again from 0"),
        Fault.METER_REPLACED: _registers(
            "another meter: serial number and register", serial="SIM-0002", opening=4711
        ),
        Fault.REGISTER_DIP: _registers("energy reads 0 as long as it lasts"),
        Fault.REGISTER_BACK: _registers("energy is lower as long as it lasts", counts=100),
        Fault.WORD_ORDER_SWAPPED: _registers("the words of each value in the other order"),
        Fault.SCALE_CHANGED: _registers("energy in another scale", factor=1000.0),
        Fault.NEEDS_GAP: _kind("is deaf for a while after each reply", gap_ms=50.0),
        Fault.NEEDS_SETTLE: _kind("is deaf for a while after a connection is made", settle_ms=200.0),
    }
)

GARBLED = (
    Fault.BAD_CHECKSUM,
    Fault.WRONG_LENGTH,
    Fault.WRONG_UNIT,
    Fault.WRONG_FUNCTION,
    Fault.SHORT_REPLY,
    Fault.NOISE,
)


@dataclass(frozen=True, slots=True)
class Switch:
    """A fault from a moment on, until another or for ever [ms since 1970-01-01 UTC]."""

    fault: Fault
    from_ms: int
    until_ms: int | None
    settings: Mapping[str, Any]

    def acts(self, time_ms: int) -> bool:
        """Return whether it acts at a time [ms since 1970-01-01 UTC]."""
        return self.from_ms <= time_ms and (self.until_ms is None or time_ms < self.until_ms)


class Faults:
    """The switches of one device or of one line.

    Parameters
    ----------
    now_ms
        The plant's time [ms since 1970-01-01 UTC].
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._switches: tuple[Switch, ...] = ()

    def __bool__(self) -> bool:
        """Return whether any switch is known, acting or not."""
        return bool(self._switches)

    def __iter__(self) -> Iterator[Switch]:
        """Yield the switches."""
        return iter(self._switches)

    def set(
        self, fault: str, *, from_ms: int | None = None, until_ms: int | None = None, **settings: Any
    ) -> None:
        """Switch a fault on; what it was set to before is forgotten.

        Parameters
        ----------
        fault
            A name of `Fault`.
        from_ms, until_ms
            When it acts, [from, until) [ms since 1970-01-01 UTC]; None: from now on, and until `clear`.
        settings
            As in `KINDS`, the rest as there.

        Raises
        ------
        UsageError
            No such fault, or no such setting of it.
        """
        name = named(fault)
        known = KINDS[name].settings
        for key in settings:
            if key not in known:
                raise UsageError(
                    f"{name} has no such setting", evidence=key, next=f"it has: {', '.join(known) or 'none'}"
                )
        self.clear(name)
        since_ms = self._now_ms() if from_ms is None else from_ms
        self._switches += (Switch(name, since_ms, until_ms, {**known, **settings}),)

    def clear(self, *faults: str) -> None:
        """Switch faults off; without a name all of them."""
        names = {named(fault) for fault in faults}
        self._switches = tuple(each for each in self._switches if names and each.fault not in names)

    def acting(self, time_ms: int) -> tuple[Switch, ...]:
        """Return the switches that act at a time [ms since 1970-01-01 UTC]."""
        return tuple(each for each in self._switches if each.acts(time_ms))


def named(fault: str) -> Fault:
    """Return the fault of a name.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return Fault(fault)
    except ValueError:
        raise UsageError("Not a fault", evidence=fault, next=f"choose from: {', '.join(Fault)}") from None
