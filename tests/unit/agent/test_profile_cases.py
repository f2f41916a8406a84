"""Golden cases of the shipped profiles: words in, counts and values out, worked by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.modbus.decode import BlockDecoder
from agent.modbus.plan import plan
from agent.points import profile_points, register_points
from config.agent import Device, Modbus
from config.loading import profile_ids
from core.carbon.rounding import exact_text

FOLDER = Path(__file__).parents[2] / "cases" / "profiles"


@pytest.mark.parametrize("profile", profile_ids())
def test_words_become_the_counts_and_values_of_the_hand_calculation(profile: str) -> None:
    case: dict[str, Any] = yaml.safe_load((FOLDER / f"{profile}.yaml").read_text(encoding="utf-8"))
    memory = {
        address + offset: word
        for address, words in case["words"].items()
        for offset, word in enumerate(words)
    }
    device = Device(id="D", profile=profile, modbus=Modbus(host="x", unit=1), points=tuple(case["counts"]))

    got: dict[str, int | Decimal | None] = {}
    for points in register_points(device).values():
        for block in plan(points):
            words = [memory.get(block.address + offset, 0xDEAD) for offset in range(block.count)]
            got |= {point.removeprefix("D."): count for point, count in BlockDecoder(block).counts(words)}

    assert {name: None if count is None else str(count) for name, count in got.items()} == case["counts"]
    described = dict(profile_points(device))
    for name, text in case["values"].items():
        count = got[name]
        assert count is not None
        value = Fraction(count) * described[name].scale
        assert f"{exact_text(value)} {described[name].unit}" == text


def test_every_shipped_profile_has_a_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(profile_ids())
