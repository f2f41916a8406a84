"""One OPC UA session to one server, opened when it is needed, and rebuilt whole after any trouble.

asyncua's own reconnect is not used: it keeps old namespace indexes. Here every new session resolves its
namespace URIs and reads the server's limits again.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from agent.sockets import reason
from core.errors import Unreachable

_SESSION_TIMEOUT_MS: Final = 60_000
_WATCHDOG_S: Final = 10.0
_LIMIT_NODE: Final = ua.NodeId.from_string("i=11705")
"""Server_ServerCapabilities_OperationLimits_MaxNodesPerRead."""
_TROUBLE: Final = (UaError, OSError, TimeoutError, ValueError, struct.error)
"""What asyncua lets out when a server is gone, refuses, or sends something else than OPC UA."""


class OpcUaSession:
    """A session without security, shared by the devices of one server.

    Parameters
    ----------
    url
        The server's address, ``opc.tcp://host:port/path``.
    timeout_s
        Deadline of each request [s].
    now_ms
        The clock that readings carry [ms since 1970-01-01 UTC].
    """

    def __init__(self, url: str, *, timeout_s: float, now_ms: Callable[[], int]) -> None:
        self.url = url
        self.now_ms = now_ms
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._client: Client | None = None
        self._namespaces: tuple[str, ...] = ()
        self._batch = 0  # nodes per request, 0: as many as there are

    async def read(self, nodes: Sequence[Address]) -> tuple[tuple[ua.DataValue | None, ...], int]:
        """Return what the server says of each node, and when it was asked.

        Returns
        -------
        tuple
            Per node its value with status, or None where the server does not have the node's
            namespace; and the middle of the request [ms since 1970-01-01 UTC].

        Raises
        ------
        Unreachable
            If there is no session, or no complete answer in time.
        """
        async with self._turn:
            reused = self._client is not None
            try:
                return await self._ask(nodes)
            except _TROUBLE as error:
                await self._drop()
                if not (reused and isinstance(error, ConnectionError)):
                    raise self._unreachable(error) from None
            try:  # the server had closed the old session while nothing was asked: a new one may do
                return await self._ask(nodes)
            except _TROUBLE as error:
                await self._drop()
                raise self._unreachable(error) from None

    async def close(self) -> None:
        """End the session; the next read opens a new one."""
        async with self._turn:
            await self._drop()

    async def _ask(self, nodes: Sequence[Address]) -> tuple[tuple[ua.DataValue | None, ...], int]:
        client = self._client or await self._connect()
        ids = [address.resolve(self._namespaces) for address in nodes]
        known = [node_id for node_id in ids if node_id is not None]
        sent_ms = self.now_ms()
        values: list[ua.DataValue] = []
        batch = self._batch or len(known) or 1
        for start in range(0, len(known), batch):
            values += await client.uaclient.read_attributes(known[start : start + batch], AttributeIds.Value)
        time_ms = (sent_ms + self.now_ms()) // 2
        if len(values) != len(known):
            raise ValueError(f"{len(values)} values for {len(known)} nodes")
        answers = iter(values)
        return tuple(None if node_id is None else next(answers) for node_id in ids), time_ms

    async def _connect(self) -> Client:
        client = Client(self.url, timeout=self._timeout_s, watchdog_intervall=_WATCHDOG_S)
        client.session_timeout = _SESSION_TIMEOUT_MS
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                await client.connect()
            self._client = client
        finally:
            if self._client is None:
                client.disconnect_socket()
        self._namespaces = tuple(await client.get_namespace_array())
        (limit,) = await client.uaclient.read_attributes([_LIMIT_NODE], AttributeIds.Value)
        self._batch = limit.Value.Value if limit.Value and isinstance(limit.Value.Value, int) else 0
        return client

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.disconnect()
        except _TROUBLE:
            client.disconnect_socket()

    def _unreachable(self, error: Exception) -> Unreachable:
        parts = urlsplit(self.url)
        if isinstance(error, TimeoutError):
            return Unreachable(
                "No answer",
                where=self.url,
                evidence=f"nothing within {self._timeout_s:g} s",
                cause="no power, a cable, a firewall, or a server that is busy or starting",
                next=f"ping {parts.hostname}",
            )
        if isinstance(error, UaStatusCodeError):
            return Unreachable(
                "The server refuses",
                where=self.url,
                evidence=type(error).__name__,
                cause="no endpoint without security, no anonymous access, or too many sessions",
                next="allow this client on the server, or close other clients",
            )
        if isinstance(error, OSError):
            return Unreachable(
                "No connection",
                where=self.url,
                evidence=reason(error),
                cause="nothing listens there, or the connection broke off",
                next=f"nc -vz {parts.hostname} {parts.port or 4840}",
            )
        return Unreachable(
            "What answers is no OPC UA server",
            where=self.url,
            evidence=f"{type(error).__name__}: {error}",
            cause="another service listens on this port",
            next="check the port in the url",
        )


class Address:
    """A node: by a complete node id, or by the URI of its namespace.

    Parameters
    ----------
    text
        Node id; without its namespace where `namespace` is given.
    namespace
        URI of the namespace, or None.
    """

    def __init__(self, text: str, namespace: str | None = None) -> None:
        self.text, self.namespace = text, namespace
        self._fixed = ua.NodeId.from_string(text)

    def __str__(self) -> str:
        return self.text if self.namespace is None else f"nsu={self.namespace};{self.text}"

    def resolve(self, namespaces: Sequence[str]) -> ua.NodeId | None:
        """Return the node id on a server with these namespaces, None where it has not this one."""
        if self.namespace is None:
            return self._fixed
        if self.namespace not in namespaces:
            return None
        return ua.NodeId.from_string(f"ns={namespaces.index(self.namespace)};{self.text}")
