"""What registers did between two readings, against the power that flowed (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from agent.tools.figures import short
from agent.tools.relations import Relation, Seen, kilo, reckoned_power, whole
from core.metering.quantities import Quantity

PATIENCE_S: Final = 25.0
"""How long a register may stand still though power flows [s]."""
_BOTH_WAYS: Final = (Quantity.ACTIVE_ENERGY_EXPORT, Quantity.DC_ENERGY)


def step_relations(
    first: Mapping[str, Seen], later: Mapping[str, Seen], elapsed_s: float
) -> Iterator[Relation]:
    """Yield what the registers did between two readings.

    Parameters
    ----------
    first, later
        Values of both readings.
    elapsed_s
        Time between them [s].
    """
    energies = [*_energies(first, later)]
    power = _power_between(first, later)
    if energies and power is not None:
        yield from _holds_power(*energies[0], first[power[0]], power[1], elapsed_s)
    elif energies and (reckoned := reckoned_power(first)) and (then := reckoned_power(later)):
        watts = (abs(reckoned.value or 0) + abs(then.value or 0)) / 2
        yield from _holds_power(*energies[0], reckoned, watts, elapsed_s)
    for before, after in energies:
        if (after.value or 0) - (before.value or 0) < -0.5 * after.step:
            text = (
                f"{before.name} fell from {kilo(before.value or 0, 'Wh')} to {kilo(after.value or 0, 'Wh')}"
            )
            yield Relation("fell", (before.name,), False, f"{text}; a register never falls")
            return
    if power is None or not power[2] or power[1] == 0 or elapsed_s <= 0:
        return
    exports = (first[power[0]].value or 0) < 0
    if exports and not any(before.quantity in _BOTH_WAYS for before, _ in energies):
        return  # power runs the other way than the only register
    drawn = [each for each in energies if each[0].quantity is not Quantity.ACTIVE_ENERGY_EXPORT]
    running = [each for each in energies if each[1].value] or drawn
    if running:
        yield _steps(running, power[0], power[1], elapsed_s)


def _energies(first: Mapping[str, Seen], later: Mapping[str, Seen]) -> Iterator[tuple[Seen, Seen]]:
    for quantity in (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.ACTIVE_ENERGY_EXPORT, Quantity.DC_ENERGY):
        before, after = whole(first, quantity), whole(later, quantity)
        if before is not None and after is not None:
            yield before, after


def _steps(running: list[tuple[Seen, Seen]], name: str, watts: float, elapsed_s: float) -> Relation:
    counted = sum((after.value or 0) - (before.value or 0) for before, after in running)
    expected = watts * elapsed_s / 3600
    step = max(after.step for _, after in running)
    names = (*(before.name for before, _ in running), name)
    if expected < 4 * step and counted < 4 * step:
        wait_s = math.ceil(5 * step * 3600 / watts)
        return Relation("step", names, None, f"its step is too coarse: --seconds {wait_s} would show it")
    text = f"register rose by {kilo(counted, 'Wh')} in {short(elapsed_s)} s, "
    text += f"{name} gives {kilo(expected, 'Wh')}"
    if counted == 0:  # some meters renew their registers only now and then
        stands = elapsed_s >= PATIENCE_S and expected >= 50 * step
        return Relation("still", names, False if stands else None, f"{text}: it stands still")
    ratio = counted / expected
    near = _near(counted, expected, step)
    far = not 0.25 <= ratio <= 4 and not near
    return Relation("step", names, True if near else False if far else None, text, ratio)


def _near(counted: float, expected: float, step: float) -> bool:
    """Whether an increment is that of a power, as far as steps and renewals of a register let one see."""
    return counted <= 2 * expected + 2 * step and counted + 2 * step >= expected / 2


def _power_between(first: Mapping[str, Seen], later: Mapping[str, Seen]) -> tuple[str, float, bool] | None:
    """Name and mean of the power [W], and whether it stayed about the same."""
    for quantity in (Quantity.ACTIVE_POWER, Quantity.DC_POWER):
        before, after = whole(first, quantity), whole(later, quantity)
        if before is None or after is None or before.value is None or after.value is None:
            continue
        low, high = sorted((abs(before.value), abs(after.value)))
        return before.name, (low + high) / 2, high <= 2 * low and before.value * after.value > 0
    return None


def _holds_power(
    before: Seen, after: Seen, power: Seen, watts: float, elapsed_s: float
) -> Iterator[Relation]:
    """The same digits in an energy and a power register, twice: one of them is the other."""
    if not before.value or not after.value or not power.value:
        return
    for value, watt in ((before.value, abs(power.value)), (after.value, watts)):
        if not any(abs(value - watt * factor) <= 0.02 * watt * factor for factor in (1, 1000, 0.001)):
            return
    expected = watts * elapsed_s / 3600
    text = f"{before.name} {kilo(before.value, 'Wh')} and {power.name} {kilo(power.value)}"
    names = (before.name, power.name) if power.name == power.quantity.value else (before.name,)
    unseen = after.value >= before.value and expected < 4 * after.step
    if unseen or (
        after.value > before.value and _near(after.value - before.value, expected, after.step)
    ):  # it seems to count: a register of few kWh, or power that rose by chance
        yield Relation("same", names, None, f"{text} have the same digits: does it count? --seconds 60")
        return
    yield Relation("same", names, False, f"{text} have the same digits, and it does not count up")
