"""Every shipped profile against a meter whose map was laid out without it: what is read is what is true.

The simulators take their maps from the makers' tables on their own; the agent takes its from its profiles. A
mistake in either is a difference here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from agent.check import CheckedDevice, CheckedPoint, check_connections
from config.loading import load_agent, load_profile, profile_ids
from core.metering.quantities import Kind, Unit
from simulators.maps.sunspec import METER_AT
from simulators.meters import Electrical
from simulators.modbus import Fault, Meter, serve_meters
from simulators.products import PRODUCTS, product_map, product_meter, worth_wh
from simulators.truth import Truth

PROFILES = {
    **{product: product for product in PRODUCTS},
    "siemens_pac2200_pac3200": "siemens_pac3200",
    "abb_b23_b24_a44": "abb_b23",
    "carlo_gavazzi_em330_em340_em24e1": "carlo_gavazzi_em340",
    "inepro_wago_kdk_0x5000_family": "inepro_pro380",
    "acrel_djsf1352_rn_dc": "acrel_djsf1352_rn",
    "omron_km_n1_km_n2": "omron_km_n",
}
"""Product → the profile that reads it."""

POINTS = {
    **{f"voltage_l{n}n": f"v_l{n}n" for n in (1, 2, 3)},
    **{f"current_l{n}": f"i_l{n}" for n in (1, 2, 3)},
    **{f"active_power_l{n}": f"p_l{n}" for n in (1, 2, 3)},
    "reactive_power_l1": "q_l1",
    "voltage_ln_avg": "v_ln_avg",
    "voltage_ll_avg": "v_ll_avg",
    "voltage_l12": "v_ll_avg",
    "current": "i_total",
    "active_power": "p_total",
    "reactive_power": "q_total",
    "apparent_power": "s_total",
    "power_factor": "pf_total",
    "power_factor_l1": "pf_total",
    "frequency": "frequency",
    "active_energy_import": "e_import",
    "active_energy_export": "e_export",
    "active_energy_total": "e_total",
    "reactive_energy_import": "er_import",
    "reactive_energy_export": "er_export",
    "dc_energy": "e_import",
    "dc_energy_export": "e_export",
    "dc_voltage": "v_dc",
    "dc_current": "i_dc",
    "dc_power": "p_total",
}
"""What a point measures, as `Truth` calls it."""

OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "omron_km_n1_km_n2": {
        "voltage": "v_l1n",
        "current": "i_l1",
        "reactive_energy_leading": "er_export",
        "reactive_energy_lagging": "er_import",
    },
    "omron_km50": {"voltage_l1": "v_l1n"},
    "siemens_pac2200_pac3200": {"reactive_energy_import": "er_import_t1"},
}

LEFT_OUT = 2 * 10**-7
"""What a single keeps of a value is at least this exact [1]."""

NOW_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Steady:
    """A power that no two products' scales make round, and a register that stands still."""

    counts: int
    watts: int = 137_431

    def count(self, time_ms: int) -> int:
        return self.counts

    def power_w(self, time_ms: int) -> int:
        return self.watts


CIRCUIT = Electrical(400, 0.87, unbalance=0.06, export_share=Fraction(1, 7))


def source(product: str) -> Steady:
    return Steady(int(1_234_567_891 / worth_wh(product)))


async def read_all(
    folder: Path, units: Mapping[int, Meter], profiles: list[str], fault: Fault | None = None
) -> list[CheckedDevice]:
    """Read one device of each profile, units 1, 2, … of a socket, as `seiren agent check --connect` does."""
    async with serve_meters(units, port=0, now_ms=lambda: NOW_MS) as line:
        if fault is not None:
            line.faults.set(fault)
        devices = [
            {
                "id": f"M-{unit}",
                "profile": profile,
                "modbus": {"host": "127.0.0.1", "port": line.port, "unit": unit},
            }
            for unit, profile in enumerate(profiles, 1)
        ]
        path = folder / "agent.yaml"
        broker = {"host": "127.0.0.1"}
        settings = {
            "agent": "a",
            "site": "s",
            "time_zone": "Asia/Tokyo",
            "broker": broker,
            "devices": devices,
        }
        path.write_text(yaml.safe_dump({**settings, "required_ledgers": ["hq"]}))

        async def reached() -> None:
            return None

        report = await check_connections(load_agent(path), now_ms=lambda: NOW_MS, reach_broker=reached)
        assert line.writes == []
        return report.devices


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, CheckedDevice]:
    """What the agent read of each product."""
    return read_products(tmp_path_factory.mktemp("products"))


