"""Headquarters' configuration, ``hq.yaml`` in the ledger's folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from config.broker import Broker
from config.devices import twice
from config.documents import Examined, examine
from config.metrics import MetricsPort
from config.plan import plan_digest, plan_document
from config.profile import with_profile_paths
from config.reading import read_yaml
from config.secret_files import read_secret
from config.site_record import SiteRecord as SiteRecord
from config.stores import SqliteStore, StoreSettings, store_problems
from config.strict import Id, Model, Month, Names, PositiveExact, Problem
from config.tls import FilePath, with_file_paths

RoleName = Literal["reporter", "approver"]
"""Who may submit months and correct them, and who may approve and reopen them and adopt plans."""


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


class HqConfig(Model):
    """Everything headquarters is told.

    Attributes
    ----------
    sites_served
        Sites that this collector receives from; None: all that are on record.
    metrics_port
        Loopback port of the collector's own metrics; None: off.
    roles
        Person → what the person may do; nobody named: everybody may do all.
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
    roles: dict[Annotated[str, Field(min_length=1)], Annotated[tuple[RoleName, ...], Field(min_length=1)]] = (
        Field(default_factory=dict)
    )

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
            for number, meter in enumerate(site.named):
                virtual = number - len(site.meters)
                place = ("meters", number) if virtual < 0 else ("virtual", virtual)
                if meter.id in meters:
                    yield Problem(
                        (*loc, *place, "id"),
                        "The meter stands twice.",
                        evidence=f"{meter.id}, also at {meters[meter.id]}",
                        cause="its energy would count twice",
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

    @cached_property
    def plan_digest(self) -> str:
        """What names the monitoring plan in it: the SHA-256 of its canonical JSON, hexadecimal.

        Raises
        ------
        ConfigError
            If a profile is unknown or does not hold a meter's quantity.
        """
        return plan_digest(plan_document(self))

    def may(self, person: str, role: RoleName) -> bool:
        """Tell whether a person has a role; where nobody has any, everybody may do all."""
        return not self.roles or role in self.roles.get(person, ())

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
    return examine_hq(path).accepted()


def examine_hq(path: Path) -> Examined[HqConfig]:
    """Return headquarters' configuration, or everything that is wrong with it; `path` as for `load_hq`.

    Raises
    ------
    ConfigError
        If the file cannot be read or is no YAML.
    """
    file = path / "hq.yaml" if path.is_dir() else path
    data, lines = read_yaml(file)
    data = with_file_paths(with_profile_paths(data, file.parent), file.parent)
    return examine(data, lines, HqConfig)
