"""Messages that travel deflated, where that is shorter: one marker byte, then raw deflate (RFC 1951)."""

from __future__ import annotations

import zlib

from core.errors import WireError

MARKER = b"\x01"
"""First byte of what is deflated; no JSON begins with it."""


def deflated(text: bytes) -> bytes:
    """Return the text deflated behind the marker, or as it is where that is not longer."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    short = MARKER + deflate.compress(text) + deflate.flush()
    return short if len(short) < len(text) else text


def inflated(data: bytes, most_bytes: int) -> bytes:
    """Return the text, inflated where the marker says so; a bomb is refused before it grows.

    Parameters
    ----------
    data
        What came.
    most_bytes
        Bound of what came and of the text [bytes].

    Raises
    ------
    WireError
        If either is larger, or what is deflated is not whole.
    """
    if len(data) > most_bytes:
        raise WireError(f"message of {len(data)} bytes, more than {most_bytes}", evidence=repr(data[:80]))
    if not data.startswith(MARKER):
        return data
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = inflate.decompress(memoryview(data)[1:], most_bytes + 1)
    except zlib.error as error:
        raise WireError("message that cannot be inflated", evidence=f"{error}: {data[:80]!r}") from error
    if len(text) > most_bytes:
        raise WireError(f"message of more than {most_bytes} bytes, once inflated", evidence=repr(text[:80]))
    if not inflate.eof or inflate.unused_data:
        raise WireError("message that is deflated, and not whole", evidence=repr(data[:80]))
    return text
