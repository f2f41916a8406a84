"""Headquarters' configuration, ``hq.yaml`` in the ledger's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.broker import Broker, SiteId
from config.devices import twice
from config.documents import validate
from config.meters import MeterRecord
from config.metrics import MetricsPort
from config.profile import with_profile_paths
from config.reading import read_yaml
from config.secret_files import read_secret
from config.stores import SqliteStore, StoreSettings, store_problems
from config.strict import (
    Id,
    Loc,
    Model,
    Month,
    Names,
    NotNegativeExact,
    PositiveExact,
    Problem,
    TimeZone,
)
from config.tls import FilePath, with_file_paths
from core.carbon.rounding import exact_text

Shares = Annotated[dict[Id, NotNegativeExact], Field(min_length=1)]
"""Product → exact share [1]; all of them sum to 1."""


class LedgerSettings(Model):
    """The ledger's name, and its database; without either: ``ledger.sqlite`` beside the file.

    Attributes
    ----------
    url
        SQLAlchemy URL of the database; a password in it can be read by whoever reads this file.
    url_file
        File that holds the URL and nothing else.
    """

    name: Id = "hq"
    url: str | None = None
    url_file: FilePath | None = None

    def address(self) -> str | None:
        """Return the URL of the database; None: a file beside the configuration.

        Raises
        ------
        ConfigError
            If the URL's file cannot be read or is empty.
        """
        if self.url_file is None:
            return self.url
        return read_secret(self.url_file, "the ledger's address")


class Allocation(Model):
    """Who bears the site's energy and fuel: shares by meter, of the remainder, and of fuel by process."""

    meters: dict[Id, Shares] = Field(default_factory=dict)
    remainder: Shares | None = None
    fuels: dict[Id, Shares] = Field(default_factory=dict)

    def shares(self) -> Iterator[tuple[Loc, Mapping[str, Fraction]]]:
        """Yield each set of shares and where it stands."""
        yield from ((("meters", name), shares) for name, shares in self.meters.items())
        if self.remainder is not None:
            yield ("remainder",), self.remainder
        yield from ((("fuels", name), shares) for name, shares in self.fuels.items())


class SiteRecord(Model):
    """A works: its meters as a tree, and the boundary set that feeds scope 2."""

    id: SiteId
    name: Names
    time_zone: TimeZone
    boundary: Annotated[tuple[Id, ...], Field(min_length=1)]
    meters: Annotated[tuple[MeterRecord, ...], Field(min_length=1)]
    allocation: Allocation | None = None

    def problems_at(self, loc: Loc, products: Mapping[str, Names]) -> Iterator[Problem]:
        """Yield what is wrong with this site alone."""
        meters = {meter.id: meter for meter in self.meters}
        for index, name in enumerate(self.boundary):
            at = (*loc, "boundary", index)
            if name in self.boundary[:index]:
                yield Problem(at, "The meter stands twice in the boundary set.", name)
            elif name not in meters:
                yield Problem(at, "There is no such meter.", name, next=f"one of: {', '.join(meters)}")
            elif meters[name].current == "dc":
                yield Problem(
                    at,
                    "A DC meter cannot feed scope 2.",
                    evidence=name,
                    cause="what is bought is AC; the rectifier's loss would be missing",
                    next="put the receiving point (受電点) into the boundary set",
                )
            elif meters[name].parent is not None:
                yield Problem(
                    at,
                    "A meter of the boundary set has no parent.",
                    evidence=f"{name} is below {meters[name].parent}",
                    cause="its energy would count twice if the parent is in the set too",
                )
        for index, meter in enumerate(self.meters):
            at = (*loc, "meters", index)
            yield from meter.problems_at(at)
            if meter.parent is not None and meter.parent not in meters:
                yield Problem(
                    (*at, "parent"),
                    "There is no such meter.",
                    meter.parent,
                    next=f"one of: {', '.join(meters)}",
                )
            elif self._ancestor_of_itself(meter, meters):
                yield Problem(
                    (*at, "parent"), "The meter is above itself.", f"{meter.id} is below {meter.parent}"
                )
            elif meter.parent is None and meter.id not in self.boundary:
                yield Problem(
                    (*at, "parent"),
                    "The meter hangs in the air: it has no parent and is not in the boundary set.",
                    evidence=meter.id,
                    next="name its parent, or put it into the boundary set",
                )
        if self.allocation is not None:
            yield from self._shares((*loc, "allocation"), self.allocation, meters, products)

    @staticmethod
    def _ancestor_of_itself(meter: MeterRecord, meters: Mapping[str, MeterRecord]) -> bool:
        above, seen = meter.parent, set[str]()
        while above is not None and above in meters and above not in seen:
            if above == meter.id:
                return True
            seen.add(above)
            above = meters[above].parent
        return False

    @staticmethod
    def _shares(
        loc: Loc, allocation: Allocation, meters: Mapping[str, MeterRecord], products: Mapping[str, Names]
    ) -> Iterator[Problem]:
        for name in allocation.meters:
            if name not in meters:
                yield Problem((*loc, "meters", name), "There is no such meter.", name)
        for at, shares in allocation.shares():
            total = sum(shares.values(), Fraction(0))
            if total != 1:
                yield Problem(
                    (*loc, *at),
                    "The shares do not sum to 1.",
                    evidence=" + ".join(map(exact_text, shares.values())) + f" = {exact_text(total)}",
                    next='mend the shares; thirds are written "1/3"',
                )
            for product in shares:
                if product not in products:
                    yield Problem(
                        (*loc, *at, product),
                        "There is no such product.",
                        product,
                        next=f"one of: {', '.join(products) or 'none yet; add it under products'}",
                    )


