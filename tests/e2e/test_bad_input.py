"""Bad input of every kind: a clear error (what, where, evidence, next), and nothing else is lost."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import paho.mqtt.publish as publish
import pytest
import yaml

from tests.e2e.works import STEEL, assert_nothing_lost, call, demo

SITES = Path(__file__).parents[2] / "config" / "sites" / "demo"
AGENT = SITES / "agent-aoba-1.yaml"
TOPIC = "seiren/v1/replay/replay/registers"
GARBAGE = (
    (TOPIC, b""),
    (TOPIC, b"\x00\xff not JSON"),
    (TOPIC, b'{"v":1,"kind":"data"}'),
    (TOPIC, b'{"v":99,"kind":"data","epoch":"0","frames":[]}'),
    (TOPIC, b"[" * 100_000),
    (TOPIC, b'{"v":1,"kind":"table","digest":"' + b"0" * 32 + b'","points":[]}'),
    ("seiren/v1/replay/stranger/registers", b"{}"),
    ("seiren/v1/replay/replay/head", b'{"v":1,"kind":"life"}'),
    ("seiren/v1/replay/replay/status", b"online"),
)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """Return a copy of the demo's agent configuration with one text replaced."""
    text = AGENT.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "agent.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: 1,", "unit: 1, untit: 2,", ("agent.yaml:", "untit", "next")),
        ("unit: 1,", "unit: one,", ("agent.yaml:", "unit", "one")),
        ("profile: siemens_pac3200", "profile: siemens_pac3201", ("siemens_pac3201", "siemens_pac3200")),
        ("ct: 400/5", "ct: 400-5", ("agent.yaml:", "ct", "400-5")),
        ("agent: aoba-1", "agent: aoba-1\nagent: aoba-2", ("agent.yaml:4", "agent", "twice")),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, old: str, new: str, said: tuple[str, ...]) -> None:
    done = call("agent", "check", changed(tmp_path, old, new), ok=False)
    assert done.returncode == 2
    for text in said:
        assert text in done.stdout
    assert "Traceback" not in done.stderr


def test_an_unreachable_meter_and_broker(tmp_path: Path) -> None:
    done = call("agent", "check", shutil.copy(AGENT, tmp_path), "--connect", ok=False)
    assert done.returncode in (1, 3)
    told = done.stdout + done.stderr
    for text in ("AOB-RCV-01", "127.0.0.1:15021", "127.0.0.1:15883", "refused", "next"):
        assert text in told
    assert "Traceback" not in told


def test_bad_slips_are_named_and_the_good_ones_go_in(tmp_path: Path) -> None:
    shutil.copy(SITES / "hq.yaml", tmp_path)
    slips = tmp_path / "fuel.csv"
    slips.write_text(
        "date,site,process,fuel,quantity,unit,document\n"
        "2024-02-01,aoba,kiln,steam_coal_imported,50.5,t,F-1\n"
        "2024-02-02,aoba,kiln,steam_coal_imported,50.5,kL,F-2\n"
        "2024-02-03,aoba,kiln,steam_coal_imported,about fifty,t,F-3\n"
        "2024-02-04,aoba,kiln,steam_coal_imported,49.5,t,F-4\n",
        encoding="utf-8",
    )
    done = call("import", "activity", slips, "--ledger", tmp_path, ok=False)
    told = done.stdout + done.stderr
    assert done.returncode == 1
    for text in ("fuel.csv:3", "kL", "fuel.csv:4", "about fifty", "next"):
        assert text in told
    slips.write_text(
        "".join(slips.read_text(encoding="utf-8").splitlines(keepends=True)[::4]), encoding="utf-8"
    )
    assert "1 there already" in call("import", "activity", slips, "--ledger", tmp_path).stdout


def test_no_ledger_there(tmp_path: Path) -> None:
    done = call("month", "show", tmp_path / "nothing", "2024-02", ok=False)
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "next" in done.stderr


def test_garbage_on_the_topics_costs_no_reading(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sent: list[int] = []
    pest = threading.Thread(target=_pester, args=(out, sent.append))
    pest.start()
    run = demo(out, "--replay", STEEL, "--month", "2018-03")
    pest.join()
    assert sent
    assert_nothing_lost(run)
    energy = run.statement("2018-03")["figures"]["energy.RPL-01"]
    assert Fraction(energy["value"]) == Fraction("80230.41")
    aside = json.loads(run.seiren("collector", "status", out, "--format", "json"))["aside"]
    assert {topic for topic, _ in GARBAGE} == {each["source"] for each in aside}
    assert sum(each["times"] for each in aside) == len(GARBAGE)
    assert all(each["reason"] for each in aside)


def _pester(out: Path, count: Callable[[int], None]) -> None:
    """Publish garbage as soon as the run's collector listens."""
    log = out / "logs" / "collector.log"
    deadline = time.monotonic() + 30
    while not (log.exists() and "connected to the broker" in log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # because the run starts its processes in its own time
    port = yaml.safe_load((out / "hq.yaml").read_text(encoding="utf-8"))["broker"]["port"]
    messages = [{"topic": topic, "payload": payload, "qos": 1} for topic, payload in GARBAGE]
    publish.multiple(messages, "127.0.0.1", port)  # type: ignore[arg-type]  # dicts, as documented
    count(len(messages))
