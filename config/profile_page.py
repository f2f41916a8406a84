"""docs/profiles.md, written from the shipped profiles; ``python -m config.profile_page`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from config.profile import Fingerprint, Profile, ProfilePoint, load_profile, profile_ids
from config.profile_facts import EXAMPLE_MW, coarse_text, counters_to_know, days, turns_at_kwh, whole
from core.carbon.rounding import exact_text

_HEAD = f"""# Device profiles

Every device model that Seiren knows: what it holds, where, and what one has to know of it. This page is
written from the files in `config/profiles` by `python -m config.profile_page`; a test holds it against them.
Is yours missing? [Write a profile](write-a-profile.md) in fifteen minutes. The keys of a profile are in
[reference.md](reference.md#profiles).

Trust says how the registers are known: `cross_checked` by at least two independent sources that agree,
`single_source` from one, `conflict` where sources disagree. All sources are public, and nobody has held each
meter against its profile: compare with the display (`seiren agent probe`) before you rely on a figure.

## Where the energy registers turn

The counter of active energy import (of a DC meter: DC energy). A register that turns loses nothing as long
as it is read more than twice in the time to a turn. Empty: no limit is documented, and none follows from
the type that would be reached in practice, or it is told below.

| profile | product | function | energy | turns at [kWh] | at {EXAMPLE_MW} MW after | resolution |
|---|---|---|---|---|---|---|
"""


def profile_page(profiles: Iterable[Profile]) -> str:
    """Return the page, Markdown, of profiles in the order given."""
    listed = tuple(profiles)
    rows = "".join(f"{_summary(profile)}\n" for profile in listed)
    return _HEAD + rows + "".join(f"\n{section}" for section in map(_section, listed))


def _summary(profile: Profile) -> str:
    point = profile.points.get("active_energy_import") or profile.points.get("dc_energy")
    cells = [f"[{profile.id}](#{profile.id})", f"{profile.vendor} {profile.product}", _function(profile)]
    if point is None:
        return _line(*cells, "none: gauges only", "", "", "")
    turns = turns_at_kwh(point)
    return _line(
        *cells,
        _type(point),
        "" if turns is None else whole(turns),
        "" if turns is None else days(turns),
        "; ".join(
            filter(None, (f"{exact_text(point.resolution * point.scale)} {point.unit}", coarse_text(point)))
        ),
    )


def _section(profile: Profile) -> str:
    return "\n".join(_section_lines(profile))


def _section_lines(profile: Profile) -> Iterator[str]:
    yield f"## {profile.id}\n"
    yield f"{profile.vendor} {profile.product}. Trust: `{profile.trust}`. {_reading(profile)}\n"
    yield f"Sources: {'; '.join(profile.sources)}.\n"
    yield f"Recognised by {_recognised(profile)}. {_identity(profile)}\n"
    for trap in profile.traps:
        yield f"- {trap.text}" + ("" if trap.link is None else f" ([source]({trap.link}))")
    for names, sentence in counters_to_know(profile):
        yield f"- {', '.join(f'`{name}`' for name in names)}: {sentence}"
    yield ""
    yield _line("point", "quantity", "address", "type", "unit", "one count", "turns at [counts]", "no value")
    yield "|---|---|---|---|---|---|---|---|"
    for name, point in profile.points.items():
        yield _line(
            f"`{name}`",
            point.quantity.en,
            _address(point),
            _type(point),
            point.unit,
            _worth(point),
            "" if point.wrap_at is None else f"{point.wrap_at:,}",
            ", ".join(f"0x{pattern:0{point.type.pattern_bits // 4}X}" for pattern in point.not_available),
        )
    yield ""


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _function(profile: Profile) -> str:
    return ", ".join(sorted({str(profile.function_of(point)) for point in profile.points.values()}))


def _reading(profile: Profile) -> str:
    order = "high" if profile.word_order == "msw_first" else "low"
    text = f"Function {_function(profile)}, {order} word first"
    if profile.byte_order != "big":
        text += ", low byte first"
    if profile.sunspec is not None:
        models = ", ".join(map(str, profile.sunspec))
        text += f"; addresses are offsets from the ID register of SunSpec model {models}"
    if profile.max_registers < 125:
        text += f"; at most {profile.max_registers} registers in one request"
    return text + "."


def _recognised(profile: Profile) -> str:
    if profile.sunspec is not None:
        return "its SunSpec model"
    rule = profile.identify
    if rule is None:
        return "nothing yet"
    texts = [
        f"{name} `{pattern}` in 43/14"
        for name, pattern in (("vendor", rule.vendor), ("product", rule.product))
        if pattern is not None
    ]
    registers = [_fingerprint(register) for register in rule.registers]
    return ", or by ".join(filter(None, (" and ".join(texts), " and ".join(registers))))


def _fingerprint(register: Fingerprint) -> str:
    at = f"{register.type} at {register.address}"
    if register.equals is not None:
        return f"{at} = {register.equals}"
    low = "" if register.min is None else f"{exact_text(register.min)} <= "
    return f"{low}{at}" + ("" if register.max is None else f" <= {exact_text(register.max)}")


def _identity(profile: Profile) -> str:
    texts = profile.identity.texts if profile.identity is not None else ()
    if not texts:
        return "No register with its serial number is known."
    known = ", ".join(f"{name.replace('_', ' ')} at {text.address}" for name, text in texts)
    return f"It tells its {known}" + (" of the common model." if profile.sunspec is not None else ".")


def _address(point: ProfilePoint) -> str:
    parts = [
        f"{place.address} (0x{place.address:04X})" + ("" if place.weight == 1 else f" x {place.weight:,}")
        for place in point.places
    ]
    return " + ".join(parts) + ("" if point.bit is None else f", bit {point.bit}")


def _type(point: ProfilePoint) -> str:
    return "+".join(dict.fromkeys(place.type.value for place in point.places))


def _worth(point: ProfilePoint) -> str:
    worth = exact_text(point.scale)
    register = point.scale_register
    if register is None:
        return worth
    low, high = register.exponents
    return f"{worth} x 10^(register {register.address} - ({low})), {low} to {high}"


if __name__ == "__main__":
    sys.stdout.write(profile_page(load_profile(name) for name in profile_ids()))