class HqConfig(Model):
    """Everything headquarters is told.

    Attributes
    ----------
    sites_served
        Sites that this collector receives from; None: all that are on record.
    metrics_port
        Loopback port of the collector's own metrics; None: off.
    """

    company: Names
    ledger: LedgerSettings = LedgerSettings()
    broker: Broker | None = None
    sites_served: Annotated[tuple[Id, ...], Field(min_length=1)] | None = None
    metrics_port: MetricsPort | None = 9465
    store: StoreSettings = SqliteStore(kind="sqlite")
    synthetic: str | None = None
    electricity_factor: Id
    sites: Annotated[tuple[SiteRecord, ...], Field(min_length=1)]
    products: dict[Id, Names] = Field(default_factory=dict)
    targets: dict[Month, PositiveExact] = Field(default_factory=dict)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the broker, the store, and the sites, alone and together."""
        if self.broker is not None:
            yield from self.broker.problems_at(("broker",))
        if self.ledger.url is not None and self.ledger.url_file is not None:
            yield Problem(
                ("ledger", "url_file"),
                "The ledger's address is given twice.",
                evidence="url and url_file",
                next="remove one of the two",
            )
        yield from store_problems(self.store)
        sites, meters = set[str](), dict[str, str]()
        for index, site in enumerate(self.sites):
            loc = ("sites", index)
            if site.id in sites:
                yield Problem((*loc, "id"), "The site stands twice.", site.id)
            sites.add(site.id)
            for number, meter in enumerate(site.meters):
                if meter.id in meters:
                    yield Problem(
                        (*loc, "meters", number, "id"),
                        "The meter stands twice.",
                        evidence=f"{meter.id}, also at {meters[meter.id]}",
                        next="meter ids are unique over all sites",
                    )
                meters.setdefault(meter.id, site.id)
            yield from site.problems_at(loc, self.products)
        yield from twice((("sites_served", i), name) for i, name in enumerate(self.sites_served or ()))
        for index, name in enumerate(self.sites_served or ()):
            if name not in sites:
                yield Problem(
                    ("sites_served", index),
                    "There is no such site.",
                    name,
                    next=f"one of: {', '.join(sorted(sites))}",
                )

    @property
    def served(self) -> frozenset[str]:
        """The sites that this collector receives from."""
        return frozenset(self.sites_served or (site.id for site in self.sites))


def load_hq(path: Path) -> HqConfig:
    """Return headquarters' configuration, from a file or from the ``hq.yaml`` of a folder.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file, line and key.
    """
    file = path / "hq.yaml" if path.is_dir() else path
    data, lines = read_yaml(file)
    data = with_file_paths(with_profile_paths(data, file.parent), file.parent)
    return validate(data, lines, HqConfig)
