"""What follows from a profile's numbers (pure): where a counter turns, and how finely a float counts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from config.profile import Profile, ProfilePoint, fits
from config.profile_points import ValueType
from core.carbon.rounding import exact_text
from core.metering.quantities import Kind, Quantity, Unit

EXAMPLE_MW: Final = 10
"""Power at which the days to a turn are told [MW]."""
_SOON_DAYS: Final = 31
_OUT_OF_REACH: Final = 10**12
"""More than any counter shows [Wh], [varh] or its quantity's unit."""
_MANTISSA: Final = {ValueType.FLOAT16: 10, ValueType.FLOAT32: 23, ValueType.FLOAT64: 52}


def in_kwh(point: ProfilePoint, counts: Fraction | int) -> Fraction | None:
    """Return what so many counts of a point are [kWh]; None where it does not count active energy."""
    if point.quantity.kind is not Kind.COUNTER or not fits(point.unit, Quantity.ACTIVE_ENERGY_IMPORT):
        return None
    return counts * point.scale * point.unit.factor_to(Unit.KWH)


def turns_at_kwh(point: ProfilePoint) -> Fraction | None:
    """Return where the register starts again from 0 [kWh], None where nothing is known of it.

    Examples
    --------
    >>> from config.profile import load_profile
    >>> turns_at_kwh(load_profile("siemens_pac1600").points["active_energy_import"])
    Fraction(536870912, 125)
    """
    return None if point.wrap_at is None else in_kwh(point, point.wrap_at)


def days_at_example(kwh: Fraction) -> Fraction:
    """Return how long a load of `EXAMPLE_MW` takes for so much energy [d]."""
    return kwh / (EXAMPLE_MW * 1000) / 24


def coarse_from(point: ProfilePoint) -> int | None:
    """Return the count from which a float register moves in steps above its resolution [counts]; else None.

    Examples
    --------
    >>> from config.profile import load_profile
    >>> coarse_from(load_profile("eastron_sdm630").points["active_energy_import"])
    131072
    """
    kinds = {place.type for place in point.places}
    if not all(kind in _MANTISSA for kind in kinds):
        return None
    mantissa = min(_MANTISSA[kind] for kind in kinds)
    power = 0
    while Fraction(2) ** (power - mantissa) <= point.resolution:
        power += 1
    return int(2**power)


def to_know(profile: Profile) -> Iterator[str]:
    """Yield what is not wrong with a profile and still matters to who uses it, one sentence each."""
    if profile.trust != "cross_checked":
        yield f"{profile.trust}: compare each value with the meter's display before you rely on it."
    if not profile.points.keys() & {Quantity.ACTIVE_ENERGY_IMPORT.value, Quantity.DC_ENERGY.value}:
        yield "No active_energy_import: headquarters can book no energy from this profile."
    if profile.identify is None and profile.sunspec is None:
        yield "No identify: a scan cannot recognise this product."
    if profile.identity is None or profile.identity.serial_number is None:
        yield "No serial number: an exchange of the meter shows only as a register that falls."
    for names, sentence in counters_to_know(profile):
        yield f"{', '.join(names)}: {sentence}"


def counters_to_know(profile: Profile) -> tuple[tuple[list[str], str], ...]:
    """Return what to know of the counters: the names of those it holds for, and a sentence."""
    alike: dict[str, list[str]] = {}
    for name, point in profile.points.items():
        for sentence in _of_counter(point):
            alike.setdefault(sentence, []).append(name)
    return tuple((names, sentence) for sentence, names in alike.items())


def _of_counter(point: ProfilePoint) -> Iterator[str]:
    if point.quantity.kind is not Kind.COUNTER:
        return
    turns = turns_at_kwh(point)
    if turns is not None and days_at_example(turns) < _SOON_DAYS:
        yield (
            f"starts again from 0 at {whole(turns)} kWh, at {EXAMPLE_MW} MW after {days(turns)}; "
            "the agent must not stand still for half as long."
        )
    register = point.scale_register
    if register is not None and register.exponents[0] != register.exponents[1]:
        yield "the power of ten may change, so where it turns is unknown; a turn is seen as a reset."
    elif point.wrap_at is None and point.compose is None and not point.type.is_float and point.type.words < 3:
        yield "no wrap_at, and a register of this type does turn; a turn is seen as a reset."
    if coarse := coarse_text(point):
        yield f"a float; {coarse}."


def coarse_text(point: ProfilePoint) -> str:
    """Return from where on a float register moves in larger steps; empty where that is out of reach."""
    coarse = coarse_from(point)
    if coarse is None or coarse * point.scale * point.unit.factor_to(point.quantity.unit) >= _OUT_OF_REACH:
        return ""
    step = exact_text(point.resolution * point.scale)
    return f"steps above {step} {point.unit} from {whole(coarse * point.scale)} {point.unit} on"


def whole(value: Fraction | int) -> str:
    """Return a number as people read it, ``4,294,967``; below 1,000 with what follows the point.

    Examples
    --------
    >>> whole(Fraction(536870912, 125)), whole(Fraction(1, 8))
    ('4,294,967', '0.125')
    """
    return f"{round(value):,}" if value >= 1000 else exact_text(Fraction(value))


def days(kwh: Fraction) -> str:
    """Return how long `EXAMPLE_MW` takes for so much energy, in hours, days or years."""
    took = days_at_example(kwh)
    if took < 2:
        return f"{float(took * 24):.2g} h"
    return f"{float(took):,.0f} days" if took < 1000 else f"{float(took / 365):,.0f} years"
