"""Functions 1 to 4 against a server of another make: what it holds is what is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from pyModbusTCP.server import ModbusServer  # type: ignore[import-untyped]  # it has no stubs

from agent.modbus.bus import Bus
from agent.modbus.device import ModbusDevice
from agent.modbus.plan import RegisterPoint
from agent.readings import Scan
from config.links import Gateway
from config.loading import load_profile
from config.profile import Place, ScaleRegister, ValueType, WordOrder
from core.delivery.frames import Lane

HOLDING = [0x075B, 0xCD15, 0x4048, 0xF5C3, 0x1234, 0x5678, 0xFFFF, 0xFFFF, 12, 0xFFFF]
INPUT = [0xCD15, 0x075B, 0x8000, 0x0005]


def number(name: str, address: int, kind: ValueType, function: int = 3) -> RegisterPoint:
    return RegisterPoint(name, (Place(address, kind, 1),), function=function)


POINTS = (
    number("coil", 4, ValueType.BIT, 1),
    number("other coil", 1_999, ValueType.BIT, 1),
    number("input", 11, ValueType.BIT, 2),
    number("whole", 100, ValueType.UINT32),
    number("real", 102, ValueType.FLOAT32),
    number("bcd", 104, ValueType.BCD32),
    RegisterPoint("none", (Place(106, ValueType.UINT32, 1),), not_available=(0xFFFFFFFF,)),
    RegisterPoint(
        "scaled",
        (Place(108, ValueType.INT16, 1),),
        scale_register=ScaleRegister(address=109, type=ValueType.INT16, exponents=(-3, 0)),
    ),
    RegisterPoint("swapped", (Place(7, ValueType.UINT32, 1),), word_order=WordOrder.LSW_FIRST, function=4),
    RegisterPoint("bit", (Place(9, ValueType.BIT, 1),), bit=15, function=4),
    number("far", 65_535, ValueType.UINT16, 4),
)


@contextmanager
def server(port: int) -> Iterator[None]:
    running = ModbusServer(host="127.0.0.1", port=port, no_block=True)
    running.start()
    try:
        bank = running.data_bank
        bank.set_coils(4, [True])
        bank.set_coils(1_999, [True])
        bank.set_discrete_inputs(11, [False, True])
        bank.set_holding_registers(100, HOLDING)
        bank.set_input_registers(7, INPUT[:2])
        bank.set_input_registers(9, INPUT[2:3])
        bank.set_input_registers(65_535, INPUT[3:])
        yield
    finally:
        running.stop()


async def test_what_another_make_holds_is_what_is_read(free_port: Callable[[], int]) -> None:
    port = free_port()
    link = Gateway(host="127.0.0.1", port=port).link()
    bus = Bus(link, now_ms=lambda: 1_000)
    source = ModbusDevice(
        bus,
        unit=1,
        profile=load_profile("abb_b23"),
        link=link,
        lanes={Lane.REGISTERS: POINTS, Lane.SAMPLES: ()},
    )
    with server(port):
        scans: list[Scan] = []
        await source.read(Lane.REGISTERS, scans)
        assert {reading.point: reading.count for scan in scans for reading in scan.readings()} == {
            "coil": 1,
            "other coil": 1,
            "input": 0,
            "whole": 123_456_789,
            "real": Decimal("3.14"),
            "bcd": 12_345_678,
            "none": None,
            "scaled": 1_200,
            "swapped": 123_456_789,
            "bit": 1,
            "far": 5,
        }
        assert await source.identify() is None
        await source.close()
