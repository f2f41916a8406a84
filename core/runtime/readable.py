"""Whether a socket still has something to say, beyond what an event loop tells of it."""

from __future__ import annotations

import socket
import ssl


def has_more(sock: object) -> bool:
    """Tell whether there is more to read: bytes, an end or an error; nothing is read.

    Of TLS a part may be decrypted already, which no socket shows. And of a socket that was reset while
    bytes waited in it uvloop tells once, and then never again.
    """
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    if not isinstance(sock, socket.socket):
        return False
    try:
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # TLS's own refuses flags
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
