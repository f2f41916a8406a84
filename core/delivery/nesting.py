"""How deep JSON is nested, told without parsing it: a parser would build what is to be refused."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 20
"""Deepest nesting that is looked at [1]; our own messages have 5 levels."""

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.S)
_SAME = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def is_too_deep(data: bytes) -> bool:
    """Tell whether JSON is nested deeper than `MAX_DEPTH`, or its brackets do not pair.

    Parameters
    ----------
    data
        The text, whatever it is; brackets inside its strings do not count.

    Examples
    --------
    >>> is_too_deep(b"[" * 20 + b"]" * 20), is_too_deep(b"[" * 21 + b"]" * 21)
    (False, True)
    """
    brackets = _TEXT.sub(b"", data).translate(_SAME, _OTHERS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
