"""What a demo can be asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError
from simulators.folder import InfluxAccess
from simulators.strikes import LASTING_MIN

KILLS = ("collector-killed", "agent-killed", "broker-killed")
FAULTS = (*KILLS, *LASTING_MIN)
WORKS_MONTH = "2024-02"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a demo is asked to do.

    Parameters
    ----------
    out
        Folder to write.
    seed
        Of the synthetic works and of the faults' moments.
    month
        ``2024-02``; with a replayed file also a whole year, ``2018``.
    replay
        File to replay; None: the synthetic works.
    store
        ``sqlite`` or ``influxdb``.
    influx
        An InfluxDB 2 that runs already; None: start one where `store` asks for it.
    faults
        Some of `FAULTS`, each striking once.
    broker
        One of `simulators.broker.BROKERS`.
    """

    out: Path
    seed: int
    month: str
    replay: Path | None
    store: str
    influx: InfluxAccess | None
    faults: tuple[str, ...]
    broker: str = "nats"

    @property
    def covers_a_month(self) -> bool:
        """Whether it is one month, which has a statement; a year has energy by months."""
        return "-" in self.month

    def facts(self) -> dict[str, object]:
        """Return what the folder keeps of the options."""
        return {
            "month": self.month,
            "seed": self.seed,
            "replay": self.replay and str(self.replay.resolve()),
            "store": self.store,
            "broker": self.broker,
            "faults": self.faults,
        }

    def check(self) -> None:
        """Raise what is wrong with the options.

        Raises
        ------
        UsageError
            An unknown fault, or a month that the works does not have.
        DataError
            A file that cannot be replayed.
        """
        for fault in self.faults:
            if fault not in FAULTS:
                raise UsageError("Not a fault", evidence=fault, next=f"choose from: {', '.join(FAULTS)}")
        if self.replay is None and self.month != WORKS_MONTH:
            raise UsageError(
                "The demo works has fuel and production of one month only",
                where="--month",
                evidence=self.month,
                next=f"leave --month out ({WORKS_MONTH}), or replay a file with --replay FILE",
            )
