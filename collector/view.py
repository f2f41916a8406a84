"""A ledger at one snapshot, seen through the plan: registers, and the energy between them.

Everything that asks what a meter counted asks here, so that a figure, a half-hour in a store and a line
for an auditor come from the same registers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from sqlalchemy import Connection

from collector.ledger import cells, closings
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.closing import Closing
from core.metering.boundaries import Boundary
from core.metering.counters import Counter, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, energy, series
from core.metering.installations import Installation
from core.timeline import Interval


class View:
    """What a ledger says now.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    hq
        The plan.
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.
    """

    def __init__(self, connection: Connection, hq: HqConfig, *, thawed: Collection[str] = ()) -> None:
        self._connection = connection
        self._hq = hq
        self._thawed = frozenset(thawed)

    @cached_property
    def _closed(self) -> Mapping[str, Closing]:
        """The closings in force, by month."""
        found = closings.statuses(self._connection)
        return {
            month: status.closing
            for month, status in found.items()
            if status.closing is not None and month not in self._thawed
        }

    def fixed(self, meter: MeterRecord, interval: Interval) -> dict[int, Boundary]:
        """Return the registers of a meter that closed months have fixed, from an interval's start to its end.

        Raises
        ------
        DataError
            The ledger is damaged.
        """
        if not self._closed:
            return {}
        return closings.fixed(self._connection, meter.point, interval, self._closed)

    def installations(self, site: SiteRecord, meter: MeterRecord) -> tuple[Installation, ...]:
        """Return what stood behind a meter's point, in time order.

        Raises
        ------
        ConfigError
            A profile is unknown or does not hold the quantity.
        """
        return meter.dated(site.time_zone)

    def counter(self, site: SiteRecord, meter: MeterRecord, interval: Interval) -> Counter:
        """Return the register of a meter over an interval and its brackets.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        near = cells.around(self._connection, meter.point, interval)
        return counter_of_cells(near, counter_spec(meter.point, self.installations(site, meter)))

    def series(
        self, site: SiteRecord, meter: MeterRecord, boundaries_ms: Sequence[int]
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies of a meter between successive instants; they add up to that of the whole.

        Parameters
        ----------
        boundaries_ms
            n + 1 instants in time order for n intervals [ms since 1970 UTC].

        Raises
        ------
        UsageError
            The instants are not in time order.
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = Interval(boundaries_ms[0], boundaries_ms[-1])
        return series(
            self.counter(site, meter, whole),
            self.installations(site, meter),
            boundaries_ms,
            fixed=self.fixed(meter, whole),
        )

    def energies(self, site: SiteRecord, interval: Interval) -> dict[str, IntervalEnergy]:
        """Return the energy of every meter of a site, by point.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        return {
            meter.point: energy(
                self.counter(site, meter, interval),
                self.installations(site, meter),
                interval,
                fixed=self.fixed(meter, interval),
            )
            for meter in site.meters
        }
