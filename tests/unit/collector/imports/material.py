"""A house with several meters, and files to bring into its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collector.imports.findings import Findings, PointFindings
from collector.imports.readings import Wanted, import_readings
from collector.ledger import Ledger
from collector.people import Who
from collector.view import View
from config.hq import HqConfig, load_hq
from config.mapping import Mapping, mapping_of
from core.metering.energy import IntervalEnergy
from core.timeline import Interval, days, format_local, parse_local
from tests.unit.collector.material import folder_with

METERS = Path(__file__).parents[3] / "data/meters"
SATO = Who("m.sato", "sato@hq")
NOW_MS = 1_760_000_000_000
ENERGY = "active_energy_import"

_METER = """\
      - id: {id}
        name: {{ja: 計器, en: meter}}
        quantity: active_energy_import
        current: ac
{more}        installations:
          - {{from: 2010-01-01, serial: S-{id}, wh_per_count: "1", side: primary{facts}}}
"""


def hq_of(
    path: Path, *ids: str, zone: str = "Europe/Amsterdam", more: str = "", facts: str = "", site: str = ""
) -> HqConfig:
    """Return a configuration with one site whose meters all stand in the boundary set."""
    text = (
        "company: {ja: 家, en: House}\nelectricity_factor: industry_adjusted\nsites:\n  - id: house\n"
        f"    name: {{ja: 家, en: House}}\n    time_zone: {zone}\n{site}    boundary: [{', '.join(ids)}]\n"
        "    meters:\n" + "".join(_METER.format(id=name, more=more, facts=facts) for name in ids)
    )
    return load_hq(folder_with(path, text))


def mapping(**keys: Any) -> Mapping:
    return mapping_of(keys)


def column(point: str, name: str | tuple[str, ...], **more: Any) -> dict[str, Any]:
    return {"point": point, "column": name, **more}


def bring(
    path: Path,
    ledger: Ledger,
    hq: HqConfig,
    how: Mapping | None = None,
    *,
    channels: dict[str, str] | None = None,
    since: str = "",
    until: str = "",
    dry: bool = False,
) -> Findings:
    wanted = Wanted(how, channels, since, until)
    return import_readings(path, ledger, hq, wanted, who=SATO, now_ms=NOW_MS, dry=dry)


def of(findings: Findings, meter: str) -> PointFindings:
    (found,) = (each for each in findings.points if each.point == f"{meter}.{ENERGY}")
    return found


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join((*lines, "")), encoding="utf-8")
    return path


def series(ledger: Ledger, hq: HqConfig, meter_id: str, bounds: tuple[int, ...]) -> list[IntervalEnergy]:
    (site,) = hq.sites
    (meter,) = (each for each in site.meters if each.id == meter_id)
    with ledger.reading() as connection:
        return list(View(connection, hq).series(site, meter, bounds))


def daily(ledger: Ledger, hq: HqConfig, meter: str, first: str, last: str) -> dict[str, int | None]:
    """Return the energy of each local day [Wh]."""
    zone = hq.sites[0].time_zone
    bounds = days(Interval(parse_local(first, zone), parse_local(last, zone)), zone)
    return {
        day_of(start_ms, hq): each.wh
        for start_ms, each in zip(bounds, series(ledger, hq, meter, bounds), strict=False)
    }


def day_of(time_ms: int, hq: HqConfig) -> str:
    return format_local(time_ms, hq.sites[0].time_zone)[:10]
