"""Works, readings and decisions by chance: whatever a register, a slip or a person may do in two months."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import yaml

from collector.ledger import Ledger, cells, decisions, values
from collector.people import Who
from core.metering.cells import cells_of
from core.metering.interval_data import Run
from core.metering.readings import Count, Quality, Reading
from core.metering.sources import Origin

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
T0 = 1_704_034_800_000  # 2024-01-01 00:00 JST
WHO = Who("sato", "sato@hq")
METERS = ("RCV", "FUR", "CEL", "KLN", "DCR")


def works(random: Random) -> str:
    """Return a configuration: a receiving point, what it feeds, and sums of those."""
    meters = [_meter(random, name) for name in METERS]
    site: dict[str, Any] = {
        "id": "aoba",
        "name": {"ja": "青葉", "en": "Aoba"},
        "time_zone": "Asia/Tokyo",
        "boundary": ["RCV"],
        "meters": meters,
        "allocation": {
            "meters": {"FUR": {"copper": "1"}},
            "remainder": random.choice([None, {"copper": "1/3", "lead": "2/3"}]),
            "fuels": {"kiln": {"lead": "1"}},
        },
    }
    if random.random() < 0.5:
        meters[3]["moves"] = [
            {"from": date(2024, random.randint(1, 2), random.randint(1, 28)), "parent": "FUR"}
        ]
    if random.random() < 0.3:
        meters[1]["from"] = date(2024, 2, random.randint(1, 20))
    if random.random() < 0.5:
        minus = random.choice([[], ["KLN"]])
        site["virtual"] = [
            {
                "id": "SUM",
                "name": {"ja": "計", "en": "sum"},
                "plus": ["CEL", "FUR"],
                "minus": minus,
                "losses_percent": random.choice(["0", "0.8", "1/3"]),
            }
        ]
    without = random.random()
    if without < 0.2:
        meters[2]["source"] = "power"
    elif without < 0.4:
        meters[2] |= {"source": "intervals", "installations": []}
    elif without < 0.6:
        site["sources"] = {random.choice(["RCV", "FUR"]): "bill"}
    document = {
        "company": {"ja": "青葉製錬", "en": "Aoba Metals"},
        "electricity_factor": "industry_adjusted",
        "sites": [site],
        "products": {"copper": {"ja": "銅", "en": "copper"}, "lead": {"ja": "鉛", "en": "lead"}},
        "targets": {"2024-02": "100"},
    }
    if site["allocation"]["remainder"] is None:
        del site["allocation"]["remainder"]
    return yaml.safe_dump(document, allow_unicode=True)


def _meter(random: Random, name: str) -> dict[str, Any]:
    direct = name == "DCR"
    meter: dict[str, Any] = {
        "id": name,
        "name": {"ja": name.lower(), "en": f"meter {name}"},
        "quantity": "dc_energy" if direct else "active_energy_import",
        "current": "dc" if direct else "ac",
    }
    if name != "RCV":
        meter["parent"] = "CEL" if direct else "RCV"
    first: dict[str, Any] = {
        "from": date(2020, 10, 1),
        "serial": f"{name}-1",
        "wh_per_count": random.choice(["1", "10", "1/3", "100"]),
        "side": random.choice(["primary", "secondary"]),
        "ct": random.choice(["1/1", "400/5", "150/5"]),
    }
    if random.random() < 0.7:
        first["full_scale_kw"] = random.choice(["50", "400", "20000"])
    if random.random() < 0.7:
        first["accuracy_class"] = random.choice(["0.5S", "1", "B"])
    wrap = random.choice([None, None, 10_000, 65_536, 1_000_000])
    if wrap is not None:
        first["wrap_at"] = wrap
    if random.random() < 0.3:
        first["resolution"] = random.choice(["0.1", "0.25", "2"]) if wrap is None else "1"
    installed = [first]
    for serial in range(2, 2 + random.choice([0, 0, 1, 2])):
        day = date(2024, random.randint(1, 2), random.randint(1, 28))
        if day <= installed[-1]["from"]:
            continue
        another = {**installed[-1], "from": day, "ct": random.choice(["300/5", "400/5"])}
        if random.random() < 0.5:
            another["serial"] = f"{name}-{serial}"
        installed.append(another)
    return {**meter, "installations": installed}


def readings(random: Random, point: str) -> list[Reading]:
    """Return what a register held in January and February, and whatever went wrong with it."""
    step_ms = random.choice([HOUR_MS, 8 * HOUR_MS, 8 * HOUR_MS, 5 * DAY_MS])
    speed, count = random.choice([0, 1, 7, 200]), random.choice([0, 900, 60_000])
    fraction = random.random() < 0.2
    found: list[Reading] = []
    at_ms = T0 - 3 * DAY_MS + random.randrange(step_ms)
    end_ms = T0 + 63 * DAY_MS
    quiet_until = 0
    while at_ms < end_ms:
        at_ms += step_ms if random.random() < 0.8 else random.randrange(1, step_ms)
        chance = random.random() * 300
        if chance < 1:
            count = random.choice([0, 3, count // 2])
        elif chance < 2:
            at_ms += random.randrange(3 * DAY_MS)
        elif chance < 3:
            quiet_until = at_ms + random.randrange(40 * HOUR_MS)
        elif chance < 4:
            count += random.choice([10_000, 10**7])
        if at_ms > quiet_until:
            count += random.randrange(speed + 1) * step_ms // HOUR_MS + random.randrange(2)
        shown: Count = count % random.choice([65_536, 10_000, 10**6]) if chance > 299 else count
        if 4 <= chance < 6:
            shown = random.choice([0, 1, 2 * count + 5])
        if fraction:
            shown = Decimal(shown) + Decimal("0.25")
        quality = Quality.UNCERTAIN if chance > 294 else Quality.BAD if chance > 292 else Quality.GOOD
        if quality is Quality.BAD and chance > 293:
            found.append(Reading(point, at_ms, None, quality))
        else:
            found.append(Reading(point, at_ms, shown, quality))
        if 6 <= chance < 7:
            found.append(Reading(point, at_ms, shown + 1, Quality.GOOD))
    if random.random() < 0.3:
        found = [each for each in found if each.time_ms < T0 + random.randint(20, 62) * DAY_MS]
    return found


def bring(ledger: Ledger, random: Random, points: list[str], *, share: float = 1.0) -> None:
    """Put readings of all points into a ledger, or a share of them."""
    for point in points:
        some = [each for each in readings(random, point) if random.random() < share]
        with ledger.writing() as connection:
            cells.merge(connection, cells_of(some))


def decide(ledger: Ledger, random: Random, points: list[str], reader: str = "m.sato") -> None:
    """Let people exclude, enter, exchange and substitute, and bring energies from elsewhere."""
    for _ in range(random.randrange(5)):
        point = random.choice(points)
        at_ms = T0 + random.randrange(60 * DAY_MS)
        until_ms = at_ms + random.randrange(1, 20 * DAY_MS)
        what = random.choice(["exclude", "span", "enter", "substitute", "values", "installation", "exchange"])
        body: dict[str, Any] = {"what": what, "point": point}
        if what == "exclude":
            body["time_ms"] = at_ms
        elif what == "span":
            body |= {"what": "exclude", "start_ms": at_ms, "end_ms": at_ms + random.randrange(1, 2 * DAY_MS)}
        elif what == "enter":
            count = str(random.choice([0, 5_000, 70_000]))
            body |= {"time_ms": at_ms, "count": count, "reader": reader, "document": "S-1", "sha256": ""}
        elif what == "substitute":
            body |= {"start_ms": at_ms, "end_ms": until_ms, "wh": random.randrange(10**7)}
            body |= {"method": "same_hours_last_week", "document": "S-2"}
        elif what == "installation":
            body = {"what": what, "meter": point.partition(".")[0], "from_ms": at_ms, "to_ms": until_ms}
            body["set"] = {"ct": "600/5"}
        elif what == "exchange":
            body = {"what": what, "meter": point.partition(".")[0], "at_ms": at_ms, "document": "S-3"}
            body |= {"closing": random.choice([None, "70000"]), "opening": random.choice([None, "0"])}
            body |= {"serial": "NEW", "set": {}}
        with ledger.writing() as connection:
            kind = "import" if what == "values" else "correction"
            made = decisions.decide(connection, kind=kind, who=WHO, reason="", body=body, time_ms=at_ms)
            if what == "values":
                values.add(connection, [_run(random, point, at_ms)], made)


def _run(random: Random, point: str, at_ms: int) -> Run:
    half_hour_ms = HOUR_MS // 2
    step_ms, n = random.choice([half_hour_ms, HOUR_MS, DAY_MS]), random.randint(1, 200)
    start_ms = at_ms // half_hour_ms * half_hour_ms
    return Run(
        point=point,
        start_ms=start_ms,
        end_ms=start_ms + n * step_ms,
        amounts=" ".join(random.choice(["0", "12.5", "9000", "100000.25"]) for _ in range(n)),
        origin=random.choice([Origin.MEASURED, Origin.BILLED, Origin.MANUAL, Origin.SUBSTITUTED]),
        method="by hand",
        document="values.csv",
    )
