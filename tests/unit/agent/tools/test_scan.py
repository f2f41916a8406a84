"""`scan` on simulated gateways: who is there, what it is, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from agent.tools.scan import Scanned, devices_block, parse_units, scan
from agent.tools.scan_report import exit_code, facts, lines
from config.devices import Device
from config.links import Gateway
from config.profile import load_profile, profile_ids
from core.errors import UsageError
from simulators.meters import Electrical
from simulators.modbus import Meter, serve_meters
from simulators.products import PRODUCTS, product_meter, worth_wh
from tests.unit.agent.tools.site import Load, Time, profile_of

CASES = Path(__file__).parents[4] / "tests/cases/probe"
LOW = Electrical(400, 0.91, unbalance=0.06)
ALL = [load_profile(name) for name in profile_ids()]


def simulated(product: str, *, speaks: bool = True) -> Meter:
    load = Load(watts=18_000, opening_wh=Fraction(12_345_678), worth_wh=worth_wh(product))
    meter = product_meter(product, load, LOW)
    return meter if speaks else replace(meter, identity={})


async def scanned(port: int, units: str, *, framing: str = "tcp") -> Scanned:
    time = Time()
    link = Gateway(
        host="127.0.0.1", port=port, timeout_s=0.3, framing="rtu" if framing == "rtu" else None
    ).link()
    return await scan(link, parse_units(units), ALL, now_ms=time.now_ms, pause=time.pause)


def shown(result: Scanned) -> str:
    text = "\n".join(lines(result)) + "\n"
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.isascii()
    return text.replace(f"127.0.0.1:{result.link.port}", "192.0.2.12:502").replace(
        f"host: 127.0.0.1, port: {result.link.port}", "host: 192.0.2.12"
    )


async def test_units_are_named_and_the_block_can_be_pasted() -> None:
    units = {
        3: simulated("abb_b23_b24_a44"),
        7: simulated("schneider_pm5xxx"),
        9: simulated("eastron_sdm630", speaks=False),
    }
    async with serve_meters(units, port=0, now_ms=Time().now_ms, gateway=True) as line:
        result = await scanned(line.port, "2-10")
    assert shown(result) == (CASES / "scan.txt").read_text(encoding="utf-8")
    assert exit_code(result) == 0
    assert all(unit.round_trip_ms > 0 for unit in result.found), "a refusal is not a reply of 0 ms"
    block = yaml.safe_load("\n".join(devices_block(result)))
    assert [Device.model_validate(each).profile for each in block["devices"]] == [
        "abb_b23",
        "schneider_pm5xxx",
        "eastron_sdm630",
    ]


TWINS = ({"schneider_pm5xxx", "schneider_iem3000"}, {"janitza_b23", "janitza_umg96rm_e"})
"""Products with the same registers: only the nameplate tells which it is."""


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_product_that_does_not_say_who_it_is(product: str) -> None:
    async with serve_meters({7: simulated(product, speaks=False)}, port=0, now_ms=Time().now_ms) as line:
        result = await scanned(line.port, "7")
    (found,) = result.found
    names = {guess.profile for guess in found.guesses}
    assert profile_of(product) in names, found.guesses
    assert names in TWINS or len(names) == 1, found.guesses
    assert result.requests <= 125


async def test_a_unit_that_only_refuses_is_there() -> None:
    stranger = Meter({60_000: lambda _: (1,)})
    async with serve_meters({5: stranger}, port=0, now_ms=Time().now_ms) as line:
        result = await scanned(line.port, "5")
        assert line.writes == []
    assert result.found[0].only_refuses
    assert exit_code(result) == 1
    assert "answers with exceptions only" in shown(result)
    assert [*devices_block(result)] == []


async def test_nobody_answers() -> None:
    async with serve_meters({7: simulated("schneider_pm5xxx")}, port=0, now_ms=Time().now_ms) as line:
        result = await scanned(line.port, "1-2")
    assert exit_code(result) == 3
    assert "FAULT  nobody answers" in shown(result)
    assert "units 1 to 2 stay silent" in shown(result)


async def test_a_host_that_does_not_answer(free_port: Callable[[], int]) -> None:
    result = await scanned(free_port(), "1-9")
    assert exit_code(result) == 3
    assert result.fault is not None
    assert "FAULT" in shown(result)
    assert facts(result)["fault"]["what"] == result.fault.what


@pytest.mark.parametrize("text", ["", "0", "256", "7-3", "1;2", "a", "1-255"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError):
        parse_units(text)
