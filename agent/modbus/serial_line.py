"""A serial line as a transport: never waited for by the whole process, and gone when its device is gone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from typing import Final

import serial

try:
    import termios
except ImportError:  # Windows, where a line cannot be waited for either
    _REFUSED: tuple[type[Exception], ...] = (OSError, ValueError)
else:
    _REFUSED = (OSError, ValueError, termios.error)

from agent.modbus.channel import Channel
from config.links import ModbusLink
from core.errors import Unreachable

_PARITY: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class SerialTransport(asyncio.Transport):
    """Reads and writes a serial device through the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: serial.Serial, channel: Channel) -> None:
        super().__init__()
        self._loop, self._port, self._channel = loop, port, channel
        self._fd: int = port.fileno()
        self._unsent = b""
        self._waits_to_write = False
        self._closing = False
        loop.add_reader(self._fd, self._readable)
        channel.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, or as many as the device takes now."""
        if self._closing:
            return
        self._unsent += bytes(data)
        self._writable()

    def abort(self) -> None:
        """Close the device at once."""
        self._lose(None)

    def close(self) -> None:
        """Close the device."""
        self._lose(None)

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self._closing

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, 512)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._channel.data_received(data)
        else:  # ready to be read, and nothing there: the device is gone
            self._lose(OSError(errno.ENODEV, os.strerror(errno.ENODEV)))

    def _writable(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._lose(error)
            return
        if bool(self._unsent) != self._waits_to_write:
            self._waits_to_write = not self._waits_to_write
            if self._waits_to_write:
                self._loop.add_writer(self._fd, self._writable)
            else:
                self._loop.remove_writer(self._fd)

    def _lose(self, error: OSError | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with contextlib.suppress(OSError, serial.SerialException):
            self._port.close()
        self._loop.call_soon(self._channel.connection_lost, error)


def open_serial(link: ModbusLink, make: Callable[[], Channel]) -> Channel:
    """Open a serial line for this process alone.

    Raises
    ------
    Unreachable
        If there is no such device, it is in use, or it may not be opened.
    """
    assert link.serial is not None
    loop = asyncio.get_running_loop()
    try:
        port = serial.Serial(
            link.serial,
            link.baud,
            parity=_PARITY[link.parity],
            stopbits=link.stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except _REFUSED as error:
        raise _not_opened(link, error) from None
    with contextlib.suppress(AttributeError, ValueError, OSError):  # only some adapters can, on Linux
        port.set_low_latency_mode(True)  # else a USB adapter holds bytes back for up to 16 ms
    channel = make()
    try:
        SerialTransport(loop, port, channel)
    except NotImplementedError:
        port.close()
        raise Unreachable(
            "Serial lines are read on Linux and macOS only",
            where=link.where,
            evidence=f"{type(loop).__name__} cannot wait for a serial device",
            cause="this is Windows",
            next="read the line through an RS-485 gateway with an Ethernet socket",
        ) from None
    return channel


def _not_opened(link: ModbusLink, error: Exception) -> Unreachable:
    number = error.errno if isinstance(error, OSError) else None
    device = link.serial
    cause, advice = {
        errno.ENOENT: (
            "the USB adapter is not plugged in, or it is another one",
            "ls -l /dev/serial/by-id/ and put the name that is there into the configuration",
        ),
        errno.EACCES: (
            "the user of this process may not open serial devices",
            "add the user to group dialout: sudo usermod -aG dialout $USER, then log in again",
        ),
        errno.EAGAIN: ("another process reads this line", f"find it: sudo fuser -v {device}"),
        errno.EBUSY: ("another process reads this line", f"find it: sudo fuser -v {device}"),
    }.get(
        number or 0,
        (
            "this is no serial device, or it does not know these settings",
            f"stty -F {device} -a, and compare baud, parity and stop bits with the adapter's data sheet",
        ),
    )
    busy = number in (errno.EAGAIN, errno.EBUSY)
    evidence = "the device is locked" if busy else os.strerror(number) if number else str(error)
    return Unreachable(
        "The serial line cannot be opened", where=link.where, evidence=evidence, cause=cause, next=advice
    )
