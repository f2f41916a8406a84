"""`seiren collector doctor`: the verdict first, then each fault with what to do; and its page.

``SEIREN_REWRITE_PAGES=1 pytest …`` writes the page's screens anew; read the difference before keeping it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from collector.doctor import SILENT_MS, diagnose, document, lines
from collector.facts import Fault, StoreFacts, Visited
from core.runtime.mqtt_troubles import thrown_out
from tests.unit.collector.scenes import (
    NOW_MS,
    SCENES,
    all_well,
    busy,
    lane,
    live,
    record,
    site_silent,
    strangers,
)

PAGE = Path(__file__).parents[3] / "docs/at-3-am.md"
SCREEN = re.compile(r"<!-- collector doctor: (\w+) -->\n```\n(.*?)```", re.S)


def screen(scene: str) -> str:
    told = SCENES[scene]()
    shown = ["$ seiren collector doctor /srv/seiren", *lines(told, diagnose(told))]
    return "".join(f"{line}\n" for line in shown)


if os.environ.get("SEIREN_REWRITE_PAGES"):
    PAGE.write_text(
        SCREEN.sub(
            lambda found: f"<!-- collector doctor: {found[1]} -->\n```\n{screen(found[1])}```",
            PAGE.read_text(encoding="utf-8"),
        ),
        encoding="utf-8",
    )

SHOWN = {found[1]: found[2] for found in SCREEN.finditer(PAGE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("scene", SHOWN)
def test_the_page_shows_what_is_printed(scene: str) -> None:
    assert screen(scene) == SHOWN[scene]


def test_the_page_has_the_nights_in_which_somebody_is_called() -> None:
    assert SHOWN.keys() >= {"not_running", "broker_away", "site_silent", "store_down", "restored"}


@pytest.mark.parametrize("scene", SCENES)
def test_screens_fit_a_terminal_of_80_columns_in_ascii(scene: str) -> None:
    told = busy(SCENES[scene]()) if SCENES[scene]().record is not None else SCENES[scene]()
    for line in [*screen(scene).splitlines(), *lines(told, diagnose(told))]:
        assert len(line) <= 80 and line.isascii() and line == line.rstrip(), line


@pytest.mark.parametrize(
    ("scene", "code"),
    [
        ("all_well", 0),
        ("strangers", 0),
        ("not_running", 1),
        ("broker_away", 1),
        ("site_silent", 1),
        ("store_down", 1),
        ("restored", 1),
        ("ledger_away", 3),
    ],
)
def test_exit_codes(scene: str, code: int) -> None:
    told = SCENES[scene]()
    diagnosis = diagnose(told)
    assert diagnosis.exit_code == code
    text = json.dumps(document(told, diagnosis))
    assert json.loads(text)["exit_code"] == code


def test_an_agent_is_silent_only_after_it_could_have_been_heard() -> None:
    """A collector that has just started, or just reached the broker, has heard nobody yet."""
    nobody = live(agents=())
    assert len(diagnose(replace(all_well(), live=nobody)).found.faults) == 2
    young = nobody.model_copy(update={"started_ms": NOW_MS - SILENT_MS + 1})
    assert diagnose(replace(all_well(), live=young)).found.faults == ()
    broker = nobody.broker.model_copy(update={"since_ms": NOW_MS - 1000})
    fresh = nobody.model_copy(update={"broker": broker})
    assert diagnose(replace(all_well(), live=fresh)).found.faults == ()


def test_the_same_agents_name_at_two_sites() -> None:
    """Whose process speaks is told by site and name."""
    visited = (Visited(site="shiomi", agent="aoba-1", heard_ms=NOW_MS, state="online"),)
    (fault, _) = diagnose(replace(all_well(), live=live(agents=visited))).found.faults
    assert fault.what.startswith("agent aoba-1 of aoba silent")


def test_a_broker_that_is_there_and_does_not_want_us_is_no_dead_machine() -> None:
    told = SCENES["broker_away"]()
    assert told.live is not None
    away = told.live.broker.model_copy(update={"fault": Fault.of(thrown_out("mqtt.hq.example:8883"))})
    denied = replace(told, live=told.live.model_copy(update={"broker": away}))
    (fault, *_) = diagnose(denied).found.faults
    assert "seiren collector acl" in fault.do and "systemctl" not in fault.do
    assert max(map(len, lines(denied, diagnose(denied)))) <= 80


@pytest.mark.parametrize("answer", ["switched_off", "somebody_else"])
def test_what_is_not_asked_is_said(answer: str) -> None:
    told = replace(all_well(), answer=answer, live=None)  # type: ignore[arg-type]  # one of the answers
    diagnosis = diagnose(told)
    assert diagnosis.exit_code == 0 and diagnosis.verdict.startswith("WHETHER")
    assert len(diagnosis.found.not_checked) == 2


def test_a_full_disk_is_a_fault_and_few_bytes_a_notice() -> None:
    assert any("disk" in each.what for each in diagnose(replace(all_well(), free_bytes=1)).found.faults)
    assert any("disk" in each.what for each in diagnose(strangers()).found.notices)


def test_a_store_that_has_never_opened_is_not_good() -> None:
    closed = live(store=StoreFacts(name="influxdb:readings", open=False))
    assert "reading store" not in diagnose(replace(all_well(), live=closed)).found.good


def test_an_old_event_is_no_news() -> None:
    told = SCENES["restored"]()
    assert told.record is not None
    old = [each.model_copy(update={"time_ms": NOW_MS - 2 * 86_400_000}) for each in told.record.events]
    assert len(diagnose(told).found.notices) == 1
    later = replace(told, record=told.record.model_copy(update={"events": tuple(old)}))
    assert diagnose(later).found.notices == ()


def test_frames_of_unknown_size_that_nobody_has_are_a_fault_as_they_are_for_the_count() -> None:
    told = replace(all_well(), record=record(lane("aoba-1", "samples", owed_frames=7)))
    diagnosis = diagnose(told)
    assert (diagnosis.verdict, diagnosis.exit_code) == ("7 FRAMES OF READINGS ARE UNEXPLAINED.", 1)
    assert "aoba-1 samples: 0 of 400,896, in 7 frames" in "\n".join(lines(told, diagnosis))


def test_readings_that_were_set_aside_are_told() -> None:
    told = replace(all_well(), record=record(lane("aoba-1", "registers", quarantined=5)))
    diagnosis = diagnose(told)
    assert diagnosis.exit_code == 0
    assert "unreadable, aoba-1 registers: 5 readings set aside" in "\n".join(lines(told, diagnosis))


def test_nobody_has_delivered_yet() -> None:
    told = replace(all_well(), record=record().model_copy(update={"lanes": ()}))
    assert diagnose(told).found.faults == () and "count" not in diagnose(told).found.good
    assert site_silent().live is not None
