"""Golden cases of the shipped profiles: words in, counts and values out, worked by hand."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.counts import count_of_float
from agent.modbus.decode import BlockDecoder
from agent.modbus.plan import plan
from agent.points import profile_points, register_points
from agent.readings import Value
from config.agent import Device, Modbus
from config.loading import load_profile, profile_ids
from core.carbon.rounding import exact_text

FOLDER = Path(__file__).parents[2] / "cases" / "profiles"


def text(value: Value, *, single: bool) -> str | None:
    """A count as it is sent, None for no value."""
    count = count_of_float(value, single=single) if isinstance(value, float) else value
    return None if count is None else str(count)


@pytest.mark.parametrize("profile", profile_ids())
def test_words_become_the_counts_and_values_of_the_hand_calculation(profile: str) -> None:
    case: dict[str, Any] = yaml.safe_load((FOLDER / f"{profile}.yaml").read_text(encoding="utf-8"))
    memory = {
        address + offset: word
        for address, words in case["words"].items()
        for offset, word in enumerate(words)
    }
    device = Device(id="D", profile=profile, modbus=Modbus(host="x", unit=1), points=tuple(case["counts"]))
    loaded = load_profile(profile)

    got: dict[str, str | None] = {}
    requests = []
    for points in register_points(device).values():
        for block in plan(points, gap=loaded.gap, limit=loaded.max_registers, forbidden=loaded.forbidden):
            requests.append([block.address, block.count])
            words = [memory.get(block.address + offset, 0xDEAD) for offset in range(block.count)]
            decoder = BlockDecoder(block)
            values = decoder.values(struct.pack(f">{block.count}H", *words))
            shape = decoder.shape
            got |= {
                point.removeprefix("D."): text(value, single=single)
                for point, value, single in zip(shape.points, values, shape.singles, strict=True)
            }

    assert got == case["counts"]
    assert case.get("requests") in (None, sorted(requests))
    described = dict(profile_points(device))
    for name, written in case["values"].items():
        count = got[name]
        assert count is not None
        value = Fraction(count) * described[name].scale
        assert f"{exact_text(value)} {described[name].unit}" == written


def test_every_shipped_profile_has_a_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(profile_ids())
