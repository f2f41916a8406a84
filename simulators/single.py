"""One meter of any product to try things on, in real time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.errors import OutsideError
from simulators.loads import MJ_PER_WH
from simulators.meters import Electrical
from simulators.modbus import Faults, serve_meters, serve_serial
from simulators.modbus.switchboard import Switchboard, fault_of, serve_switchboard
from simulators.products import product_meter, worth_wh

CIRCUIT = Electrical(400, 0.93, unbalance=0.04, export_share=Fraction(1, 50))
OPENING_WH = 1_234_567_890


@dataclass(frozen=True, slots=True)
class Steady:
    """A constant power since a moment.

    Parameters
    ----------
    watts
        Power [W].
    since_ms
        When the register was at its opening [ms since 1970-01-01 UTC].
    worth
        What a count is worth [Wh].
    opening_wh
        The register then [Wh].
    """

    watts: int
    since_ms: int
    worth: Fraction = Fraction(1)
    opening_wh: int = OPENING_WH

    def count(self, time_ms: int) -> int:
        """Return the energy register [counts]."""
        mj = self.opening_wh * MJ_PER_WH + self.watts * (time_ms - self.since_ms)
        return mj * self.worth.denominator // (MJ_PER_WH * self.worth.numerator)

    def power_w(self, time_ms: int) -> int:
        """Return the power, at any time [W]."""
        return self.watts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What meter to serve, where, and with which faults.

    Parameters
    ----------
    product
        One of `simulators.products.PRODUCTS`.
    unit
        Its unit number.
    power_kw
        Its constant power [kW].
    port
        TCP port on loopback, 0: any free one; unless `serial` is given.
    serial
        A serial line.
    baud
        Its speed [bit/s].
    framing
        ``tcp`` or ``rtu``, on a TCP port.
    faults
        Texts such as ``late-replies:delay_ms=500``.
    """

    product: str
    unit: int
    power_kw: float
    port: int = 0
    serial: Path | None = None
    baud: int = 9600
    framing: str = "tcp"
    faults: Sequence[str] = ()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def serve_one(wanted: Wanted) -> AsyncIterator[Mapping[str, object]]:
    """Serve a meter as long as the context lasts, and give what one must know to use it.

    Raises
    ------
    UsageError
        There is no such product or fault.
    OutsideError
        The port is taken, or the serial line cannot be opened.
    """
    source = Steady(round(wanted.power_kw * 1000), _now_ms(), worth_wh(wanted.product))
    units = {wanted.unit: product_meter(wanted.product, source, CIRCUIT)}
    faults = [fault_of(text) for text in wanted.faults]
    async with AsyncExitStack() as stack:
        try:
            if wanted.serial is not None:
                line = await stack.enter_async_context(
                    serve_serial(units, path=wanted.serial, now_ms=_now_ms, baud=wanted.baud)
                )
            else:
                line = await stack.enter_async_context(
                    serve_meters(
                        units,
                        port=wanted.port,
                        now_ms=_now_ms,
                        framing="rtu" if wanted.framing == "rtu" else "tcp",
                    )
                )
        except OSError as error:
            raise OutsideError(
                "The meter cannot be served",
                where=str(wanted.serial or f"127.0.0.1:{wanted.port}"),
                evidence=str(error),
                next="choose another --port, or a serial line that nobody else has open",
            ) from error
        switches: dict[str, Faults] = {"meter": line.of(wanted.unit), "line": line.faults}
        for name, settings in faults:
            switches["meter"].set(name, **settings)
        control_port = await stack.enter_async_context(serve_switchboard(Switchboard(switches), port=0))
        where = {"serial": str(wanted.serial)} if wanted.serial else {"port": line.port}
        yield {"product": wanted.product, "unit": wanted.unit, **where, "control_port": control_port}


async def simulate_meter(wanted: Wanted) -> None:
    """Serve a meter until cancelled; one line of JSON on standard output tells where.

    Raises
    ------
    UsageError, OutsideError
        As `serve_one`.
    """
    async with serve_one(wanted) as facts:
        print(json.dumps(facts), flush=True)  # noqa: T201  read by who started it
        await asyncio.Event().wait()
