"""paho's client, which keeps no more of a message than anybody may look at, and sends at once."""

from __future__ import annotations

import socket
from typing import Final

from paho.mqtt.client import Client

MAX_PACKET_BYTES: Final = 1_100_000
"""What is kept of a message; the rest is read and dropped, so that none fills the memory [bytes]."""

_CHUNK_BYTES: Final = 65_536


class BoundedClient(Client):
    """A client whose memory no message can fill.

    Of a larger one the beginning is handed on, still longer than anybody takes, and it is acknowledged:
    to end the connection instead would bring a retained one back for ever.
    """

    def _create_socket_connection(self) -> socket.socket:  # of paho 2.2: before TLS
        link: socket.socket = super()._create_socket_connection()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a handshake waits 40 ms for an ACK
        return link

    def _sock_recv(self, bufsize: int) -> bytes:  # of paho 2.2: asks for the rest of the packet
        del self._in_packet["packet"][MAX_PACKET_BYTES:]
        return super()._sock_recv(bufsize if bufsize <= MAX_PACKET_BYTES else _CHUNK_BYTES)
