"""`probe` against simulated meters: what is wrong is named, and what is right is left in peace."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from agent.tools.asking import MOST_REQUESTS
from agent.tools.display import Display
from agent.tools.evidence import evidence
from agent.tools.probe import Silent
from agent.tools.report import Report
from simulators.meters import Electrical
from simulators.modbus import Fault, Meter
from simulators.products import PRODUCTS, product_meter
from tests.unit.agent.tools.site import START_MS, Load, Site, profile_of, shown, shown_silent

CASES = Path(__file__).parents[4] / "tests/cases/probe"


def golden(name: str, text: str) -> None:
    """Compare with what a person has read and found good."""
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.isascii()
    assert text == (CASES / f"{name}.txt").read_text(encoding="utf-8")


def _line(point: str, profile: str) -> str:
    text = (Path("config/profiles") / f"{profile}.yaml").read_text("utf-8")
    return next(line for line in text.splitlines() if line.startswith(f"  {point}: "))


def kinds(result: Report) -> list[tuple[str, ...]]:
    return [told.kinds for told in result.told]


def heads(result: Report) -> str:
    return "; ".join(told.headline for told in result.told)


async def test_a_right_configuration(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with site.served() as line:
        result = await site.probed(Display(Decimal("8412337.1")))
    golden("right", shown(result, line.port))
    assert result.exit_code == 0
    assert result.examined.requests < MOST_REQUESTS


async def test_a_swapped_word_order(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.own_profile(("word_order: msw_first", "word_order: lsw_first"))
    async with site.served() as line:
        result = await site.probed(Display(Decimal("8412337.1")))
    golden("word_order", shown(result, line.port))
    assert kinds(result) == [("word order",)]


async def test_the_orders_of_bytes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.own_profile(("word_order: msw_first", "word_order: msw_first\nbyte_order: little"))
    async with site.served():
        result = await site.probed()
    assert heads(result) == "byte order: this meter sends the high byte first"
    assert "own.yaml line" in result.told[0].fix[0]


async def test_an_address_beside_the_right_one(tmp_path: Path) -> None:
    """The manual prints register numbers, which are one more than what is asked for on the wire."""
    site = Site(tmp_path)
    profile = (Path("config/profiles") / "schneider_pm5xxx.yaml").resolve()
    numbers = sorted(
        {
            line.split("address: ")[1].split(",")[0]
            for line in profile.read_text("utf-8").splitlines()
            if "address: " in line
        },
        key=int,
        reverse=True,
    )
    site.own_profile(*((f"address: {number},", f"address: {int(number) + 1},") for number in numbers))
    async with site.served() as line:
        result = await site.probed()
    golden("address", shown(result, line.port))
    assert kinds(result) == [("address",)]


async def test_one_address_beside_the_right_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.own_profile(("address: 3109", "address: 3110"))
    async with site.served():
        result = await site.probed()
    assert heads(result) == "address -1: frequency stands one register lower"
    assert "frequency: address: 3109" in result.told[0].fix[0]


@pytest.mark.parametrize(
    ("old", "new", "head"),
    [
        (
            'address: 3059, type: float32, unit: kW, scale: "1"',
            'address: 3059, type: float32, unit: MW, scale: "1"',
            "kW for MW: active_power is read 1,000 times too large",
        ),
        (
            'address: 3203, type: int64, unit: kWh, scale: "0.001"',
            'address: 3203, type: int64, unit: kWh, scale: "1"',
            "Wh for kWh: active_energy_import is read 1,000 times too large",
        ),
    ],
)
async def test_a_slip_of_a_unit(tmp_path: Path, old: str, new: str, head: str) -> None:
    site = Site(tmp_path)
    site.own_profile((old, new))
    async with site.served():
        assert heads(await site.probed()) == head


async def test_kw_for_kwh(tmp_path: Path) -> None:
    site = Site(tmp_path, load=Load(holds_power=True))
    async with site.served() as line:
        result = await site.probed()
    golden("kw_for_kwh", shown(result, line.port))
    assert kinds(result) == [("kW for kWh",)]


async def test_kw_for_kwh_where_the_power_is_read_nowhere_else(tmp_path: Path) -> None:
    """The register of the power was written down for the energy, so it does not stand in the profile too."""
    site = Site(tmp_path, load=Load(holds_power=True))
    site.own_profile((_line("active_power", "schneider_pm5xxx"), ""))
    async with site.served():
        result = await site.probed()
    assert heads(result) == "kW for kWh: active_energy_import holds power, not energy"
    assert "L1 + L2 + L3 247.5 kW have the same digits" in result.told[0].why[0]


async def test_the_other_function(tmp_path: Path) -> None:
    site = Site(tmp_path, "eastron_sdm630", "eastron_sdm630", Load(watts=20_000), Electrical(400, 0.91))
    site.more = ""
    site.own_profile(("function: 4", "function: 3"))
    async with site.served():
        result = await site.probed()
    assert heads(result) == "function 4: the values stand in the input registers"


@pytest.mark.parametrize("profile", ["siemens_pac3200", "eastron_sdm630", "carlo_gavazzi_em340"])
async def test_another_product_than_the_profile_describes(tmp_path: Path, profile: str) -> None:
    """A shipped profile has not three mistakes at once: no mistake of it is claimed."""
    site = Site(tmp_path, profile=profile)
    async with site.served() as line:
        result = await site.probed()
    assert kinds(result) == [()]
    assert "agent scan" in " ".join(result.told[0].fix)
    assert max(map(len, shown(result, line.port).splitlines())) <= 80


async def test_a_vt_that_the_voltage_contradicts(tmp_path: Path) -> None:
    site = Site(tmp_path, more="ct: 100/5, vt: 3300/110")
    async with site.served():
        result = await site.probed()
    assert heads(result) == "VT ratio: the voltage is that behind 6600/110 V, configured is 3300/110"


async def test_a_display_that_a_ct_and_a_vt_would_explain(tmp_path: Path) -> None:
    site = Site(
        tmp_path,
        load=Load(watts=206, opening_wh=Fraction(7_010_281)),
        circuit=Electrical(110, 0.91),
        more="ct: 100/5, vt: 3300/110, side: secondary",
    )
    async with site.served():
        result = await site.probed(Display(Decimal(8_412_337)))
    assert kinds(result) == [("CT ratio", "VT ratio")]
    why, fix = "\n".join(result.told[0].why), "\n".join(result.told[0].fix)
    assert "1. CT ratio: as if it were 200/5 A" in why and "2. VT ratio: as if it were 6600/110 V" in why
    assert "1. agent.yaml line 11 ct: compare 100/5 with the CT's nameplate\n2. agent.yaml line 12 vt:" in fix


async def test_secondary_values_where_primary_ones_are_configured(tmp_path: Path) -> None:
    site = Site(tmp_path, load=Load(watts=206, opening_wh=Fraction(7_010_281)), circuit=Electrical(110, 0.91))
    async with site.served():
        result = await site.probed()
    assert heads(result) == "side: this meter shows secondary values"
    assert "agent.yaml line" in result.told[0].fix[0]


async def test_a_ct_that_the_display_contradicts(tmp_path: Path) -> None:
    site = Site(
        tmp_path,
        load=Load(watts=206, opening_wh=Fraction(7_010_281)),
        circuit=Electrical(110, 0.91),
        more="ct: 100/5, vt: 6600/110, side: secondary",
    )
    async with site.served() as line:
        right = await site.probed(Display(Decimal(8_412_337)))
        wrong = await site.probed(Display(Decimal(12_618_506)))  # a CT of 150/5
    assert right.told == ()
    assert right.match == "display 8,412,337 kWh = register x 1,200 (CT x VT)"
    golden("ct_by_display", shown(wrong, line.port))


async def test_a_ct_that_full_scale_contradicts(tmp_path: Path) -> None:
    site = Site(tmp_path, more='ct: 100/5, vt: 6600/110, full_scale_kw: "150"')
    async with site.served():
        result = await site.probed()
    assert heads(result) == "CT ratio 100/5: the meter shows more than it can carry"
    assert "full_scale_kw is too small" in " ".join(result.told[0].fix)


async def test_a_ct_that_the_current_contradicts(tmp_path: Path) -> None:
    site = Site(tmp_path, more="ct: 15/5, vt: 6600/110")
    async with site.served():
        result = await site.probed()
    assert heads(result) == "CT ratio 15/5: the meter shows more than it can carry"


async def test_a_ct_that_nothing_contradicts_is_not_checked(tmp_path: Path) -> None:
    site = Site(tmp_path, more="ct: 150/5, vt: 6600/110")
    async with site.served():
        result = await site.probed()
    assert result.told == ()
    assert result.unchecked[0].startswith("CT ratio 150/5. Read it off the nameplate, not off the meter.")
    assert "a clamp meter on L1 must show 23.7" in result.unchecked[0]


async def test_another_meter_than_the_configuration_means(tmp_path: Path) -> None:
    site = Site(
        tmp_path,
        product="eastron_sdm630",
        profile="eastron_sdm630",
        circuit=Electrical(400, 0.91),
        load=Load(watts=20_000),
        more="serial_number: OTHER-1",
    )
    async with site.served():
        result = await site.probed()
    if result.examined.identity.serial_number:
        assert result.exit_code == 1


@pytest.mark.parametrize("product", PRODUCTS)
async def test_no_false_alarm(tmp_path: Path, product: str) -> None:
    for watts, opening_wh in ((18_000, 12_345_678), (0, 12_345_678), (18_000, 0)):
        site = Site(
            tmp_path,
            product=product,
            profile=profile_of(product),
            load=Load(watts=watts, opening_wh=Fraction(opening_wh)),
            circuit=Electrical(400, 0.91, unbalance=0.06),
            more="",
        )
        async with site.served():
            result = await site.probed()
        assert not result.told, heads(result) + str([told.why for told in result.told])
        assert result.examined.requests < MOST_REQUESTS


async def test_other_points_of_the_profile_bear_witness(tmp_path: Path) -> None:
    site = Site(tmp_path, more="ct: 100/5, vt: 6600/110, points: [active_energy_import]")
    site.own_profile(("word_order: msw_first", "word_order: lsw_first"))
    site.load.opening_wh = Fraction(0)  # nothing to be seen in what is configured
    async with site.served() as line:
        result = await site.probed(seconds=0)
    assert kinds(result) == [("word order",)]
    assert " 3027 v_l1n*    " in shown(result, line.port)
    assert "read as a witness" in shown(result, line.port)


async def test_a_silent_meter_and_its_neighbours(tmp_path: Path) -> None:
    site = Site(tmp_path)
    other = product_meter("schneider_pm5xxx", Load(), Electrical(6600, 0.91))
    async with site.served(others={8: other}) as line:
        site.configure(line.port, unit=9)
        site.configure(line.port, unit=8, name="AOB-CMP-02", add=True)
        found = await site.examined()
        assert isinstance(found, Silent)
        golden("silent", shown_silent(found, line.port))
        assert found.others == {"AOB-CMP-02": True}


async def test_a_pause_that_the_meter_needs_is_found(tmp_path: Path) -> None:
    async def pause(seconds: float) -> None:  # the meter's deafness is real time
        await asyncio.sleep(min(seconds, 0.06))

    site = Site(tmp_path, pause=pause, clock=time.monotonic)
    async with site.served() as line:
        line.of(7).set(Fault.NEEDS_GAP, gap_ms=40.0)  # longer than the probe's own pause at first
        result = await site.probed(seconds=0)
    assert result.told == ()
    assert result.examined.measured is not None
    assert result.examined.measured.gap_ms == 50


async def test_a_neighbour_that_refuses_is_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with site.served(others={8: Meter({60_000: lambda _: (1,)})}) as line:
        site.configure(line.port, unit=9)
        site.configure(line.port, unit=8, name="AOB-CMP-02", add=True)
        found = await site.examined()
    assert isinstance(found, Silent)
    assert found.others == {"AOB-CMP-02": True}


async def test_the_registers_that_a_meter_gives_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with site.served():
        result = await site.probed()
    assert result.examined.measured is not None
    limit = result.examined.measured.limit
    assert limit is not None
    assert 0 < limit.words < 125  # a simulated meter refuses what lies between its registers
    assert "exception" in limit.refused


async def test_what_is_kept_of_a_probe(tmp_path: Path) -> None:
    site = Site(tmp_path)
    display = Display(Decimal("8412337.1"))
    async with site.served():
        result = await site.probed(display)
    line = evidence(result, display, START_MS)
    assert line["display_kwh"] == "8412337.1"
    assert line["registers"][0] == {
        "point": "active_energy_import",
        "address": (3203,),
        "hex": [["0000", "0001", "F56A", "13D1"]],
        "value": "8412337.105",
        "unit": "kWh",
        "plausible": "ok",
        "why": "40 years at full load, at most 1,371.8 kW by CT and VT",
        "configured": True,
    }
    assert line["comparison"] == "display 8,412,337.1 kWh = register"
