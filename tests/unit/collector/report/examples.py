"""A synthetic month that report and pages are tested with: statements really built by core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

from collector.report.sheet import Sheet
from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.allocation import Allocation
from core.carbon.factors import (
    Basis,
    Confidence,
    ElectricityFactor,
    ElectricitySeries,
    FactorStatus,
    FuelFactor,
)
from core.carbon.inputs import Meter, SiteInputs, StatementInputs
from core.carbon.labels import Label
from core.carbon.statement import build, to_json
from core.carbon.targets import MonthTarget
from core.delivery.count import Count
from core.delivery.frames import Lane
from core.metering.boundaries import Boundary, Method, RegisterReading
from core.metering.energy import IntervalEnergy, Origin
from core.metering.installations import Installation, Side
from core.metering.network import Current, Network, Node
from core.metering.quantities import Quantity, Unit
from core.timeline import Interval, month

TOKYO = ZoneInfo("Asia/Tokyo")
FEBRUARY = month("2024-02", TOKYO)
INTAKE_KWH = Fraction(20_952_864)


@dataclass(frozen=True, slots=True)
class Row:
    """A meter: name, register at both ends [counts], energy of a count [Wh], tree."""

    id: str
    name: Label
    first: int
    last: int
    count_wh: int
    parent: str | None = "AOB-RCV-01"
    current: Current = Current.AC

    @property
    def node(self) -> Node:
        quantity = Quantity.DC_ENERGY if self.current is Current.DC else Quantity.ACTIVE_ENERGY_IMPORT
        return Node(self.id, quantity, self.current, self.parent)


ROWS = (
    Row("AOB-RCV-01", Label("受電点", "intake"), 61_204_417, 61_640_935, 48_000, None),
    Row("AOB-FUR-01", Label("電気炉", "FeNi furnace"), 8_998_000, 9_316_990, 48_000),
    Row("AOB-CEL-01", Label("電解 交流側", "copper cells AC"), 2_100_000, 2_169_138, 48_000),
    Row("AOB-KLN-01", Label("キルン", "kiln"), 800_100, 927_590, 10_000),
    Row("AOB-UTL-01", Label("用役", "utilities"), 600_000, 696_138, 10_000),
    Row(
        "AOB-CEL-DC", Label("電解 直流側", "copper cells DC"), 300, 211_700, 15_000, "AOB-CEL-01", Current.DC
    ),
)


def energy(row: Row, during: Interval = FEBRUARY) -> IntervalEnergy:
    """Return a meter's energy of the month, its registers read shortly before and after each boundary."""
    installation = Installation(
        point=row.node.point,
        start_ms=month("2020-10", TOKYO).start_ms,
        end_ms=None,
        serial=f"SYN-{row.id[-2:]}",
        ct=Fraction(80),
        vt=Fraction(600),
        side=Side.SECONDARY,
        wh_per_count=Fraction(row.count_wh, 48_000),
        ct_text="400/5 A",
        vt_text="66000/110 V",
        full_scale_kw=Fraction(45_726),
        accuracy_class="0.5S",
        calibration_until=date(2027, 9, 30),
        profile="siemens_pac3200",
    )
    return IntervalEnergy(
        point=row.node.point,
        interval=during,
        wh=(row.last - row.first) * row.count_wh,
        origin=Origin.MEASURED,
        start=_boundary(during.start_ms, row.first, row.first, 1588, 1377),
        end=_boundary(during.end_ms, row.last, row.first, 2070, 1122),
        unproven_wh=2 * row.count_wh,
        half_hours_covered=1392,
        half_hours=1392,
        installations=(installation,),
    )


def _boundary(time_ms: int, count: int, zero: int, before_ms: int, after_ms: int) -> Boundary:
    return Boundary(
        time_ms=time_ms,
        method=Method.INTERPOLATED,
        before=RegisterReading(time_ms - before_ms, count),
        after=RegisterReading(time_ms + after_ms, count + 1),
        accumulated=count - zero,
        count=count,
        lower=count - zero,
        upper=count - zero + 1,
        segment=0,
    )


def _factor(fuel: str, name: Label, unit: Unit, gcv: str, carbon: str) -> FuelFactor:
    return FuelFactor(
        fuel=fuel,
        regime="NEW",
        name=name,
        unit=unit,
        gcv=Fraction(gcv),
        carbon=Fraction(carbon),
        fy_from=2023,
        fy_to=None,
        confidence=Confidence.A,
        status=FactorStatus.FINAL,
        source="Manual for calculation and reporting, Ver 6.0",
        locator="table 1",
    )


FUEL_FACTORS = (
    _factor("coal", Label("輸入一般炭", "coal"), Unit.T, "26.1", "0.0243"),
    _factor("oil_c", Label("C重油", "oil C"), Unit.KL, "41.8", "0.0202"),
    _factor("oil_a", Label("A重油", "oil A"), Unit.KL, "38.9", "0.0193"),
)
LOTS = {
    "coal": ("t", ["50.1"] * 28 + ["49.8"]),
    "oil_c": ("kL", ["46.5"] * 8 + ["46.2"]),
    "oil_a": ("kL", ["26.9"] * 6),
}


