"""Cells of a register map: what a value is, and the words that stand for it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Words = tuple[int, ...]
Encoder = Callable[[int], Words]
RegisterMap = Mapping[int, Encoder]
"""First address on the wire → the words at a time [ms since 1970-01-01 UTC]."""

TEN_THOUSAND = 10_000

_FLOATS = {"float32": (">f", (0xFFC0, 0)), "float64": (">d", (0xFFF8, 0, 0, 0))}
_SIZES = {"16": 1, "32": 2, "48": 3, "64": 4}


def float32(value: float) -> Words:
    """Return an IEEE 754 single as two words, high word first."""
    return struct.unpack(">2H", struct.pack(">f", value))


def float64(value: float) -> Words:
    """Return an IEEE 754 double as four words, high word first."""
    return struct.unpack(">4H", struct.pack(">d", value))


def integer(value: int, words: int) -> Words:
    """Return an integer cut to `words` words, high word first, negative as two's complement."""
    return tuple(value >> 16 * place & 0xFFFF for place in reversed(range(words)))


def mod10k(value: int, words: int) -> Words:
    """Return an integer in base 10,000, one digit a word, high word first (ION meters)."""
    return tuple(value // TEN_THOUSAND**place % TEN_THOUSAND for place in reversed(range(words)))


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a map.

    Parameters
    ----------
    kind
        ``uint16`` … ``int64``, ``float32``, ``float64`` or ``mod10k32``.
    value
        What the register shows at a time [ms since 1970-01-01 UTC]; of a counter the count before `part`.
    counter
        Whether it counts energy, so that the faults of counters act on it.
    lsw_first
        Whether the low word comes first.
    part
        Which part of a counter this cell shows, where it is spread over several.
    no_value
        The words by which the meter says that it has no value, high word first; None: as the kind has it.
    """

    kind: str
    value: Callable[[int], float]
    counter: bool = False
    lsw_first: bool = False
    part: Callable[[int], int] | None = None
    no_value: Words | None = None

    def __call__(self, time_ms: int) -> Words:
        """Return the words at a time [ms since 1970-01-01 UTC]."""
        return self.encode(self.value(time_ms))

    @property
    def words(self) -> int:
        """Return the width [words]."""
        return _SIZES[self.kind[-2:]]

    @property
    def modulus(self) -> int:
        """Return where a counter of this kind starts again from 0 [counts]."""
        if self.kind.startswith("mod10k"):
            return int(TEN_THOUSAND**self.words)
        return 1 << 16 * self.words

    def encode(self, value: float) -> Words:
        """Return the words for a value."""
        if self.part is not None:
            value = self.part(int(value))
        if self.kind == "float32":
            words = float32(value)
        elif self.kind == "float64":
            words = float64(value)
        elif self.kind.startswith("mod10k"):
            words = mod10k(round(value), self.words)
        else:
            words = integer(round(value), self.words)
        return words[::-1] if self.lsw_first else words

    def absent(self) -> Words:
        """Return the words that say: no value; as wide as the kind, no wider."""
        if self.no_value is not None:
            words = self.no_value
        elif self.kind in _FLOATS:
            words = _FLOATS[self.kind][1]
        elif self.kind.startswith("int"):
            words = integer((1 << 16 * self.words - 1) - 1, self.words)
        else:
            words = (0xFFFF,) * self.words
        return words[::-1] if self.lsw_first else words


@dataclass(frozen=True, slots=True)
class TextCell:
    """Text in registers, two letters a word, ended by zeros.

    Parameters
    ----------
    text
        What it says.
    words
        Width [words].
    serial
        Whether it is the serial number, which changes when the meter is replaced.
    """

    text: str
    words: int
    serial: bool = False

    def __call__(self, time_ms: int) -> Words:
        """Return the words, at any time."""
        return self.encode(self.text)

    def encode(self, text: str) -> Words:
        """Return the words for a text."""
        return struct.unpack(
            f">{self.words}H", text.encode("ascii")[: 2 * self.words].ljust(2 * self.words, b"\0")
        )


def constant(*words: int) -> Encoder:
    """Return an encoder that always shows the same words."""
    return lambda _: words
