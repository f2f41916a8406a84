"""Meters of a site's network, and the dated facts of what stands behind each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from config.devices import Side
from config.local_time import LocalTime
from config.profile import QuantityName, load_profile
from config.strict import DIRECT, CtRatio, Id, Loc, Model, Names, PositiveExact, Problem, VtRatio, exact
from core.errors import ConfigError, DataError, UsageError
from core.metering.installations import Installation, class_error
from core.metering.installations import Side as CoreSide
from core.metering.quantities import Kind, Quantity, Unit
from core.metering.readings import Count, canonical_count
from core.timeline import parse_local


def _index(value: object) -> Count:
    number = exact(value)
    if number < 0:
        raise ValueError("must not be negative")
    count = Decimal(number.numerator) / Decimal(number.denominator)
    if Fraction(count) != number:
        raise ValueError('must be a decimal number, such as "61204417.5"')
    return canonical_count(count)


Index = Annotated[Count, PlainValidator(_index), PlainSerializer(lambda count: f"{count:f}", str)]
"""What a register held [counts]."""


class InstallationRecord(Model):
    """Dated facts of the meter behind a point, from a local date of the site (its midnight) or time on.

    Attributes
    ----------
    profile
        Device profile that says what a count is worth.
    wh_per_count
        What a count is worth before CT and VT, where no profile says so [Wh].
    full_scale_kw
        The most power that the circuit can carry, by its CT or breaker [kW].
    opening, closing
        What the register held at its start and at its end [counts], as on an exchange slip.
    """

    from_: Annotated[LocalTime, Field(alias="from")]
    serial: Annotated[str, Field(min_length=1)]
    profile: str | None = None
    wh_per_count: PositiveExact | None = None
    resolution: PositiveExact = Fraction(1)
    wrap_at: Annotated[int, Field(gt=1)] | None = None
    ct: CtRatio = DIRECT
    vt: VtRatio = DIRECT
    side: Side
    accuracy_class: str | None = None
    full_scale_kw: PositiveExact | None = None
    calibration_until: date | None = None
    opening: Index | None = None
    closing: Index | None = None
    evidence: str = ""

    @model_validator(mode="after")
    def _worth_known_once(self) -> InstallationRecord:
        if (self.profile is None) == (self.wh_per_count is None):
            raise ValueError("needs either a profile or wh_per_count")
        return self

    def count_worth(self, quantity: Quantity) -> tuple[Fraction, Fraction, int | None]:
        """Return what a count of the quantity is worth, from the profile or as written.

        Returns
        -------
        tuple
            Worth [Wh per count, of a power W per count], resolution [counts], and wrap [counts] or None.

        Raises
        ------
        ConfigError
            If the profile is unknown or does not hold the quantity.
        """
        if self.profile is None:
            assert self.wh_per_count is not None
            return self.wh_per_count, self.resolution, self.wrap_at
        profile = load_profile(self.profile)
        point = profile.points.get(quantity.value)
        if point is None:
            raise ConfigError(
                f"The profile {profile.id} does not hold {quantity.value}.",
                evidence=f"it holds {', '.join(profile.points)}",
                next="correct the meter's quantity or its profile",
            )
        return point.scale * point.unit.factor_to(quantity.unit), point.resolution, point.wrap_at

    def installation(self, point: str, quantity: Quantity, start_ms: int, end_ms: int | None) -> Installation:
        """Return it as the core knows it, in force in [start, end) [ms]; raises as `count_worth`."""
        worth, resolution, wrap_at = self.count_worth(quantity)
        return Installation(
            point=point,
            start_ms=start_ms,
            end_ms=end_ms,
            serial=self.serial,
            ct=self.ct.factor,
            vt=self.vt.factor,
            side=CoreSide(self.side),
            wh_per_count=worth,
            ct_text="" if self.ct == DIRECT else self.ct.text("A"),
            vt_text="" if self.vt == DIRECT else self.vt.text("V"),
            full_scale_kw=self.full_scale_kw,
            accuracy_class=self.accuracy_class,
            calibration_until=self.calibration_until,
            profile=load_profile(self.profile).id if self.profile else "",
            evidence=self.evidence,
            resolution=resolution,
            wrap_at=wrap_at,
            opening=self.opening,
            closing=self.closing,
        )


class MeterRecord(Model):
    """A meter of the site's network.

    Attributes
    ----------
    source
        What its energy comes from: its register, its power, or intervals alone (interval data, bills).
    integrated_in_boundary
        Whether energy from power may feed scope 2 all the same.
    """

    id: Id
    name: Names
    quantity: QuantityName
    current: Literal["ac", "dc"]
    parent: Id | None = None
    process: Id | None = None
    source: Literal["register", "power", "intervals"] = "register"
    integrated_in_boundary: bool = False
    installations: tuple[InstallationRecord, ...] = ()

    @property
    def counted(self) -> Quantity:
        """What its counts are of: its quantity, or the power that it is integrated from."""
        if self.source != "power":
            return self.quantity
        return Quantity.DC_POWER if self.current == "dc" else Quantity.ACTIVE_POWER

    @property
    def read_point(self) -> str:
        """Id of the point that is read, ``AOB-FAN-01.active_power``."""
        return f"{self.id}.{self.counted.value}"

    @property
    def point(self) -> str:
        """Id of the meter's point, ``AOB-RCV-01.active_energy_import``."""
        return f"{self.id}.{self.quantity.value}"

    def dated(self, time_zone: ZoneInfo) -> tuple[Installation, ...]:
        """Return the installations in time order, each from its local time to the next one's.

        Raises
        ------
        ConfigError
            If a profile is unknown or does not hold the quantity.
        UsageError
            If a local time does not exist, or exists twice.
        """
        starts = [parse_local(record.from_, time_zone) for record in self.installations]
        return tuple(
            record.installation(self.point, self.counted, start_ms, end_ms)
            for record, start_ms, end_ms in zip_longest(self.installations, starts, starts[1:])
        )

    def problems_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield what is wrong with this meter alone."""
        if self.quantity.kind is not Kind.COUNTER or self.quantity.unit is not Unit.WH:
            yield Problem(
                (*loc, "quantity"),
                "A meter of the network counts active energy.",
                self.quantity.value,
                next="use the meter's energy register, such as active_energy_import",
            )
            return
        if (self.current == "dc") != (self.quantity is Quantity.DC_ENERGY):
            yield Problem(
                (*loc, "current"),
                "Current and quantity contradict each other.",
                evidence=f"{self.current}, {self.quantity.value}",
                next="a dc meter has the quantity dc_energy, an ac meter another one",
            )
        if not self.installations and self.source != "intervals":
            yield Problem(
                (*loc, "installations"),
                "Nothing is installed: what a count is worth is not known.",
                evidence=f"source: {self.source}",
                next="add its installations, or write source: intervals where no register is read",
            )
        for index, installation in enumerate(self.installations):
            yield from self._installation_problems((*loc, "installations", index), installation)

    def _installation_problems(self, at: Loc, installation: InstallationRecord) -> Iterator[Problem]:
        if installation.accuracy_class is not None:
            try:
                class_error(installation.accuracy_class)
            except DataError as error:
                yield Problem(
                    (*at, "accuracy_class"), f"This is {error.what}.", error.evidence, "", error.next
                )
        try:
            installation.count_worth(self.counted)
        except ConfigError as error:
            yield Problem((*at, "profile"), error.what, error.evidence, error.cause, error.next)

    def time_problems(self, loc: Loc, time_zone: ZoneInfo) -> Iterator[Problem]:
        """Yield what is wrong with the times of its installations."""
        before_ms: int | None = None
        for index, installation in enumerate(self.installations):
            at = (*loc, "installations", index, "from")
            try:
                start_ms = parse_local(installation.from_, time_zone)
            except UsageError as error:
                yield Problem(at, f"This is {error.what}.", error.evidence, error.cause, error.next)
                continue
            if before_ms is not None and start_ms <= before_ms:
                earlier = self.installations[index - 1].from_
                yield Problem(
                    at,
                    "Installations stand in time order, each from a later time.",
                    evidence=f"{installation.from_} after {earlier}",
                )
            before_ms = start_ms