def electricity(status: FactorStatus = FactorStatus.PROVISIONAL) -> ElectricitySeries:
    """Return the series of the industry's factor, with its year 2023."""
    return ElectricitySeries(
        id="industry_adjusted",
        name=Label("電力、業界行動計画（調整後）", "industry plan, adjusted"),
        basis=Basis.ADJUSTED,
        definition="received end",
        stand_in_years=1,
        factors=(
            ElectricityFactor(
                series="industry_adjusted",
                fiscal_year=2023,
                kg_per_kwh=Fraction("0.421"),
                basis=Basis.ADJUSTED,
                confidence=Confidence.A,
                status=status,
                as_published="4.21 t/10^4 kWh",
                source="Japan Mining Industry Association, action plan, FY2023",
                locator="table (2), column FY2023",
            ),
        ),
    )


def inputs() -> StatementInputs:
    """Return what the month's statement is made from."""
    site = SiteInputs(
        id="aoba",
        name=Label("青葉製錬所", "Aoba works"),
        tz=TOKYO,
        network=Network(tuple(row.node for row in ROWS), ("AOB-RCV-01",)),
        meters=tuple(Meter(row.id, row.name) for row in ROWS),
        energies={row.node.point: energy(row) for row in ROWS},
        allocation=Allocation(
            meters={
                "AOB-FUR-01": {"ferronickel": Fraction(1)},
                "AOB-CEL-01": {"copper": Fraction(1)},
                "AOB-KLN-01": {"ferronickel": Fraction(1)},
            },
            remainder={"ferronickel": Fraction(7, 10), "copper": Fraction(3, 10)},
            fuels={"kiln": {"ferronickel": Fraction(1)}},
        ),
    )
    return StatementInputs(
        month="2024-02",
        company=Label("青葉メタル", "Aoba Metals"),
        synthetic="seed 1",
        sites=(site,),
        products={"ferronickel": Label("フェロニッケル", "FeNi"), "copper": Label("電気銅", "copper")},
        fuels=tuple(_lines()),
        production=(
            ProductionLine(
                "p1", "2024-02", "aoba", "ferronickel", Fraction(3020), Unit.T, "SYN-P-1", "production.csv:2"
            ),
            ProductionLine(
                "p2", "2024-02", "aoba", "copper", Fraction(9410), Unit.T, "SYN-P-2", "production.csv:3"
            ),
        ),
        fuel_factors=FUEL_FACTORS,
        electricity=electricity(),
        targets=(MonthTarget("2024-02", Fraction(14100)),),
    )


def _lines() -> list[FuelLine]:
    return [
        FuelLine(
            id=f"{fuel}-{number}",
            site="aoba",
            process="kiln",
            fuel=fuel,
            date=date(2024, 2, number),
            quantity=Fraction(lot),
            unit=Unit(unit),
            document=f"SYN-{fuel}-{number:03d}",
            source=f"fuel.csv:{number + 1}",
        )
        for fuel, (unit, lots) in LOTS.items()
        for number, lot in enumerate(lots, start=1)
    ]


def sheet_of(given: StatementInputs) -> Sheet:
    """Return a statement as its readers get it."""
    return Sheet.parse(to_json(build(given)))


def sheet(*, target_t: Fraction | None = Fraction(14100)) -> Sheet:
    """Return the month's statement, with another target or none."""
    targets = () if target_t is None else (MonthTarget("2024-02", target_t),)
    return sheet_of(replace(inputs(), targets=targets))


def without(*meters: str) -> StatementInputs:
    """Return the month's inputs without any reading of some meters."""
    given = inputs()
    gone = {row.node.point for row in ROWS if row.id in meters}
    site = given.sites[0]
    kept = {point: energy for point, energy in site.energies.items() if point not in gone}
    return replace(given, sites=(replace(site, energies=kept),))


def count(lane: Lane = Lane.REGISTERS, **readings: int) -> Count:
    """Return the count of one lane; what is not given is 0, and everything taken is stored."""
    taken = readings.pop("taken", 723_840)
    lost = {"disk_full": lost} if (lost := readings.pop("lost", 0)) else {}
    rest = {name: readings.pop(name, 0) for name in ("quarantined", "waiting", "owed")}
    stored = readings.pop("stored", taken - sum(rest.values()) - sum(lost.values()))
    frames = {"extra": 0, "frames": 9, "waiting_frames": 0, "owed_frames": 0}
    return Count("aoba-1", lane, "0" * 32, taken=taken, stored=stored, lost=lost, **rest, **frames)


def two_sites() -> StatementInputs:
    """Return the month of the works and a yard with one meter."""
    given = inputs()
    row = Row("SHI-RCV-01", Label("受電点", "intake"), 7_000, 9_600, 48_000, None)
    yard = SiteInputs(
        id="shiomi",
        name=Label("汐見ヤード", "Shiomi yard"),
        tz=TOKYO,
        network=Network((row.node,), (row.id,)),
        meters=(Meter(row.id, row.name),),
        energies={row.node.point: energy(row)},
    )
    return replace(given, sites=(*given.sites, yard))
