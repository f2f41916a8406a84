"""Headquarters' meters as the core knows them: dated, with what a count is worth."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.hq import HqConfig
from config.loading import load_hq, load_profile, profile_digest, profile_ids
from config.meters import MeterRecord
from core.errors import ConfigError
from core.metering.counters import counter_spec
from core.metering.installations import Side
from core.metering.quantities import Kind
from core.timeline import parse_local

TOKYO = ZoneInfo("Asia/Tokyo")
FOLDER = Path(__file__).parents[2] / "cases" / "bad_configuration"
TWO_METERS = """
      - id: AOB-FUR-01
        name: {ja: 電気炉, en: furnace}
        quantity: active_energy_import
        current: ac
        parent: AOB-RCV-01
        process: furnace
        installations:
          - {from: 2020-10-01, serial: SYN-0418, profile: abb_b23, side: primary}
          - {from: 2023-12-15, serial: SYN-0500, wh_per_count: "1/3", resolution: "2", wrap_at: 1000000,
             ct: 2000/5, vt: 6600/110, side: secondary, full_scale_kw: "22863"}
"""


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    text = (FOLDER / "hq.yaml").read_text(encoding="utf-8")
    start, end = text.index("\n      - id: AOB-FUR-01"), text.index("    allocation:")
    (tmp_path / "hq.yaml").write_text(text[:start] + TWO_METERS + text[end:], encoding="utf-8")
    return load_hq(tmp_path)


def meter(hq: HqConfig, name: str) -> MeterRecord:
    return next(each for each in hq.sites[0].meters if each.id == name)


def test_the_receiving_point_is_worth_what_its_nameplates_say(hq: HqConfig) -> None:
    (installation,) = meter(hq, "AOB-RCV-01").dated(TOKYO)
    assert installation.point == "AOB-RCV-01.active_energy_import"
    assert installation.start_ms == parse_local("2020-10-01", TOKYO)
    assert installation.end_ms is None
    assert (installation.ct_text, installation.vt_text) == ("400/5 A", "66000/110 V")
    assert installation.side is Side.SECONDARY
    assert installation.wh_per_count == 1
    assert installation.multiplier == 80 * 600
    assert installation.accuracy_class == "0.5S"
    assert installation.calibration_until == date(2027, 9, 30)


def test_each_installation_ends_where_the_next_begins(hq: HqConfig) -> None:
    first, second = meter(hq, "AOB-FUR-01").dated(TOKYO)
    assert first.end_ms == second.start_ms == parse_local("2023-12-15", TOKYO)
    assert first.multiplier == 10  # ABB counts 0.01 kWh, already primary
    assert (first.ct_text, first.vt_text) == ("", "")
    assert second.multiplier == Fraction(1, 3) * 400 * 60


def test_a_counter_knows_its_wrap_its_step_its_full_scale_and_its_exchanges(hq: HqConfig) -> None:
    record = meter(hq, "AOB-FUR-01")
    before, after = counter_spec(record.point, record.dated(TOKYO)).registers
    assert (after.wrap_at, after.resolution) == (1_000_000, Fraction(2))
    assert after.counts_per_hour == Fraction(22_863_000, 8_000)
    assert before.counts_per_hour is None, "full scale is not known of the meter before"
    assert after.start_ms == parse_local("2023-12-15", TOKYO)


@pytest.mark.parametrize(
    ("store", "what", "words"),
    [
        ("{kind: sqlite, url: 'http://a'}", "The kind that is chosen here has no such key.", "another kind"),
        ("{kind: sqlite, urll: x}", "Unknown key.", "did you mean url?"),
        (
            "{kind: influxdb1, url: '127.0.0.1:8086', database: r}",
            "must be an address",
            "http://127.0.0.1:8086",
        ),
        ("{kind: influxdb1, url: 'http://u:pw@h:1', database: r}", "must be an address", "keys of their own"),
    ],
)
def test_a_store_that_is_written_wrong_is_explained(
    store: str, what: str, words: str, tmp_path: Path
) -> None:
    text = (
        (FOLDER / "hq.yaml").read_text(encoding="utf-8").replace("store: {kind: sqlite}", f"store: {store}")
    )
    (tmp_path / "hq.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_hq(tmp_path)
    assert what in caught.value.what
    assert words in f"{caught.value.cause} {caught.value.next}"
    assert ":pw" not in caught.value.render()


def test_a_folder_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_hq(tmp_path)
    assert caught.value.where == str(tmp_path / "hq.yaml")


@pytest.mark.parametrize("name", profile_ids())
def test_every_shipped_profile_is_good_and_says_where_it_comes_from(name: str) -> None:
    profile = load_profile(name)
    assert profile.id == name
    counts = any(point.quantity.kind is Kind.COUNTER for point in profile.points.values())
    assert counts or "energy registers" in profile.traps[0].text
    assert profile.sources
    assert profile.traps
    assert len(profile_digest(name)) == 32


def test_a_profile_of_ones_own_is_given_by_its_path() -> None:
    assert load_profile(FOLDER / "meter_x.yaml").id == "meter_x"


def test_an_unknown_profile_lists_near_names() -> None:
    with pytest.raises(ConfigError) as caught:
        load_profile("schneider_pm5")
    assert "schneider_pm5xxx" in caught.value.cause
    assert "abb_b23" in caught.value.next
