"""One socket to one host and port, with one request in flight, shared fairly by its units.

After anything but a complete reply (a deadline, a cancel, garbage, a closed socket) the socket is closed
and the next request opens a new one, so that nothing old can answer a new question.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from agent.modbus.wire import MAX_WORDS, ReadRequest
from agent.sockets import reason
from core.errors import OutsideError, Unreachable

_HEADER: Final = struct.Struct(">HHHBB")
_LONGEST: Final = 254
_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge, still busy",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}
_REFUSALS: Final = frozenset({1, 2, 3})


class RefusedError(OutsideError):
    """The device answers, and does not have these registers: exceptions 1, 2 and 3."""


class ModbusLine:
    """A Modbus TCP connection, opened when it is needed.

    Parameters
    ----------
    host, port
        Where the meter or gateway listens.
    now_ms
        The clock that readings carry [ms since 1970-01-01 UTC].
    """

    def __init__(self, host: str, port: int, *, now_ms: Callable[[], int]) -> None:
        self.where = f"{host}:{port}"
        self._host, self._port = host, port
        self.now_ms = now_ms
        self._turn = asyncio.Lock()  # first come, first served: fair between units
        self._client: AsyncModbusTcpClient | None = None
        self._request = ReadRequest(1, 3, 0, 1)
        self._in_flight = False

    async def read(self, request: ReadRequest, *, timeout_s: float) -> tuple[Sequence[int], int]:
        """Return registers and the instant at which they were read.

        Parameters
        ----------
        request
            Unit 1 to 255, function 3 or 4, 1 to 125 registers.
        timeout_s
            Deadline for connecting, and for the whole reply [s].

        Returns
        -------
        tuple
            Registers [0 to 65535], as many as asked for, and the middle of the request
            [ms since 1970-01-01 UTC].

        Raises
        ------
        ValueError
            If the request is not of that form.
        RefusedError
            If the device does not have these registers.
        Unreachable
            If there is no connection, no complete reply in time, or a wrong one.
        """
        if not (1 <= request.unit <= 255 and request.function in (3, 4) and 1 <= request.count <= MAX_WORDS):
            raise ValueError(f"not a request that may be sent: {request}")
        async with self._turn:
            reused = self._client is not None
            try:
                return await self._ask(request, timeout_s)
            except ConnectionException as error:
                if not reused:
                    raise self._no_reply(request, error, timeout_s) from None
            except ModbusException as error:
                raise self._no_reply(request, error, timeout_s) from None
            try:  # many gateways close a connection that was idle: only a new one tells whether they answer
                return await self._ask(request, timeout_s)
            except ModbusException as error:
                raise self._no_reply(request, error, timeout_s) from None

    async def _ask(self, request: ReadRequest, timeout_s: float) -> tuple[Sequence[int], int]:
        client = await self._connected(timeout_s)
        client.ctx.comm_params.timeout_connect = timeout_s
        ask = client.read_holding_registers if request.function == 3 else client.read_input_registers
        self._request = request
        whole, self._in_flight = False, True
        sent_ms = self.now_ms()
        try:
            reply = await ask(request.address, count=request.count, device_id=request.unit)
            self._check(reply, client, request)
            whole = True
        finally:
            self._in_flight = False
            if not whole:
                self.close()
        answered_ms = self.now_ms()
        if reply.isError():
            raise self._exception(request, reply.exception_code)
        return reply.registers, (sent_ms + answered_ms) // 2

    def close(self) -> None:
        """Close the socket; the next request opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _connected(self, timeout_s: float) -> AsyncModbusTcpClient:
        if self._client is not None:
            return self._client
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._judge,
            trace_connect=self._connection_changed,
        )
        try:
            async with asyncio.timeout(timeout_s):
                # what client.connect() does, but for hiding why it failed
                await client.ctx.call_create()
        except TimeoutError:
            client.close()
            raise Unreachable(
                "No connection",
                where=self.where,
                evidence=f"no answer within {timeout_s:g} s",
                cause="no power, a cable, a firewall, or a wrong address",
                next=f"ping {self._host}, then look at the network cable and the meter's IP setting",
            ) from None
        except OSError as error:
            client.close()
            raise Unreachable(
                "No connection",
                where=self.where,
                evidence=reason(error),
                cause="nothing listens there: Modbus TCP is off, or the address is another",
                next=f"nc -vz {self._host} {self._port}",
            ) from None
        self._client = client
        return client

    def _judge(self, sending: bool, data: bytes) -> bytes:
        """See all bytes before pymodbus does; a wrong one ends the request at once."""
        client = self._client
        if sending or client is None:
            return data
        found = fault(data, self._request, client.ctx.request_transaction_id)
        if found is None:
            return data
        self._end(client, ModbusIOException(found))
        return b""

    def _connection_changed(self, connected: bool) -> None:
        if not connected and (client := self._client) is not None:
            self._client = None
            self._end(client, ConnectionException("the connection was closed by the other side"))

    def _end(self, client: AsyncModbusTcpClient, error: ModbusException) -> None:
        """End the request in flight, which pymodbus would leave to its deadline."""
        if self._in_flight and not client.ctx.response_future.done():
            client.ctx.response_future.set_exception(error)

    @staticmethod
    def _check(reply: ModbusPDU, client: AsyncModbusTcpClient, request: ReadRequest) -> None:
        """Prove once more what pymodbus made of the bytes."""
        if (
            reply.dev_id != request.unit
            or reply.transaction_id != client.ctx.request_transaction_id
            or reply.function_code & 0x7F != request.function
            or not (reply.isError() or len(reply.registers) == request.count)
        ):
            raise ModbusIOException(f"not the reply that was asked for: {reply}")

    def _no_reply(self, request: ReadRequest, error: ModbusException, timeout_s: float) -> Unreachable:
        where = f"{self.where} unit {request.unit}"
        if isinstance(error, ConnectionException):
            return Unreachable(
                "The connection broke off",
                where=where,
                evidence="closed by the other side while a reply was due",
                cause="the gateway allows fewer connections than it has, or restarts",
                next="close other Modbus clients of this gateway (many allow 1 to 3)",
            )
        if "No response received" in error.string:
            return Unreachable(
                "No reply",
                where=where,
                evidence=f"no complete reply within {timeout_s:g} s, register {request.address}",
                cause="a wrong unit number, or behind a gateway the RS-485 line or the meter's power",
                next="compare the unit number with the meter's display; check A/B and the termination",
            )
        return Unreachable(
            "A wrong reply was thrown away",
            where=where,
            evidence=error.string,
            cause="two masters on one line, a gateway that mixes up replies, or no Modbus device at all",
            next="make sure that nothing else polls this line",
        )

    def _exception(self, request: ReadRequest, code: int) -> OutsideError:
        name = _EXCEPTIONS.get(code, "unknown")
        registers = f"{request.address} to {request.address + request.count - 1}, function {request.function}"
        where, evidence = f"{self.where} unit {request.unit}", f"exception {code:02X} ({name})"
        if code in _REFUSALS:
            return RefusedError(
                f"The device does not have registers {registers}",
                where=where,
                evidence=evidence,
                cause="the profile is for another model or firmware",
                next="compare the model on the nameplate with the profile in the configuration",
            )
        return Unreachable(
            "The device or its gateway cannot answer now",
            where=where,
            evidence=f"{evidence}, registers {registers}",
            cause="the gateway does not reach the meter" if code in (10, 11) else "the device is busy",
            next="check the meter's power and the RS-485 line behind the gateway",
        )


