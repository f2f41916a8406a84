"""How deep JSON is nested and how much it holds, told without parsing it: a parser would build it first."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 20
"""Deepest nesting that is looked at [1]; our own messages have 5 levels."""

MAX_VALUES: Final = 100_000
MAX_KEYS: Final = 20_000
"""Most values, and most keys of objects, that are looked at [1]: a parser makes 50 bytes of a value of two
bytes, and 3,000 of a key that should not be there."""

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.S)
_SAME = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{},:")


def refusal(data: bytes) -> str:
    """Return why JSON should not be parsed, empty where nothing is wrong with it.

    Parameters
    ----------
    data
        The text, whatever it is; what stands in its strings does not count.

    Examples
    --------
    >>> refusal(b"[" * 20 + b"]" * 20), refusal(b"[" * 21 + b"]" * 21)
    ('', 'nested more than 20 deep')
    """
    brackets = _TEXT.sub(b"", data).translate(_SAME, _OTHERS)
    keys = brackets.count(b":")
    values = brackets.count(b",") + brackets.count(b"[")
    brackets = brackets.translate(None, b",:")
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        return f"nested more than {MAX_DEPTH} deep"
    if keys > MAX_KEYS:
        return f"of more than {MAX_KEYS:,} keys"
    return f"of more than {MAX_VALUES:,} values" if values > MAX_VALUES else ""
