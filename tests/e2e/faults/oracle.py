"""What must be true once the last fault has passed: what the meters served is in the ledger, or named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from random import Random

from sqlalchemy import text

from collector.energies import Grid, amounts
from collector.ledger import Ledger
from collector.stores import make_store
from config.hq import load_hq
from core.delivery.frames import Lane
from core.timeline import HALF_HOUR_MS, Interval
from tests.e2e.faults.meters import ENERGY, POWER
from tests.e2e.faults.site import T0, Site

LANES = {ENERGY: Lane.REGISTERS, POWER: Lane.SAMPLES}
_GONE = "SELECT lane, reason, gone.readings, from_ms, to_ms FROM gone JOIN streams ON number = stream"

NO_CHANCE = Random(0)
"""For disturbances that have nothing to choose."""

Readings = dict[str, dict[int, int]]
"""Point → time [ms] → count."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A range that no longer exists at the agent; times as far as they are known [ms]."""

    lane: str
    reason: str
    readings: int
    from_ms: int | None
    to_ms: int | None

    def may_hold(self, time_ms: int) -> bool:
        """Tell whether a reading of a moment may be in it."""
        return (self.from_ms is None or self.from_ms <= time_ms) and (
            self.to_ms is None or time_ms <= self.to_ms
        )


@dataclass
class Seen:
    """One ledger's contents, and what is wrong with them."""

    registers: Readings = field(default_factory=dict)
    projected: Readings = field(default_factory=dict)
    gone: list[Gone] = field(default_factory=list)
    lost: dict[Lane, Counter[str]] = field(default_factory=dict)
    half_hours: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)


async def look(site: Site, ledger: str = "") -> Seen:
    """Return what a ledger and its reading store hold."""
    seen = Seen()
    folder = site.hq(ledger)
    hq = load_hq(folder)
    with closing(Ledger.open(folder)) as opened:
        for point in opened.points():
            rows = [row for cell in opened.cells(point) for row in cell.readings]
            assert len({row[0] for row in rows}) == len(rows), f"{point}: a moment has two values"
            seen.registers[point] = {time_ms: int(count) for time_ms, count, _ in rows if count is not None}
        with opened.reading() as connection:
            seen.gone = [Gone(*row) for row in connection.execute(text(_GONE))]
        for count in opened.counts():
            seen.lost.setdefault(count.lane, Counter()).update(count.lost)
        whole = Interval(-(-T0 // HALF_HOUR_MS) * HALF_HOUR_MS, site.end_ms // HALF_HOUR_MS * HALF_HOUR_MS)
        seen.half_hours = {
            meter.id: tuple(each.wh for each in amounts(opened, hq, meter.id, whole, Grid.HALF_HOUR)[0])
            for meter in site.plant.meters
        }
    store = make_store(hq.store, folder)
    await store.open()
    everything = Interval(0, 2**42)
    for quantity in LANES:
        for point in site.plant.served(quantity):
            seen.projected[point] = {
                row.time_ms: round(row.value * 100)
                for row in await store.read(point, everything)
                if row.value is not None
            }
    await store.close()
    return seen


def holds_newest(site: Site, ledger: str = "") -> bool:
    """Tell whether the newest register reading of each meter is in a ledger."""
    if not site.counts(ledger):
        return False
    with closing(Ledger.open(site.hq(ledger))) as opened:
        for point, served in site.plant.served(ENERGY).items():
            cells = opened.cells(point)
            if not cells or cells[-1].readings[-1][0] < max(served):
                return False
    return True


async def has_newest(site: Site, ledger: str = "") -> bool:
    """Tell whether the newest register reading of each meter is in a ledger and in its reading store."""
    if not holds_newest(site, ledger):
        return False
    folder, last = site.hq(ledger), {point: max(each) for point, each in site.plant.served(ENERGY).items()}
    store = make_store(load_hq(folder).store, folder)
    await store.open()
    found = [await store.read(point, Interval(time_ms, time_ms + 1)) for point, time_ms in last.items()]
    await store.close()
    return all(found)


def wrong(
    site: Site, seen: Seen, undisturbed: Seen | None, may_be_lost: Mapping[Lane, Collection[str]]
) -> list[str]:
    """Return what must not be, in words; empty where all is as it must be.

    Parameters
    ----------
    site
        What the meters served, and to whom.
    seen
        What a ledger and its reading store hold.
    undisturbed
        What a run without any fault left.
    may_be_lost
        Reasons for which readings of a lane may be named lost after these faults.
    """
    return [
        *_invented(site, seen),
        *_unnamed(site, seen),
        *(
            f"{readings} readings of {lane} are named lost: {reason}"
            for lane, lost in seen.lost.items()
            for reason, readings in lost.items()
            if readings and reason not in may_be_lost.get(lane, ())
        ),
        *(_differing(seen, undisturbed) if undisturbed is not None else ()),
    ]


def _invented(site: Site, seen: Seen) -> Iterator[str]:
    """What is held, and was never served."""
    served = {**site.plant.served(ENERGY), **site.plant.served(POWER)}
    for name, readings in (("ledger", seen.registers), ("store", seen.projected)):
        for point, held in readings.items():
            for time_ms, count in held.items():
                if served.get(point, {}).get(time_ms) != count:
                    yield f"the {name} has {point} {count} at {time_ms - T0} ms, which was never served"


def _unnamed(site: Site, seen: Seen) -> Iterator[str]:
    """What was served, and is neither held nor named."""
    for quantity, lane in LANES.items():
        gone = [each for each in seen.gone if each.lane == lane]
        missing = 0
        for point, served in site.plant.served(quantity).items():
            held = seen.registers.get(point, {}) if lane is Lane.REGISTERS else seen.projected.get(point, {})
            if lane is Lane.REGISTERS and (behind := held.keys() - seen.projected.get(point, {}).keys()):
                yield f"{point}: {len(behind)} readings of the ledger are not projected"
            for time_ms in sorted(served.keys() - held.keys()):
                missing += 1
                if not any(each.may_hold(time_ms) for each in gone):
                    yield f"{point} at {time_ms - T0} ms was served, and is neither held nor named lost"
        if missing > (named := seen.lost[lane].total()):
            yield f"{missing} readings of {lane} are missing, and {named} are named lost"


def _differing(seen: Seen, undisturbed: Seen) -> Iterator[str]:
    """What a run without faults holds, and this one does not; energies that are not the same."""
    gone = [each for each in seen.gone if each.lane == Lane.REGISTERS]
    for point, readings in undisturbed.registers.items():
        for time_ms in readings.keys() - seen.registers.get(point, {}).keys():
            if not any(each.may_hold(time_ms) for each in gone):
                yield f"{point} at {time_ms - T0} ms is held by an undisturbed run"
    if not seen.lost[Lane.REGISTERS].total() and seen.half_hours != undisturbed.half_hours:
        yield f"energies {seen.half_hours} are not {undisturbed.half_hours}"
