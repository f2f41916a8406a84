"""A small works in February 2024 whose figures can be checked by hand.

Registers count kWh and stand exactly at the month's two midnights. Intake 1,000,000 kWh = furnace 700,000 +
cells 200,000 + 100,000 that no sub-meter sees; behind the cells' rectifier 190,000 kWh of direct current.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.allocation import Allocation
from core.carbon.inputs import Meter, SiteInputs, StatementInputs
from core.carbon.labels import Label
from core.carbon.targets import MonthTarget
from core.metering.counters import CounterSpec, Register, build_counter
from core.metering.energy import IntervalEnergy, energy
from core.metering.installations import Installation, Side
from core.metering.network import Current, Network, Node
from core.metering.quantities import Quantity, Unit
from core.metering.readings import Reading
from core.timeline import half_hours, month
from tests.unit.core.carbon.examples import COAL, HEAVY_OIL_A, HEAVY_OIL_A_UNTIL_2022, series

TOKYO = ZoneInfo("Asia/Tokyo")
MONTH = "2024-02"
FEBRUARY = month(MONTH, TOKYO)
ONE = Fraction(1)

NODES = (
    Node("RCV"),
    Node("FUR", parent="RCV"),
    Node("CEL", parent="RCV"),
    Node("CEL-DC", quantity=Quantity.DC_ENERGY, current=Current.DC, parent="CEL"),
)
METERS = (
    Meter("RCV", Label("受電点", "intake")),
    Meter("FUR", Label("電気炉", "furnace"), "furnace"),
    Meter("CEL", Label("電解", "cells AC"), "cells"),
    Meter("CEL-DC", Label("電解直流", "cells DC"), "cells"),
)
KWH = {"RCV": 1_000_000, "FUR": 700_000, "CEL": 200_000, "CEL-DC": 190_000}


def registers(
    node: Node, kwh: int, times_ms: tuple[int, ...] | None = None, resolution: Fraction = ONE
) -> IntervalEnergy:
    """Return the energy of a register that rises evenly by so many kWh over the month."""
    times = half_hours(FEBRUARY) if times_ms is None else times_ms
    readings = [
        Reading(node.point, time_ms, 5000 + kwh * (time_ms - FEBRUARY.start_ms) // FEBRUARY.duration_ms)
        for time_ms in times
    ]
    installation = Installation(
        point=node.point,
        start_ms=0,
        end_ms=None,
        serial=f"SYN-{node.meter}",
        ct=ONE,
        vt=ONE,
        side=Side.PRIMARY,
        wh_per_count=Fraction(1000),
        ct_text="400/5 A",
        vt_text="66000/110 V",
        full_scale_kw=Fraction(5000),
        accuracy_class="0.5S",
        calibration_until=date(2027, 9, 30),
        profile="of_a_test",
    )
    return energy(
        build_counter(readings, CounterSpec(node.point, (Register(resolution=resolution),))),
        [installation],
        FEBRUARY,
    )


ENERGIES: Mapping[str, IntervalEnergy] = {node.point: registers(node, KWH[node.meter]) for node in NODES}

ALLOCATION = Allocation(
    meters={"FUR": {"ferronickel": ONE}, "CEL": {"copper": ONE}},
    remainder={"ferronickel": Fraction(7, 10), "copper": Fraction(3, 10)},
    fuels={"kiln": {"ferronickel": ONE}, "boiler": {"ferronickel": Fraction(1, 3), "copper": Fraction(2, 3)}},
)

SITE = SiteInputs(
    id="aoba",
    name=Label("青葉製錬所", "Aoba works"),
    tz=TOKYO,
    network=Network(NODES, ("RCV",)),
    meters=METERS,
    energies=ENERGIES,
    allocation=ALLOCATION,
)


def slip(number: int, process: str, fuel: str, quantity: str, unit: Unit, day: int) -> FuelLine:
    """Return a fuel line of February 2024."""
    return FuelLine(
        id=f"fuel-{number}",
        site="aoba",
        process=process,
        fuel=fuel,
        date=date(2024, 2, day),
        quantity=Fraction(quantity),
        unit=unit,
        document=f"slip {number}",
        source=f"fuel.csv:{number + 1}",
    )


FUELS = (
    slip(1, "kiln", "coal", "60.5", Unit.T, 10),
    slip(2, "kiln", "coal", "39500", Unit.KG, 20),
    slip(3, "boiler", "heavy_oil_a", "12", Unit.KL, 15),
)
PRODUCTION = tuple(
    ProductionLine(
        f"made-{n}", MONTH, "aoba", product, Fraction(t), Unit.T, f"ledger {n}", f"production.csv:{n}"
    )
    for n, product, t in ((1, "ferronickel", 200), (2, "copper", 300), (3, "copper", 200))
)

WORKS = StatementInputs(
    month=MONTH,
    company=Label("青葉製錬", "Aoba Metals"),
    synthetic="a test",
    sites=(SITE,),
    products={"ferronickel": Label("フェロニッケル", "FeNi"), "copper": Label("電気銅", "copper")},
    fuels=FUELS,
    production=PRODUCTION,
    fuel_factors=(COAL, HEAVY_OIL_A, HEAVY_OIL_A_UNTIL_2022),
    electricity=series(2022, 2023, kg_per_kwh="0.421"),
    targets=(MonthTarget("2024-01", Fraction(1)), MonthTarget(MONTH, Fraction(700))),
)


def works_without(*meters: str) -> StatementInputs:
    """Return the works without any reading of some meters."""
    points = {node.point for node in NODES if node.meter in meters}
    energies = {point: each for point, each in ENERGIES.items() if point not in points}
    return replace(WORKS, sites=(replace(SITE, energies=energies),))


def works_yard(*boundary: str) -> SiteInputs:
    """Return a second site that takes in 50,000 kWh through each of its meters and makes nothing."""
    nodes = tuple(Node(meter) for meter in boundary)
    return SiteInputs(
        id="shiomi",
        name=Label("汐見ヤード", "Shiomi yard"),
        tz=TOKYO,
        network=Network(nodes, boundary),
        meters=tuple(Meter(meter, Label("受電点", "intake")) for meter in boundary),
        energies={node.point: registers(node, 50_000) for node in nodes},
    )