def read_products(folder: Path, fault: Fault | None = None) -> Mapping[str, CheckedDevice]:
    units = {unit: product_meter(each, source(each), CIRCUIT) for unit, each in enumerate(PRODUCTS, 1)}
    found = asyncio.run(read_all(folder, units, [PROFILES[product] for product in PRODUCTS], fault))
    return dict(zip(PRODUCTS, found, strict=True))


def test_each_shipped_profile_has_a_meter() -> None:
    assert sorted(PROFILES.values()) == sorted(profile_ids())


def difference(product: str, point: CheckedPoint) -> str:
    """Return in which way a value is not what is true; empty where it is."""
    truth = Truth(source(product), CIRCUIT, worth_wh(product))
    name = point.point.partition(".")[2]
    true_name = OTHERWISE.get(product, {}).get(name) or POINTS[name]
    described = load_profile(PROFILES[product]).points[name]
    unit = Unit(point.unit)
    if point.value is None:
        return f"{name}: no value"
    step = described.resolution * described.scale * _size(unit)
    if described.scale_register is not None:
        shown = exponent(product, described.scale_register.address)
        step = described.scale * Fraction(10) ** (shown - described.scale_register.exponents[0]) * _size(unit)
    read = Fraction(point.value) * _size(unit)
    if described.quantity.kind is Kind.COUNTER:
        true = truth.count(true_name, NOW_MS) * worth_wh(product)
        good = 0 <= true - read < step if described.type is None or "float" not in described.type else True
    else:
        true = Fraction(truth.gauge(true_name, NOW_MS))
        good = True
    good &= abs(true - read) <= step + abs(true) * Fraction(LEFT_OUT)
    return (
        ""
        if good
        else f"{name} ({point.register}): read {float(read)}, true {float(true)}, step {float(step)}"
    )


def exponent(product: str, address: int) -> int:
    """Return the power of ten that the simulated meter shows in a register."""
    first = METER_AT if product.startswith("sunspec") else 0
    (word,) = product_map(product, source(product), CIRCUIT)[first + address](NOW_MS)
    return word - 0x10000 if word > 0x7FFF else word


def _size(unit: Unit) -> Fraction:
    plain = {"Wh", "varh", "W", "var", "VA", "V", "A", "Hz", "1"}
    text = unit.value
    return Fraction(1) if text in plain else Fraction(1, 100) if text == "%" else Fraction(1000)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_value_is_what_is_true(devices: Mapping[str, CheckedDevice], product: str) -> None:
    device = devices[product]
    assert device.fault is None, device.fault and device.fault.render()
    assert {point.point.partition(".")[2] for point in device.points} == set(
        load_profile(PROFILES[product]).points
    )
    assert not list(filter(None, (difference(product, point) for point in device.points)))


@pytest.mark.parametrize("fault", [Fault.WORD_ORDER_SWAPPED, Fault.SCALE_CHANGED, Fault.NO_VALUE])
def test_a_meter_that_is_not_as_its_table_says_is_seen(tmp_path: Path, fault: Fault) -> None:
    """The negative control: with the fault the energy of every product differs."""
    for product, device in read_products(tmp_path, fault).items():
        energies = [
            point for point in device.points if ".active_energy" in point.point or ".dc_energy" in point.point
        ]
        assert energies or "mitsubishi" in product
        for point in energies:
            assert difference(product, point), f"{product} {point.point} is {point.value}"
