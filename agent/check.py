"""`seiren agent check`: is this configuration right, and do its devices and its broker answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from agent.devices import open_sources
from agent.points import point_tables
from agent.readings import Scan, Source
from agent.setup.findings import block
from config.agent import AgentConfig, Device
from config.strict import DIRECT
from core.carbon.rounding import exact_text
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading
from core.delivery.tables import PointRow
from core.errors import OutsideError, Unreachable
from core.runtime.words import counted

_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class CheckedPoint:
    """A point as it was read once.

    Attributes
    ----------
    count
        What the register held [counts]; None where the device has no value.
    value
        Exact text of count × scale [unit]; None where there is no count.
    """

    point: str
    register: str
    unit: str
    count: int | Decimal | None
    value: str | None


@dataclass(frozen=True, slots=True)
class CheckedDevice:
    """A device that was read once; `fault` says why it could not be."""

    device: str
    peer: str
    profile: str
    ratio: str
    points: tuple[CheckedPoint, ...]
    fault: OutsideError | None


@dataclass(slots=True)
class Report:
    """What a check found."""

    devices: list[CheckedDevice] = field(default_factory=list)
    broker: str = ""
    broker_fault: OutsideError | None = None

    @property
    def silent(self) -> int:
        """Devices and brokers that do not answer [1]."""
        return sum(each.fault is not None for each in self.devices) + (self.broker_fault is not None)

    @property
    def without_value(self) -> int:
        """Points of answering devices that have no value [1]."""
        return sum(
            point.value is None for each in self.devices if each.fault is None for point in each.points
        )

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 good, 1 a point has no value, 3 something is silent."""
        return 3 if self.silent else 1 if self.without_value else 0


async def check_connections(
    config: AgentConfig, *, now_ms: Callable[[], int], reach_broker: Callable[[], Awaitable[None]]
) -> Report:
    """Read every device once, and reach the broker.

    Parameters
    ----------
    config
        The agent's configuration.
    now_ms
        The clock [ms since 1970-01-01 UTC].
    reach_broker
        Returns when the broker has welcomed us, or raises Unreachable.
    """
    tables = point_tables(config)
    rows = {row.point: row for lane in Lane for row in tables.rows(lane)}
    sources = open_sources(config, now_ms=now_ms)
    buses: dict[str, list[Device]] = {}
    for device in config.devices:
        buses.setdefault(sources[device.id].bus, []).append(device)

    async def read_bus(devices: Sequence[Device]) -> list[CheckedDevice]:
        return [
            await _read_once(device, config.where(device), sources[device.id], rows) for device in devices
        ]

    report = Report(broker=f"{config.broker.host}:{config.broker.port}")
    try:
        found = await asyncio.gather(*map(read_bus, buses.values()))
    finally:
        for source in sources.values():
            await source.close()
    read = {device.device: device for devices in found for device in devices}
    report.devices += [read[device.id] for device in config.devices]
    try:
        await reach_broker()
    except OutsideError as error:
        report.broker_fault = error
    return report


async def _read_once(device: Device, where: str, source: Source, rows: dict[str, PointRow]) -> CheckedDevice:
    scans: list[Scan] = []
    fault: Unreachable | None = None
    for lane in source.lanes:
        try:
            await source.read(lane, scans)
        except Unreachable as error:
            fault = error
            break
    readings = [reading for scan in scans for reading in scan.readings()]
    return CheckedDevice(
        device=device.id,
        peer=where,
        profile=device.profile or "",
        ratio=ratio(device),
        points=tuple(_checked(reading, rows[reading.point]) for reading in readings),
        fault=fault,
    )


def ratio(device: Device) -> str:
    """Return a device's transformers in words; empty where it has none."""
    texts = [f"CT {device.ct.text('A')}"] if device.ct != DIRECT else []
    texts += [f"VT {device.vt.text('V')}"] if device.vt != DIRECT else []
    return ", ".join([*texts, f"{device.side} side"]) if texts else ""


def _checked(reading: TakenReading, row: PointRow) -> CheckedPoint:
    count = reading.count
    return CheckedPoint(
        point=reading.point,
        register=row.register,
        unit=row.unit,
        count=count,
        value=None if count is None else exact_text(Fraction(count) * Fraction(row.scale)),
    )


def summary(config: AgentConfig) -> str:
    """Return one line about a configuration that is right."""
    tables = point_tables(config)
    registers, samples = (sum(1 for _ in tables.rows(lane)) for lane in (Lane.REGISTERS, Lane.SAMPLES))
    devices = counted(len(config.devices), "device")
    read = f"{counted(registers, 'register')} and {counted(samples, 'sample')}"
    return f"{config.agent} at {config.site}: good; {devices}, {read}"


def lines(report: Report) -> Iterator[str]:
    """Yield a report as lines of at most 80 columns, where names are not longer than usual."""
    for device in report.devices:
        yield f"{device.device:<20} {device.peer}"
        about = ", ".join(text for text in (device.profile, device.ratio) if text)
        if about:
            yield f"  {about}"
        for point in device.points:
            name = point.point.removeprefix(f"{device.device}.")
            shown = "no value" if point.value is None else f"{shorten(point.value)} {point.unit}"
            yield f"  {name:<24}{shown:>24}   {point.register}"
        if device.fault is not None:
            yield from ("  " + line for line in _fault(device.fault))
    yield f"broker               {report.broker}"
    if report.broker_fault is not None:
        yield from ("  " + line for line in _fault(report.broker_fault))
    else:
        yield "  answers"


def _fault(error: OutsideError) -> list[str]:
    return list(block("FAULT", error, width=78))


def shorten(value: str) -> str:
    """Return an exact number for people: thousands separated, at most three decimals.

    Examples
    --------
    >>> shorten("8412337.12"), shorten("1/3"), shorten("-12340")
    ('8,412,337.12', '0.333', '-12,340')
    """
    text = f"{Decimal(round(Fraction(value) * 10**_DECIMALS)).scaleb(-_DECIMALS):,f}"
    return text.rstrip("0").rstrip(".")
