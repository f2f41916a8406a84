"""What is simulated: a small works with its meters, or one meter that replays a file.

A plant answers for meters by their id; where each of them listens is taken from the agents' configurations,
so that an address stands in one place. What a meter *is* (make, ratios, side) is said here on its own, as on
a nameplate, and must agree with what headquarters has on record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from asyncua import ua

from config.loading import AgentConfig
from core.errors import ConfigError
from core.timeline import Interval
from simulators import loads
from simulators.cells import RegisterMap
from simulators.meters import Electrical, Measured, Tariffs
from simulators.modbus import Faults, serve_meters
from simulators.opcua import Variable, serve_variables
from simulators.products import product_map
from simulators.replay import register_over

LEAD_MS = 600_000
"""A run starts this long before its interval [ms], so that the first boundary lies between two readings."""

TAIL_MS = 60_000
"""A run ends this long after its interval [ms]."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Meters by id: register maps for Modbus, variables for OPC UA."""

    meters: Mapping[str, RegisterMap]
    rectifiers: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Works:
    """The true loads of the synthetic works, all over one span."""

    furnace: loads.Load
    cells: loads.Load
    kiln: loads.Load
    utilities: loads.Load

    @classmethod
    def build(cls, interval: Interval, zone: ZoneInfo, seed: int) -> Works:
        """Return the works over an interval, the same for the same seed.

        Parameters
        ----------
        interval
            Time to simulate; an hour before and after is known too.
        zone
            The works' time zone.
        seed
            Any whole number.
        """
        start_ms = interval.start_ms - 60 * loads.MINUTE_MS
        minutes = interval.duration_ms // loads.MINUTE_MS + 120
        span = loads.Span(start_ms, minutes, zone)

        def seeded(name: str) -> Random:
            return Random(f"{seed}/{name}")

        return cls(
            furnace=loads.furnace(span, seeded("furnace")),
            cells=loads.cell_line(span, seeded("cells")),
            kiln=loads.kiln(span, seeded("kiln")),
            utilities=loads.utilities(span, seeded("utilities")),
        )

    @property
    def intake(self) -> loads.Load:
        """Return the receiving point's load: all others, and the losses of transformers and lines."""
        return loads.receiving((self.furnace, self.cells, self.kiln, self.utilities))

    def plant(self) -> Plant:
        """Return the works' meters as their nameplates have them."""
        intake, dc = self.intake, loads.rectified(self.cells)
        received = Measured(intake, Fraction(1), Fraction(400, 5) * Fraction(66000, 110), 61_204_385)
        molten = Measured(self.furnace, Fraction(1), Fraction(1), 918_442_137_204)
        plated = Measured(self.cells, Fraction(10), Fraction(300, 5) * Fraction(33000, 110), 2_207_913)
        burned = Measured(self.kiln, Fraction(1), Fraction(1), 88_412_055_310)
        served = Measured(self.utilities, Fraction(1), Fraction(150, 5) * Fraction(6600, 110), 38_963_018)
        direct = Measured(dc, Fraction(1), Fraction(1), 70_133_481_900)
        return Plant(
            meters={
                "AOB-RCV-01": product_map(
                    "siemens_pac2200_pac3200",
                    received,
                    Electrical(110, 0.95),
                    day=Tariffs(received, intake.span).day,
                ),
                "AOB-FUR-01": product_map("schneider_pm5xxx", molten, Electrical(33_000, 0.92)),
                "AOB-CEL-01": product_map("abb_b23_b24_a44", plated, Electrical(110, 0.93)),
                "AOB-KLN-01": product_map("schneider_pm5xxx", burned, Electrical(6_600, 0.88)),
                "AOB-UTL-01": product_map("schneider_pm5xxx", served, Electrical(110, 0.90)),
            },
            rectifiers={"AOB-CEL-DC": _rectifier(direct)},
        )


def _rectifier(dc: Measured) -> Mapping[str, Variable]:
    """Return a rectifier's variables: its DC energy in Wh, power in kW, and a constant 160 V."""
    volts = 160.0
    return {
        "Rectifier.Energy": Variable(ua.VariantType.UInt64, dc.count),
        "Rectifier.Power": Variable(ua.VariantType.Double, lambda t: dc.power_w(t) / 1000),
        "Rectifier.Voltage": Variable(ua.VariantType.Double, lambda _: volts),
        "Rectifier.Current": Variable(ua.VariantType.Double, lambda t: dc.power_w(t) / volts),
    }


def replayed(path: Path, interval: Interval, zone: ZoneInfo) -> Plant:
    """Return one meter, ``RPL-01``, whose register replays a file.

    Raises
    ------
    DataError
        If the file cannot be read, or does not cover the interval.
    """
    return Plant(
        meters={
            "RPL-01": product_map(
                "abb_b23_b24_a44", register_over(path, interval, zone), Electrical(400, 0.95)
            )
        }
    )


@asynccontextmanager
async def serve(
    plant: Plant, agents: tuple[AgentConfig, ...], now_ms: Callable[[], int]
) -> AsyncIterator[Mapping[str, Faults]]:
    """Serve every meter where an agent expects it, as long as the context lasts; give their faults' switches.

    Parameters
    ----------
    plant
        The meters.
    agents
        The agents' configurations: which meter answers at which address.
    now_ms
        The plant's time [ms since 1970-01-01 UTC].

    Raises
    ------
    ConfigError
        If an agent expects a meter that the plant does not have.
    """
    sockets: dict[int, dict[int, str]] = {}
    servers: dict[int, dict[str, Variable]] = {}
    for agent in agents:
        for device in agent.devices:
            if device.modbus is not None and device.id in plant.meters:
                sockets.setdefault(device.modbus.port, {})[device.modbus.unit] = device.id
            elif device.opcua is not None and device.id in plant.rectifiers:
                port = urlsplit(device.opcua.url).port or 4840
                servers.setdefault(port, {}).update(plant.rectifiers[device.id])
            else:
                raise ConfigError(
                    "The plant has no such meter",
                    where=f"agent {agent.agent}",
                    evidence=device.id,
                    next=f"one of: {', '.join((*plant.meters, *plant.rectifiers))}",
                )
    async with AsyncExitStack() as stack:
        switches: dict[str, Faults] = {}
        for port, names in sockets.items():
            units = {unit: plant.meters[name] for unit, name in names.items()}
            line = await stack.enter_async_context(serve_meters(units, port=port, now_ms=now_ms))
            switches.update((name, line.of(unit)) for unit, name in names.items())
        for port, variables in servers.items():
            await stack.enter_async_context(serve_variables(variables, port=port, now_ms=now_ms))
        yield switches
