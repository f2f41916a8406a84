"""The shipped profiles, the page written from them, and the page that teaches to write one."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from agent.profile_report import profile_report
from config import profile_facts
from config.loading import load_profile, profile_ids
from config.profile import Identify, Profile, ProfilePoint, Text, ValueType
from config.profile_facts import coarse_from, days, to_know, turns_at_kwh
from config.profile_page import profile_page
from core.metering.counters import CounterSpec, Register
from core.metering.quantities import Kind

DOCS = Path(__file__).parents[3] / "docs"
SHIPPED = Path(__file__).parents[3] / "config/profiles"
DIRECT_CURRENT = {"acrel_djsf1352_rn"}
GAUGES_ONLY = {"mitsubishi_me96ssra_mb"}


def point(**given: object) -> ProfilePoint:
    """Return an energy point with some keys of its own."""
    usual = {"quantity": "active_energy_import", "address": 0, "type": "uint32", "unit": "kWh", "scale": "1"}
    return ProfilePoint.model_validate(usual | given)


@pytest.mark.parametrize("name", profile_ids())
def test_every_shipped_profile_loads_and_holds_what_headquarters_needs(name: str) -> None:
    profile = load_profile(name)

    if name in DIRECT_CURRENT | GAUGES_ONLY:
        assert "active_energy_import" not in profile.points
        assert any("active_energy_import is missing" in trap.text for trap in profile.traps)
    else:
        assert "active_energy_import" in profile.points
    assert ("dc_energy" in profile.points) == (name in DIRECT_CURRENT)
    assert all(trap.link is None or trap.link.startswith("https://") for trap in profile.traps)
    assert profile.identify is not None or profile.sunspec is not None
    if profile.sunspec == (201, 202, 203, 204):
        assert all(each.not_available for each in profile.points.values())
    for quantity, each in profile.points.items():
        if each.quantity.kind is Kind.COUNTER:
            CounterSpec(f"M.{quantity}", (Register(wrap_at=each.wrap_at, resolution=each.resolution),))


def test_no_file_lies_beside_the_profiles() -> None:
    assert {path.name for path in SHIPPED.iterdir()} == {f"{name}.yaml" for name in profile_ids()}


def test_the_page_is_written_from_the_profiles() -> None:
    page = profile_page(load_profile(name) for name in profile_ids())
    assert (DOCS / "profiles.md").read_text(encoding="utf-8") == page, (
        "run: python -m config.profile_page > docs/profiles.md"
    )


def test_the_page_links_to_sections_it_has() -> None:
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) == set(re.findall(r"^## (\w+)$", page, re.M))


@pytest.fixture
def example(tmp_path: Path) -> tuple[Path, str]:
    """Return the guide's profile as a file, and the report printed below it."""
    page = (DOCS / "write-a-profile.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    (shown,) = re.findall(r"```\n\$ seiren agent check --profile ex300.yaml\n(.*?)```", page, re.S)
    path = tmp_path / "ex300.yaml"
    path.write_text(written, encoding="utf-8")
    return path, shown


def test_the_guide_shows_the_report_of_its_own_example(example: tuple[Path, str]) -> None:
    path, shown = example
    assert "\n".join(profile_report(path)) + "\n" == shown


@pytest.mark.parametrize("name", profile_ids())
def test_a_report_fits_a_terminal(name: str) -> None:
    lines = profile_report(SHIPPED / f"{name}.yaml")
    assert all(len(line) <= 79 and line.isascii() for line in lines)
    assert len([line for line in lines if line.startswith("  registers  function")]) <= 3


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(profile_facts).failed == 0


def test_a_turn_is_told_in_kwh_and_in_the_time_that_10_mw_take() -> None:
    small = point(scale="0.01", wrap_at=2**31)
    assert turns_at_kwh(small) == Fraction(2147483648, 100)
    assert days(Fraction(2147483648, 100)) == "89 days"  # 21,474,836 kWh / 240,000 kWh a day
    assert turns_at_kwh(point(unit="MWh", wrap_at=1000)) == 1_000_000
    assert turns_at_kwh(point(quantity="charge", unit="Ah", wrap_at=1000)) is None
    assert days(Fraction(2147)) == "0.21 h"
    assert days(Fraction(4294967296)) == "49 years"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "float32"}, 2**24),  # 2^24 + 1 is no 32-bit float
        ({"type": "float32", "resolution": "0.01"}, 2**17),  # 2^(17 - 23) = 1/64 > 0.01 >= 1/128
        ({"type": "float64"}, 2**53),
        ({"type": "uint32"}, None),
    ],
)
def test_a_float_counts_finely_up_to_where_its_bits_end(
    given: dict[str, object], expected: int | None
) -> None:
    assert coarse_from(point(**given)) == expected


def test_what_to_know_is_told_once_for_all_points_it_holds_for() -> None:
    told = "\n".join(to_know(load_profile("siemens_pac1600")))
    assert "active_energy_import, active_energy_export: starts again from 0 at 4,294,967 kWh" in told
    assert "18 days" in told
    assert "may change" in "\n".join(to_know(load_profile("sunspec_201_204")))
    assert "No active_energy_import" in "\n".join(to_know(load_profile("mitsubishi_me96ssra_mb")))
    assert "no wrap_at" in "\n".join(to_know(load_profile("schneider_ion8600")))


def test_types_know_their_width_and_their_limits() -> None:
    widths = {kind.value: kind.words for kind in ValueType}
    assert (widths["int48"], widths["bcd64"], widths["mod10k48"], widths["float64"]) == (3, 4, 3, 4)
    assert (widths["bit"], widths["string"]) == (1, 0)
    assert ValueType.INT48.limits == (-(2**47), 2**47 - 1)
    assert ValueType.BCD32.limits == (0, 99_999_999)
    assert ValueType.MOD10K32.limits == (-327_680_000, 327_679_999)
    assert ValueType.BIT.limits == (0, 1)


def test_the_defaults_of_a_profile_are_those_of_its_points() -> None:
    profile = Profile.model_validate(
        {
            "id": "x",
            "vendor": "V",
            "product": "P",
            "trust": "conflict",
            "sources": ("made up",),
            "function": 4,
            "word_order": "lsw_first",
            "points": {"a": point(quantity="state", address=1, type="bit", unit="1", function=2)},
        }
    )
    (only,) = profile.points.values()
    assert profile.function_of(only) == 2
    assert profile.point_order(only) == ("lsw_first", "big")
    assert not list(profile.problems())


def test_a_number_that_tells_the_device_is_as_wide_as_its_type() -> None:
    assert Text.model_validate({"address": 1, "type": "uint32"}).words == 2
    with pytest.raises(ValueError, match="words"):
        Text.model_validate({"address": 1})
    assert list(Text.model_validate({"address": 1, "type": "uint32", "words": 3}).problems_at(()))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "needs vendor, product or registers"),
        ({"vendor": "(unclosed"}, "no regular expression"),
        ({"registers": ({"address": 1, "type": "uint16"},)}, "either equals, or min and max"),
        ({"registers": ({"address": 1, "type": "uint16", "equals": 1, "min": 0},)}, "either equals"),
        ({"registers": ({"address": 1, "type": "uint16", "min": 2, "max": 1},)}, "min above its max"),
    ],
)
def test_a_rule_that_recognises_nothing_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Identify.model_validate(rule)


def test_the_real_frame_of_an_sdm630_is_in_its_case() -> None:
    case = Path(__file__).parents[2] / "cases/profiles/eastron_sdm630.yaml"
    words = yaml.safe_load(case.read_text(encoding="utf-8"))["words"]
    assert words[342] == [17668, 65470]
