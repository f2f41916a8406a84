"""Keeps secrets out of what is shown (pure)."""

from __future__ import annotations

import re
from typing import Final

_OF_URLS: Final = re.compile(r"(?<=://)([^/\s:@]*):[^\s]*@")
_NAMED: Final = re.compile(r"(?i)((?:password|passwd|token|secret)[\"']?\s*[:=]\s*)[^\s;,}]+")


def hide(text: str) -> str:
    """Return text without the passwords in it: of URLs, and what stands after a secret's name.

    Examples
    --------
    >>> hide("postgresql://seiren:hunter2@db/seiren"), hide("password: hunter2")
    ('postgresql://seiren:***@db/seiren', 'password: ***')
    """
    return _NAMED.sub(r"\1***", _OF_URLS.sub(r"\1:***@", text))
