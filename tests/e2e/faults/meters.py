"""Meters that remember what they served: the truth that the ledger is held against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from simulators.meters import Electrical
from simulators.modbus import serve_meters
from simulators.products import product_map
from tests.e2e.faults.nursery import PATIENCE_S, PROFILE

PRODUCT = "abb_b23_b24_a44"
ENERGY, POWER = "active_energy_import", "active_power"
STEP_MS = 250
"""The register counts once in this time, so that each of its values belongs to one moment [ms]."""
MEAN_W = 144_000
"""10 Wh in 250 ms [W]."""


@dataclass
class Meter:
    """The load behind one meter, and every value that was read of it.

    Parameters
    ----------
    id
        Its name.
    opening
        What the register showed at `since_ms` [counts of 10 Wh].
    """

    id: str
    opening: int
    since_ms: int
    served: dict[str, dict[int, int]] = field(default_factory=lambda: {ENERGY: {}, POWER: {}})

    def count(self, time_ms: int) -> int:
        """Serve the energy [counts of 10 Wh] at a time [ms since 1970-01-01 UTC]."""
        value = self.opening + (time_ms - self.since_ms) // STEP_MS
        self.served[ENERGY][time_ms] = value
        return value

    def power_w(self, time_ms: int) -> int:
        """Serve the power [W] at a time [ms since 1970-01-01 UTC]: another value in each of 1,000 steps."""
        value = MEAN_W + time_ms // STEP_MS % 1_000
        self.served[POWER][time_ms] = value * 100  # counts of 0.01 W
        return value


@dataclass
class Plant:
    """Meters behind some sockets.

    Attributes
    ----------
    devices
        As an agent's configuration has them.
    """

    meters: Sequence[Meter]
    devices: Sequence[Mapping[str, object]]

    def served(self, quantity: str) -> dict[str, dict[int, int]]:
        """Return what was served of a quantity: point → time [ms] → count."""
        return {f"{meter.id}.{quantity}": meter.served[quantity] for meter in self.meters}


class PlantTime:
    """The moment that the meters show [ms since 1970-01-01 UTC]."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms


@asynccontextmanager
async def serve_plant(time: PlantTime, *, sockets: int, units: int) -> AsyncIterator[Plant]:
    """Serve meters on loopback as long as the context lasts."""
    meters: list[Meter] = []
    devices: list[Mapping[str, object]] = []
    async with AsyncExitStack() as stack:
        for socket in range(sockets):
            mine = {
                unit: Meter(f"M-{socket + 1}-{unit}", 1_000_000 * (1 + len(meters) + unit), time.now_ms)
                for unit in range(1, units + 1)
            }
            maps = {unit: product_map(PRODUCT, each, Electrical(400, 0.95)) for unit, each in mine.items()}
            line = await stack.enter_async_context(serve_meters(maps, port=0, now_ms=lambda: time.now_ms))
            meters += mine.values()
            devices += (
                {
                    "id": each.id,
                    "profile": PROFILE,
                    "points": [ENERGY, POWER],
                    "modbus": {
                        "host": "127.0.0.1",
                        "port": line.port,
                        "unit": unit,
                        "timeout_s": PATIENCE_S,
                    },
                }
                for unit, each in mine.items()
            )
        yield Plant(meters, devices)
