"""What headquarters has on record, from its configuration to the objects that figures are made of."""

from __future__ import annotations

from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from config.strict import Names
from core.carbon.allocation import Allocation
from core.carbon.labels import Label
from core.errors import UsageError
from core.metering.network import Network


def label(names: Names) -> Label:
    """Return a name in both languages."""
    return Label(ja=names.ja, en=names.en)


def network(site: SiteRecord) -> Network:
    """Return a site's tree of meters.

    Raises
    ------
    DataError
        The tree contradicts itself.
    """
    return Network(site.nodes(), site.boundary)


def allocation(site: SiteRecord, standing: Network) -> Allocation | None:
    """Return who bears the energy of the meters that stand in a network, and fuel; None: nothing is said.

    Raises
    ------
    DataError
        Shares do not add up to 1.
    """
    rule = site.allocation
    if rule is None:
        return None
    meters = {meter: shares for meter, shares in rule.meters.items() if meter in standing.meters}
    return Allocation(meters=meters, remainder=rule.remainder, fuels=rule.fuels)


def sites_of_meters(hq: HqConfig) -> dict[str, str]:
    """Return the site of each meter on record, by meter id."""
    return {meter.id: site.id for site in hq.sites for meter in site.meters}


def find_energy(hq: HqConfig, name: str) -> tuple[SiteRecord, tuple[str, ...]]:
    """Return the site and the ids of the meters whose energies a name asks for, virtual ones too.

    Raises
    ------
    UsageError
        Nothing on record has this name.
    """
    for site in hq.sites:
        if site.id == name:
            return site, site.boundary
        for each in site.virtual:
            if name in (each.id, network(site).node(each.id).point):
                return site, (each.id,)
    ((site, meter),) = find_meters(hq, name)
    return site, (meter.id,)


def find_site(hq: HqConfig, name: str) -> SiteRecord:
    """Return a site.

    Raises
    ------
    UsageError
        There is no such site.
    """
    for site in hq.sites:
        if site.id == name:
            return site
    raise UsageError(
        f"no site is called {name!r}",
        where="hq.yaml",
        evidence=f"known: {', '.join(site.id for site in hq.sites)}",
        next="a balance is that of a whole site",
    )


def find_meters(hq: HqConfig, name: str) -> tuple[tuple[SiteRecord, MeterRecord], ...]:
    """Return the meter that a point or meter id names, or the boundary set of a site.

    Raises
    ------
    UsageError
        Nothing on record has this name.
    """
    for site in hq.sites:
        if site.id == name:
            return tuple((site, meter) for meter in site.meters if meter.id in site.boundary)
        for meter in site.meters:
            if name in (meter.id, meter.point):
                return ((site, meter),)
    known = [site.id for site in hq.sites] + [meter.point for site in hq.sites for meter in site.meters]
    raise UsageError(
        f"no meter, point or site is called {name!r}",
        where="hq.yaml",
        evidence=f"known: {', '.join(known)}",
    )
