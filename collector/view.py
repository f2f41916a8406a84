"""A ledger at one snapshot, seen through the plan: registers, and the energy between them.

Everything that asks what a meter counted asks here, so that a figure, a half-hour in a store and a line
for an auditor come from the same registers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property, partial
from types import MappingProxyType

from sqlalchemy import Connection

from collector import elsewhere, records
from collector.corrections import Corrections
from collector.ledger import Ledger, bills, closings, values
from collector.meter_counter import Asked, Gathered, asked_of, gather, meter_counter
from collector.network_energies import network_series
from collector.register_days import RegisterDays
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.closing import Closing
from core.metering.boundaries import Boundary
from core.metering.corrected import corrected_installations
from core.metering.counters import Counter, counter_of_cells
from core.metering.energy import IntervalEnergy, series
from core.metering.installations import Installation
from core.metering.network import Network
from core.metering.scaling import scaled, scaled_boundaries, scaled_values
from core.metering.sources import IntervalValue
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
    corrections
        Those that are taken to be in force; None: those that are.
    by_meters
        Whether every meter counts by itself, also where the plan takes bills for authoritative.
    """

    def __init__(
        self,
        connection: Connection,
        hq: HqConfig,
        *,
        thawed: Collection[str] = (),
        corrections: Corrections | None = None,
        by_meters: bool = False,
    ) -> None:
        self.connection = connection
        self.hq = hq
        self._thawed = frozenset(thawed)
        self._supposed = corrections
        self._by_meters = by_meters
        self._networks: dict[str, Network] = {}
        self._installed: dict[str, tuple[Installation, ...]] = {}
        self.days = RegisterDays(connection)

    @cached_property
    def corrections(self) -> Corrections:
        """What people put right."""
        return Corrections.in_force(self.connection) if self._supposed is None else self._supposed

    @cached_property
    def _sites(self) -> Mapping[str, SiteRecord]:
        return {meter.id: site for site in self.hq.sites for meter in site.meters}

    @cached_property
    def closed(self) -> Mapping[str, Closing]:
        """The closings in force, by month."""
        found = closings.statuses(self.connection)
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
        if not self.closed or self._by_meters:
            return {}
        return closings.fixed(self.connection, meter.point, interval, self.closed)

    def installations(self, site: SiteRecord, meter: MeterRecord) -> tuple[Installation, ...]:
        """Return what stood behind a meter's point, corrected, in time order.

        Raises
        ------
        ConfigError
            A profile is unknown or does not hold the quantity.
        DataError
            A correction contradicts the records.
        """
        if meter.id not in self._installed:
            planned = meter.dated(site.time_zone)
            self._installed[meter.id] = corrected_installations(planned, self.corrections.of(meter))
        return self._installed[meter.id]

    def values(self, meter: MeterRecord, interval: Interval) -> tuple[IntervalValue, ...]:
        """Return the energies of a meter from elsewhere than its register that bear on an interval.

        Of two that overlap the one that stands first counts.
        """
        known = self.connection, self.hq, meter, self.corrections.of(meter), interval
        by_bills = partial(self.metered, self._sites[meter.id], meter) if self.billed(meter) else None
        return elsewhere.energies(*known, by_bills=by_bills)

    def by_registers_alone(self, meter: MeterRecord, interval: Interval) -> bool:
        """Tell whether nothing but a meter's readings and records bears on its energy in an interval."""
        if self.billed(meter):
            return False
        return not (self.corrections.of(meter) or self.values(meter, interval) or self.fixed(meter, interval))

    def facts(self, site: SiteRecord, meter: MeterRecord) -> tuple[object, ...]:
        """Return all that a meter's energies are made of, besides its readings and closed months."""
        return (
            self.installations(site, meter),
            self.corrections.of(meter),
            values.names(self.connection, meter.point),
            bills.names(self.connection, meter.point) if self.billed(meter) else (),
        )

    def billed(self, meter: MeterRecord) -> bool:
        """Tell whether bills, and not the meter, say what its energy is."""
        return not self._by_meters and self._sites[meter.id].source(meter.id) == "bill"

    def metered(
        self, site: SiteRecord, meter: MeterRecord, boundaries_ms: Sequence[int]
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies that a meter has by itself, whatever is authoritative; raises as `series`."""
        alone = View(self.connection, self.hq, corrections=self.corrections, by_meters=True)
        return (alone if self.billed(meter) else self).series(site, meter, boundaries_ms)

    def counter(self, site: SiteRecord, meter: MeterRecord, interval: Interval) -> Counter:
        """Return the register of a meter over an interval and its brackets, corrected.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        return self._counter(site, meter, (interval.start_ms, interval.end_ms), whole=True)

    def counter_at(self, site: SiteRecord, meter: MeterRecord, instants_ms: Sequence[int]) -> Counter:
        """Return the register of a meter for energies between instants in time order [ms] alone.

        Of days that hold none of them few readings are given. Raises as `counter`.
        """
        return self._counter(site, meter, instants_ms)

    def _counter(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        instants_ms: Sequence[int],
        *,
        values: Iterable[IntervalValue] = (),
        fixed: Mapping[int, Boundary] = MappingProxyType({}),
        whole: bool = False,
    ) -> Counter:
        asked = self._asked(site, meter, instants_ms, values=values, fixed=fixed, whole=whole)
        if self.billed(meter):
            return counter_of_cells((), asked.spec)
        return meter_counter(self.connection, self.days, asked)

    def gathered(self, site: SiteRecord, meter: MeterRecord, instants_ms: Sequence[int]) -> Gathered:
        """Return the readings that a meter's energies between successive instants are made of.

        Parameters
        ----------
        instants_ms
            In time order [ms since 1970 UTC].

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = Interval(instants_ms[0], instants_ms[-1])
        values, fixed = self.values(meter, whole), self.fixed(meter, whole)
        asked = self._asked(site, meter, instants_ms, values=values, fixed=fixed)
        if self.billed(meter):
            none = frozenset[int]()
            return Gathered(whole, (), none, none, counter_of_cells((), asked.spec))
        return gather(self.connection, self.days, asked)

    def _asked(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        instants_ms: Sequence[int],
        *,
        values: Iterable[IntervalValue] = (),
        fixed: Mapping[int, Boundary] = MappingProxyType({}),
        whole: bool = False,
    ) -> Asked:
        known = self.installations(site, meter), meter.point, site.time_zone, instants_ms
        corrections = self.corrections.of(meter)
        return asked_of(*known, values=values, fixed=fixed, corrections=corrections, whole=whole)

    def network(self, site: SiteRecord) -> Network:
        """Return a site's tree of meters, whole.

        Raises
        ------
        DataError
            The tree contradicts itself.
        """
        if site.id not in self._networks:
            self._networks[site.id] = records.network(site)
        return self._networks[site.id]

    def series(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        boundaries_ms: Sequence[int],
        *,
        factor: Fraction = Fraction(1),
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies of a meter between successive instants; they add up to that of the whole.

        Parameters
        ----------
        boundaries_ms
            n + 1 instants in time order for n intervals [ms since 1970 UTC].
        factor
            What the energy is multiplied with [1]: losses are in it before it is rounded.

        Raises
        ------
        UsageError
            The instants are not in time order.
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = Interval(boundaries_ms[0], boundaries_ms[-1])
        values, fixed = self.values(meter, whole), self.fixed(meter, whole)
        return series(
            self._counter(site, meter, boundaries_ms, values=values, fixed=fixed),
            scaled(self.installations(site, meter), factor),
            boundaries_ms,
            values=scaled_values(values, factor),
            fixed=scaled_boundaries(fixed, factor),
        )

    def energies(self, site: SiteRecord, interval: Interval) -> dict[str, IntervalEnergy]:
        """Return the energy of every meter of a site, by point, while it is in the network.

        One that was moved within the interval also has one by `Network.key` of each place.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        ends = (interval.start_ms, interval.end_ms)
        return network_series(self, site, self.network(site), ends)[0]


@contextmanager
def viewing(ledger: Ledger, hq: HqConfig) -> Iterator[View]:
    """Give a ledger at one snapshot as the plan sees it; afterwards the ledger keeps the days thinned for it.

    Raises
    ------
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        view = View(connection, hq)
        yield view
    view.days.keep(ledger)
