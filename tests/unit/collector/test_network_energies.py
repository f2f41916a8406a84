"""Energies of dated places and of virtual meters: intervals add up, and nothing is lost at a handing over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
import yaml

from collector import records
from collector.network_energies import network_series
from config.hq import HqConfig, SiteRecord, load_hq
from config.meters import MeterRecord
from core.metering.balances import balances
from core.metering.counters import Counter, build_counter, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.readings import Reading
from core.metering.scaling import scaled
from core.timeline import Interval, days, half_hours, month, months, parse_local

TOKYO = ZoneInfo("Asia/Tokyo")
HOUR_MS = 3_600_000
WHOLE = Interval(parse_local("2024-01-01", TOKYO), parse_local("2024-04-01", TOKYO))
FEBRUARY = month("2024-02", TOKYO)


def meter(name: str, **facts: object) -> dict[str, object]:
    return {
        "id": name,
        "name": {"ja": name, "en": name},
        "quantity": "active_energy_import",
        "current": "ac",
        "installations": [
            {
                "from": "2020-01-01",
                "serial": name,
                "wh_per_count": "7/3",
                "side": "primary",
                "accuracy_class": "1",
            }
        ],
        **facts,
    }


def plan(
    folder: Path, boundary: Sequence[str], meters: Sequence[object], virtual: Sequence[object] = ()
) -> HqConfig:
    site = {
        "id": "aoba",
        "name": {"ja": "a", "en": "a"},
        "time_zone": "Asia/Tokyo",
        "boundary": list(boundary),
        "meters": list(meters),
        "virtual": list(virtual),
    }
    text = {"company": {"ja": "a", "en": "a"}, "electricity_factor": "industry_adjusted", "sites": [site]}
    dumped = yaml.safe_dump(text).replace("'2020-01-01'", "2020-01-01")
    (folder / "hq.yaml").write_text(dumped, encoding="utf-8")
    return load_hq(folder)


class Registers:
    """Registers that are read each hour, from counts by meter and hour."""

    def __init__(self, counts: Mapping[str, Sequence[int]]) -> None:
        self._counts = counts

    def series(
        self,
        site: SiteRecord,
        meter: MeterRecord,
        boundaries_ms: Sequence[int],
        *,
        factor: Fraction = Fraction(1),
    ) -> tuple[IntervalEnergy, ...]:
        installations = meter.dated(site.time_zone)
        return series(self._counter(site, meter), scaled(installations, factor), boundaries_ms)

    def _counter(self, site: SiteRecord, meter: MeterRecord) -> Counter:
        readings = [
            Reading(meter.point, WHOLE.start_ms + hour * HOUR_MS - 1_234, count)
            for hour, count in enumerate(self._counts[meter.id])
        ]
        return build_counter(readings, counter_spec(meter.point, meter.dated(site.time_zone)))


def counting(seed: int, most: int = 900) -> list[int]:
    """A register at each hour of the quarter, and some beyond."""
    random, count, found = Random(seed), 10_000, []
    for _ in range(WHOLE.duration_ms // HOUR_MS + 3):
        found.append(count)
        count += random.randrange(most)
    return found


def wh(found: Sequence[Mapping[str, IntervalEnergy]], point: str) -> list[int]:
    return [each.wh for part in found if (each := part.get(point)) is not None and each.wh is not None]


@pytest.mark.parametrize("seed", range(2))
def test_a_virtual_meter_with_losses_adds_up_over_every_grid(tmp_path: Path, seed: int) -> None:
    virtual = {
        "id": "V",
        "name": {"ja": "v", "en": "v"},
        "plus": ["RCV", "RCV-2"],
        "minus": ["FUR"],
        "losses_percent": "0.37",
    }
    hq = plan(tmp_path, ["V"], [meter("RCV"), meter("RCV-2"), meter("FUR", parent="RCV")], [virtual])
    site = hq.sites[0]
    network = records.network(site)
    view = Registers({"RCV": counting(seed), "RCV-2": counting(seed + 10), "FUR": counting(seed + 20, 100)})
    point = "V.active_energy_import"
    whole = wh(network_series(view, site, network, (WHOLE.start_ms, WHOLE.end_ms)), point)[0]
    for cuts in (months(WHOLE, TOKYO), days(WHOLE, TOKYO)):
        parts = wh(network_series(view, site, network, cuts, ["V"]), point)
        assert len(parts) == len(cuts) - 1
        assert sum(parts) == whole
    some = Interval(FEBRUARY.start_ms, FEBRUARY.start_ms + 72 * HOUR_MS)
    (three_days,) = wh(network_series(view, site, network, (some.start_ms, some.end_ms), ["V"]), point)
    assert sum(wh(network_series(view, site, network, half_hours(some), ["V"]), point)) == three_days
    (plain,) = network_series(view, site, network, (WHOLE.start_ms, WHOLE.end_ms))
    taken = sum(
        sign * (plain[f"{name}.active_energy_import"].wh or 0)
        for sign, name in ((1, "RCV"), (1, "RCV-2"), (-1, "FUR"))
    )
    assert abs(whole - taken * Fraction(10037, 10000)) < 4


def test_at_a_handing_over_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path) -> None:
    at = "2024-02-14T10:30"
    hq = plan(tmp_path, ["OLD", "NEW"], [meter("OLD", to=at), meter("NEW", **{"from": at})])
    site = hq.sites[0]
    network = records.network(site)
    counts = counting(1)
    view = Registers({"OLD": counts, "NEW": counts})  # both would show the same energy
    (before, over, after) = network_series(view, site, network, months(WHOLE, TOKYO))
    alone = Registers({"OLD": counts, "NEW": counts}).series(site, site.meters[0], months(WHOLE, TOKYO))
    assert list(before) == ["OLD.active_energy_import"]
    assert list(after) == ["NEW.active_energy_import"]
    assert sum(each.wh or 0 for each in over.values()) == alone[1].wh
    assert over["OLD.active_energy_import"].interval.end_ms == parse_local(at, TOKYO)


def test_a_meter_that_was_moved_is_taken_off_where_it_was(tmp_path: Path) -> None:
    moved = meter("PMP", parent="TR-1", moves=[{"from": "2024-02-14T10:30", "parent": "TR-2"}])
    hq = plan(
        tmp_path, ["RCV"], [meter("RCV"), meter("TR-1", parent="RCV"), meter("TR-2", parent="RCV"), moved]
    )
    site = hq.sites[0]
    network = records.network(site)
    pump, still = counting(5), [10_000] * len(counting(5))
    at = parse_local("2024-02-14T10:00", TOKYO)
    hours = [WHOLE.start_ms + hour * HOUR_MS for hour in range(len(pump))]
    gone = next(index for index, time_ms in enumerate(hours) if time_ms > at)
    tr_1 = [*pump[:gone], *[pump[gone]] * (len(pump) - gone)]
    tr_2 = [*[pump[gone]] * gone, *pump[gone:]]
    view = Registers({"RCV": still, "TR-1": tr_1, "TR-2": tr_2, "PMP": pump})
    (found,) = network_series(view, site, network, (FEBRUARY.start_ms, FEBRUARY.end_ms))
    standing = network.during(FEBRUARY)
    pieces = [found[standing.key(place)].wh or 0 for place in standing.places("PMP")]
    assert sum(pieces) == found["PMP.active_energy_import"].wh
    _, first, second = balances(standing, found)
    hour_wh = 900 * Fraction(7, 3)
    assert abs(first.difference_wh or 0) <= hour_wh
    assert abs(second.difference_wh or 0) <= hour_wh


def test_a_day_outside_the_network_has_no_energy_rather_than_none(tmp_path: Path) -> None:
    hq = plan(
        tmp_path,
        ["RCV"],
        [meter("RCV"), meter("FUR", parent="RCV", **{"from": "2024-02-10T06:00", "to": "2024-02-12"})],
    )
    site = hq.sites[0]
    network = records.network(site)
    view = Registers({"RCV": counting(1), "FUR": counting(2)})
    cuts = days(Interval(parse_local("2024-02-09", TOKYO), parse_local("2024-02-13", TOKYO)), TOKYO)
    found = network_series(view, site, network, cuts, ["FUR"])
    assert [len(part) for part in found] == [0, 1, 1, 0]
    assert found[1]["FUR.active_energy_import"].interval.duration_ms == 18 * HOUR_MS
