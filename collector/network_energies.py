"""Energies of a site's network: each meter while it has its place, and the sums that virtual meters are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from config.hq import SiteRecord
from config.meters import MeterRecord
from core.metering.balances import total
from core.metering.energy import IntervalEnergy
from core.metering.network import Network
from core.timeline import Interval


class Registers(Protocol):
    """What tells the energies of one meter."""

    def series(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        boundaries_ms: Sequence[int],
        *,
        factor: Fraction = Fraction(1),
    ) -> tuple[IntervalEnergy, ...]:
        """Return the energies between successive instants, of `factor` times what the register counts."""
        ...


def network_series(
    view: Registers,
    site: SiteRecord,
    network: Network,
    boundaries_ms: Sequence[int],
    meters: Sequence[str] | None = None,
) -> tuple[dict[str, IntervalEnergy], ...]:
    """Return the energies of a site's meters between successive instants.

    Parameters
    ----------
    view
        The ledger.
    network
        The site's, whole.
    boundaries_ms
        n + 1 instants in time order for n intervals [ms since 1970 UTC].
    meters
        Ids of the meters that are wanted; None: all.

    Returns
    -------
    tuple of dict
        For each interval the energy by point, of the part of it in which the meter is in the network; a
        meter that is not in it then has none. One that was moved within the interval also has one by
        `Network.key` of each place.

    Raises
    ------
    ConfigError, DataError
        Records or cells contradict each other.
    """
    reader = _Reader(view, site, network, boundaries_ms)
    wanted = network.meters if meters is None else meters
    found: list[dict[str, IntervalEnergy]] = []
    for start_ms, end_ms in pairwise(boundaries_ms):
        interval = Interval(start_ms, end_ms)
        standing = network.during(interval)
        found.append(dict(pair for meter in wanted for pair in reader.of(meter, standing, interval)))
    return tuple(found)


class _Reader:
    """Reads the series of each meter once, with all instants at which any of it is cut."""

    def __init__(
        self, view: Registers, site: SiteRecord, network: Network, boundaries_ms: Sequence[int]
    ) -> None:
        self._view, self._site, self._network = view, site, network
        self._boundaries_ms = boundaries_ms
        self._records = {meter.id: meter for meter in site.meters}
        self._known: dict[tuple[str, Fraction], Mapping[Interval, IntervalEnergy]] = {}

    def of(self, meter: str, network: Network, interval: Interval) -> Iterator[tuple[str, IntervalEnergy]]:
        """Yield the energy of a meter in an interval, and of each place that it has in it, if several."""
        if meter not in network.meters:
            return
        node = network.node(meter)
        if node.sum is not None:
            terms = [
                (term.sign, energy)
                for term in network.terms(meter)
                if (energy := self._energy(term.node.meter, interval, term.factor)) is not None
            ]
            yield node.point, total(node.point, interval, terms)
            return
        whole = self._energy(meter, interval, Fraction(1))
        if whole is not None:
            yield node.point, whole
        for place in network.places(meter):
            part = place.within(interval)
            if part is not None and (key := network.key(place)) != node.point:
                yield (
                    key,
                    self._view.series(self._site, self._records[meter], (part.start_ms, part.end_ms))[0],
                )

    def _energy(self, meter: str, interval: Interval, factor: Fraction) -> IntervalEnergy | None:
        part = self._network.span(meter, interval)
        return None if part is None else self._series(meter, factor)[part]

    def _series(self, meter: str, factor: Fraction) -> Mapping[Interval, IntervalEnergy]:
        if (meter, factor) not in self._known:
            whole = Interval(self._boundaries_ms[0], self._boundaries_ms[-1])
            span = self._network.span(meter, whole) or whole
            cuts = sorted({*self._boundaries_ms, span.start_ms, span.end_ms})
            cuts = cuts if len(cuts) > 1 else [*cuts, *cuts]
            found = self._view.series(self._site, self._records[meter], cuts, factor=factor)
            self._known[meter, factor] = {energy.interval: energy for energy in found}
        return self._known[meter, factor]
