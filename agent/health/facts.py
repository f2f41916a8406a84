"""The facts that a running agent tells of itself, as its /status carries them; times in ms since 1970 UTC."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.errors import SeirenError


class _Facts(BaseModel):
    """Base of the facts: frozen; what a newer agent tells besides is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(_Facts):
    """An error in the words in which it was told."""

    what: str
    where: str = ""
    seen: str = ""
    cause: str = ""
    next: str = ""

    @classmethod
    def of(cls, error: SeirenError) -> Fault:
        """Return the words of an error."""
        return cls(
            what=error.what, where=error.where, seen=error.evidence, cause=error.cause, next=error.next
        )


class BrokerFacts(_Facts):
    """The connection to the broker: since when it is as it is, and why it is not there.

    `certificate_ends_ms` is of the certificate that it shows; None where it shows none.
    """

    where: str
    connected: bool
    since_ms: int
    fault: Fault | None = None
    certificate_ends_ms: int | None = None


class LedgerFacts(_Facts):
    """A required ledger: whether its collector said lately that it is there, and when it last said so.

    `untrusted_id` is the ledger that speaks under the name and frees nothing, because another one was known
    under it; `in_turn` says that two collectors do.
    """

    name: str
    alive: bool
    heard_ms: int | None = None
    untrusted_id: str | None = None
    in_turn: bool = False


class LaneFacts(_Facts):
    """A lane since the start: readings due, taken and skipped [1], and what no ledger holds yet.

    `lost_by_reason` counts all that was ever named lost [1].
    """

    due: int = 0
    taken: int = 0
    skipped: int = 0
    waiting_readings: int = 0
    waiting_frames: int = 0
    lost_by_reason: dict[str, int] = {}
    oldest_ms: int | None = None


class SpoolFacts(_Facts):
    """The disk [bytes]; `measured_s` [s] is how long its growth has been measured, None before it counts.

    The rest is as in `agent.spool.Room`: what each lane can still take if nothing is delivered, and what
    registers take a day by the times of the readings on disk.
    """

    path: str
    bytes: int
    free_bytes: int
    bytes_per_day: int | None = None
    measured_s: int = 0
    limit_bytes: int
    waiting_bytes: int
    alarm: bool = False
    registers_reserve_bytes: int
    registers_left_bytes: int
    samples_left_bytes: int
    registers_bytes_per_day: int | None = None


class Lateness(_Facts):
    """How long after its due time a reading was asked for [ms]."""

    p50: float = 0
    p99: float = 0
    max: float = 0


class BusFacts(_Facts):
    """A socket, line or session, and what it did since the start [1]."""

    name: str
    where: str
    connected: bool | None = None
    connects: int = 0
    requests: int = 0
    timeouts: int = 0
    exceptions: int = 0
    discarded: int = 0


class PointFacts(_Facts):
    """A point that matters: a device's main register or power, or any that is not good.

    `value` is count x scale as the meter shows it, in `unit`; None where there is no value.
    """

    point: str
    unit: str
    value: float | None = None
    time_ms: int | None = None
    good: bool = True
    reason: str = ""


class DeviceFacts(_Facts):
    """A device, its fault if it is silent, and how its points are.

    Power and energy are those of the circuit (with CT and VT where the meter does not multiply) [kW], [kWh];
    `register_kwh` is what the meter shows [kWh].
    """

    id: str
    where: str
    bus: str
    unit: int | None = None
    state: Literal["good", "silent", "waiting"]
    silent_since_ms: int | None = None
    last_ok_ms: int | None = None
    next_try_ms: int | None = None
    tries: int = 0
    fault: Fault | None = None
    serial_number: str = ""
    points_good: int = 0
    points_all: int = 0
    has_counter: bool = False
    volatile: bool = False
    power_kw: float | None = None
    full_scale_kw: float | None = None
    register_kwh: float | None = None
    today_kwh: float | None = None
    round_trip_ms: tuple[float, float] | None = None
    points: tuple[PointFacts, ...] = ()


class Facts(_Facts):
    """All that a running agent tells of itself."""

    agent: str
    site: str
    time_zone: str
    version: str
    time_ms: int
    started_ms: int
    broker: BrokerFacts
    ledgers: tuple[LedgerFacts, ...]
    lanes: dict[str, LaneFacts]
    spool: SpoolFacts
    lateness_ms: Lateness
    buses: tuple[BusFacts, ...]
    devices: tuple[DeviceFacts, ...]
