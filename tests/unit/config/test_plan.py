"""The monitoring plan: one form whatever the spelling, its differences in words, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from config.hq import HqConfig, examine_hq, load_hq
from config.plan import plan_digest, plan_document
from config.plan_problems import plan_problems, plan_warnings
from config.plan_words import differences
from config.reading import read_yaml
from core.chain import canonical
from core.errors import ConfigError

DEMO = Path(__file__).parents[3] / "config/sites/demo/hq.yaml"
TEXT = DEMO.read_text(encoding="utf-8")
CASES = Path(__file__).parents[2] / "cases/plan"
WORDS, REFUSED = (
    yaml.safe_load((CASES / name).read_text(encoding="utf-8")) for name in ("words.yaml", "refused.yaml")
)
TODAY = date(2024, 2, 1)
UTILITIES = "          - {from: 2019-06-15, serial: SYN-0299"


def load(folder: Path, text: str) -> HqConfig:
    (folder / "hq.yaml").write_text(text, encoding="utf-8")
    return load_hq(folder)


def changed(folder: Path, *edits: tuple[str, str]) -> str:
    text = TEXT
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.fixture
def words(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    def of(*edits: tuple[str, str]) -> tuple[str, ...]:
        old = plan_document(load(tmp_path, TEXT))
        return differences(old, plan_document(load(tmp_path, changed(tmp_path, *edits))))

    return of


def test_the_plan_is_what_is_measured_and_reported_and_nothing_else(tmp_path: Path) -> None:
    document = plan_document(load(tmp_path, TEXT))
    assert set(document) == {
        *("schema", "company", "synthetic", "electricity_factor", "sites", "products", "targets")
    }
    intake = next(each for each in document["sites"][0]["meters"] if each["id"] == "AOB-RCV-01")
    assert intake["installations"][0]["wh_per_count"] == "1", "what the profile says is written out"
    assert yaml.safe_load(yaml.safe_dump(document, allow_unicode=True)) == document


@pytest.mark.parametrize(
    "edit",
    [
        ("port: 15883", "port: 1"),
        ("ledger: {name: hq}", "ledger: {name: hq-east}"),
        ("metrics_port: null", "metrics_port: 9465"),
        ("store: {kind: sqlite}", ""),
        ('ferronickel: "0.7", copper: "0.3"', 'copper: "3/10", ferronickel: "0.70"'),
        ('full_scale_kw: "45726"', 'full_scale_kw: "45726.0"'),
        ("current: ac\n", "current: ac\n        parent: null\n"),
        ("    # Who bears", "    exclusions: []\n    # Who bears"),
        ("serial: SYN-R001, wh_per_count", 'serial: SYN-R001, resolution: "1", wh_per_count'),
    ],
)
def test_what_is_no_part_of_the_plan_makes_no_version(tmp_path: Path, edit: tuple[str, str]) -> None:
    one = plan_document(load(tmp_path, TEXT))
    other = plan_document(load(tmp_path, changed(tmp_path, edit)))
    assert differences(one, other) == ()
    assert plan_digest(one) == plan_digest(other)


def test_the_order_of_a_file_makes_no_version(tmp_path: Path) -> None:
    def shuffled(value: Any, random: Random, key: str = "") -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {each: shuffled(value[each], random, each) for each in keys}
        if isinstance(value, tuple):
            items = [shuffled(each, random) for each in value]
            if key != "installations":  # these stand in time order
                random.shuffle(items)
            return tuple(items)
        return value

    second = next(case["edits"] for case in WORDS if case["says"][0].startswith("aoba: boundary set"))
    (tmp_path / "hq.yaml").write_text(changed(tmp_path, *second), encoding="utf-8")
    data, _ = read_yaml(tmp_path / "hq.yaml")
    digest = plan_digest(plan_document(HqConfig.model_validate(data)))
    for seed in range(5):
        other = HqConfig.model_validate(shuffled(data, Random(seed)))
        assert plan_digest(plan_document(other)) == digest


def test_the_digest_is_the_hash_of_the_canonical_text(tmp_path: Path) -> None:
    document = plan_document(load(tmp_path, TEXT))
    assert '"schema":"seiren.plan/1"' in canonical(document)
    assert len(plan_digest(document)) == 64


@pytest.mark.parametrize("case", WORDS, ids=lambda case: case["says"][0])
def test_differences_are_told_in_words(words: Callable[..., tuple[str, ...]], case: dict[str, Any]) -> None:
    found = words(*case["edits"])
    assert len(found) == len(case["says"]), found
    for one in case["says"]:
        assert any(each.startswith(one) for each in found), (one, found)


def test_a_meter_and_a_site_that_go_are_named(tmp_path: Path) -> None:
    document = plan_document(load(tmp_path, TEXT))
    fewer = {**document, "sites": [{**document["sites"][0], "meters": document["sites"][0]["meters"][1:]}]}
    assert differences(document, fewer) == ("AOB-CEL-01: meter removed",)
    assert differences(document, {**document, "sites": []}) == ("aoba: site removed",)
    assert "aoba: new site, meters AOB-CEL-01," in " ".join(differences({}, document))


def test_one_meter_in_two_places_is_refused_with_its_line(tmp_path: Path) -> None:
    text = changed(tmp_path, ("serial: SYN-0299", "serial: SYN-0533"))
    hq = load(tmp_path, text)
    (problem,) = plan_problems(hq)
    error = examine_hq(tmp_path).lines.error(problem)
    assert (
        error.line
        == text.splitlines().index(
            next(each for each in text.splitlines() if UTILITIES.replace("0299", "0533") in each)
        )
        + 1
    )
    assert error.key == "sites[0].meters[5].installations[0].serial"
    assert "SYN-0533 is at AOB-FUR-01 and at AOB-UTL-01" in error.evidence
    assert "twice" in error.cause


def test_a_meter_that_was_taken_elsewhere_is_in_one_place_at_a_time(tmp_path: Path) -> None:
    later = "\n          - {from: 2022-06-15, serial: SYN-9, profile: schneider_pm5xxx, side: primary}"
    moved = [
        ("serial: SYN-0298", "serial: SYN-0299"),
        ("calibration_until: 2024-06-30}", f"calibration_until: 2024-06-30}}{later}"),
    ]
    taken = (UTILITIES, UTILITIES.replace("2019", "2022"))
    assert not list(plan_problems(load(tmp_path, changed(tmp_path, taken, *moved))))
    early = (UTILITIES, UTILITIES.replace("2019-06-15", "2022-06-14"))
    assert [each.evidence for each in plan_problems(load(tmp_path, changed(tmp_path, early, *moved)))] == [
        "serial number SYN-0299 is at AOB-KLN-01 and at AOB-UTL-01 at the same time"
    ]


def test_an_unknown_electricity_factor_is_refused(tmp_path: Path) -> None:
    hq = load(
        tmp_path,
        changed(tmp_path, ("electricity_factor: industry_adjusted", "electricity_factor: none_such")),
    )
    assert [each.loc for each in plan_problems(hq)] == [("electricity_factor",)]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (('targets: {2024-02: "14100"}', "roles: {sato: [reporter, approver]}"), "Nobody can close a month"),
        (('targets: {2024-02: "14100"}', "roles: {sato: [reporter]}"), "Nobody is approver"),
        (('accuracy_class: "1", full_scale_kw: "1715"', 'full_scale_kw: "1715"'), "no accuracy class"),
        (('full_scale_kw: "1715", ', ""), "no full scale"),
        (("calibration_until: 2026-06-30", "calibration_until: 2024-01-31"), "calibration has ended"),
    ],
)
def test_what_leaves_a_figure_less_sure_is_a_note(tmp_path: Path, edit: tuple[str, str], words: str) -> None:
    assert not list(plan_warnings(load(tmp_path, TEXT), TODAY))
    (found,) = plan_warnings(load(tmp_path, changed(tmp_path, edit)), TODAY)
    assert words in found.what


def test_roles_are_held_by_name_and_by_nobody_means_by_everybody(tmp_path: Path) -> None:
    assert load(tmp_path, TEXT).may("anybody", "approver")
    hq = load(tmp_path, TEXT + "roles: {m.sato: [reporter], k.ito: [approver]}\n")
    assert hq.may("m.sato", "reporter") and not hq.may("m.sato", "approver")
    assert not hq.may("somebody", "reporter")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case['key']} {case['says']}")
def test_double_counting_is_refused_by_name_with_file_line_and_key(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, changed(tmp_path, *case["edits"]))
    place = f"{tmp_path / 'hq.yaml'}:{case['line']}: {case['key']}"
    errors = getattr(caught.value, "errors", (caught.value,))
    told = [each.render() for each in errors if each.where == place]
    assert any(case["says"] in each for each in told), [each.render() for each in errors]