def fault(received: bytes, request: ReadRequest, transaction_id: int) -> str | None:
    """Return why bytes cannot become the reply to a request; None while they are or still may.

    Complete replies to earlier requests are passed over: their transaction id tells them apart.

    Parameters
    ----------
    received
        Everything received since the request was sent.
    request
        The one request in flight.
    transaction_id
        Its number, 1 to 65535.

    Examples
    --------
    >>> fault(bytes.fromhex("0001 0000 0005 0B 03 02 0001"), ReadRequest(11, 3, 0, 1), 1)
    >>> fault(bytes.fromhex("0001 0000 0005 0C 03 02 0001"), ReadRequest(11, 3, 0, 1), 1)
    'unit 12 answered for unit 11'
    """
    at = 0
    while len(received) - at >= _HEADER.size:
        number, protocol, length, unit, function = _HEADER.unpack_from(received, at)
        if protocol:
            return f"protocol id {protocol} instead of 0"
        if not 3 <= length <= _LONGEST:
            return f"impossible length {length}"
        if number == 0:
            return f"transaction id 0 instead of {transaction_id}"
        if number != transaction_id:
            at += 6 + length
            continue
        if unit != request.unit:
            return f"unit {unit} answered for unit {request.unit}"
        if function == request.function | 0x80:
            return None if length == 3 else f"exception reply of length {length}"
        if function != request.function:
            return f"function {function} answered to function {request.function}"
        if length != 3 + 2 * request.count:
            return f"{(length - 3) / 2:g} registers instead of {request.count}"
        if len(received) - at > 8 and received[at + 8] != 2 * request.count:
            return f"byte count {received[at + 8]} instead of {2 * request.count}"
        return None
    return None
