"""What the operating system says of a connection that failed, in its own words."""

from __future__ import annotations

import os


def reason(error: OSError) -> str:
    """Return ``Connection refused`` and the like, without the library's words around it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
