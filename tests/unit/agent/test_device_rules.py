"""What is plausible for a meter follows from its transformers, and is told in its own counts."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from agent.device_rules import device_rules
from agent.rules import CounterRule, PowerRule
from config.agent import Device


def rules(**device: Any) -> dict[str, CounterRule | PowerRule]:
    described = {
        "id": "M",
        "profile": "schneider_pm5xxx",
        "modbus": {"host": "192.0.2.7", "unit": 1},
        "points": ("active_energy_import", "active_power"),
    }
    found = device_rules(Device.model_validate({**described, **device}))
    return {point.removeprefix("M."): rule for point, rule in found.items()}


def test_full_scale_bounds_power_and_the_rise_of_the_register() -> None:
    found = rules(full_scale_kw="1000")
    energy, power = found["active_energy_import"], found["active_power"]
    assert isinstance(energy, CounterRule)
    assert isinstance(power, PowerRule)
    assert energy.most_per_ms * 3_600_000 * energy.kwh == pytest.approx(1_200)
    assert power.most * power.kw == pytest.approx(1_200, rel=0.001)
    assert power.least_kw == pytest.approx(20)
    assert (energy.flow, power.total) == (1, True)


def test_a_meter_on_the_secondary_side_counts_less() -> None:
    ratios: dict[str, Any] = {"ct": "400/5", "vt": "6600/110", "full_scale_kw": "1000"}
    primary, secondary = rules(**ratios), rules(**ratios, side="secondary")
    one, other = primary["active_energy_import"], secondary["active_energy_import"]
    assert isinstance(one, CounterRule)
    assert isinstance(other, CounterRule)
    assert other.most_per_ms * 80 * 60 == pytest.approx(one.most_per_ms)
    assert one.digest != other.digest


def test_without_transformers_and_full_scale_no_power_is_too_much() -> None:
    found = rules()
    energy, power = found["active_energy_import"], found["active_power"]
    assert isinstance(energy, CounterRule)
    assert isinstance(power, PowerRule)
    assert (energy.most_per_ms, power.most) == (inf, inf)
    assert power.least_kw == pytest.approx(0.1)
