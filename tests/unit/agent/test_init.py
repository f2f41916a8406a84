"""`seiren agent init`: questions become a file that `check` accepts, and nothing else is touched."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.setup.findings import find_in_agent
from agent.setup.interview import Known, interview
from agent.setup.questions import Question, Say
from agent.setup.written import written
from config.reading import read_yaml
from core.errors import UsageError

SITE = ["aoba", "", "", "192.0.2.1", "nothing", "", ""]
OWN_IP = ["AOB-RCV-01", "ip", "192.0.2.11", "", "", "pac3200", "400/5", "66000/110", "no"]
BEHIND = ["AOB-FUR-01", "gateway", "", "192.0.2.12", "", "", "5", "schneider_pm5xxx", "", ""]
BESIDE = ["AOB-KLN-01", "", "", "6", "schneider_pm5xxx", "200/5", "", "yes"]
LINE = "/dev/serial/by-id/usb-FTDI-SYN1"
ON_LINE = ["AOB-UTL-01", "line", "", LINE, "19200", "none", "2", "3", "sdm630", "", ""]
DONE = [""]


def ran(folder: Path, answers: Sequence[str]) -> tuple[Result, Path]:
    out = folder / "agent.yaml"
    result = CliRunner().invoke(app, ["init", "--out", str(out)], input="\n".join(answers) + "\n")
    return result, out


def test_a_name_that_is_taken_is_refused_at_once(tmp_path: Path) -> None:
    result, out = ran(tmp_path, [*SITE, *OWN_IP, "AOB-RCV-01", *BEHIND, *DONE])
    assert result.exit_code == 0, result.output
    assert result.output.count("There is such a meter already.") == 1
    assert len(find_in_agent(out).document.devices) == 2  # type: ignore[union-attr]  # it is there


def test_the_file_is_good_and_says_what_was_answered(tmp_path: Path) -> None:
    result, out = ran(tmp_path, [*SITE, *OWN_IP, *BEHIND, *BESIDE, *ON_LINE, *DONE])
    assert result.exit_code == 0, result.output
    found = find_in_agent(out)
    assert not found.problems
    config = found.document
    assert config is not None
    assert (config.agent, config.site, str(config.time_zone)) == ("aoba-1", "aoba", "Asia/Tokyo")
    assert (config.broker.host, config.broker.port, config.required_ledgers) == ("192.0.2.1", 1883, ("hq",))
    assert [config.where(device) for device in config.devices] == [
        "192.0.2.11:502 unit 1",
        "gw-1 unit 5",
        "gw-1 unit 6",
        "line-1 unit 3",
    ]
    assert [device.side for device in config.devices] == ["secondary", "primary", "primary", "primary"]
    assert config.devices[0].vt.text("V") == "66000/110 V"
    line = config.link(config.devices[3])
    assert (line.serial, line.baud, line.parity, line.stop_bits) == (LINE, 19200, "none", 2)
    link = config.link(config.devices[1])
    assert link == config.link(config.devices[2])
    assert (link.host, link.framing) == ("192.0.2.12", "tcp")


def test_it_ends_with_the_next_commands_and_is_made_for_a_plain_terminal(tmp_path: Path) -> None:
    result, out = ran(tmp_path, [*SITE, *OWN_IP, *DONE])
    text = out.read_text(encoding="utf-8")
    for command in (f"seiren agent check {out}", f"seiren agent probe AOB-RCV-01 --config {out}"):
        assert command in result.output
        assert f"#   {command}" in text
    assert text.isascii()
    prompts = result.output.replace(str(out), "agent.yaml")
    assert prompts.isascii()
    assert max(map(len, prompts.splitlines())) <= 80


def test_every_key_of_the_file_is_explained(tmp_path: Path) -> None:
    _, out = ran(tmp_path, [*SITE, *OWN_IP, *ON_LINE, *DONE])
    lines = out.read_text(encoding="utf-8").splitlines()
    explained = {
        line.strip(" -").partition(":")[0]
        for at, line in enumerate(lines)
        if "#" in line.partition(":")[2] or lines[at - 1].startswith("#")
    }
    keys = {"agent", "site", "time_zone", "spool", "metrics_port", "registers", "samples", "gateways"}
    keys |= {"required_ledgers", "serial", "baud", "timeout_s", "gap_ms", "id", "profile", "ct", "vt", "side"}
    assert keys <= explained


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["aoba works", *SITE, *OWN_IP], "letters, digits"),
        (["aoba", "", "Asia/Tokio", "", "192.0.2.1", "nothing", "", "", *OWN_IP], "did you mean Asia/Tokyo?"),
        (["aoba", "", "", "mqtt://x", "192.0.2.1", "nothing", "", "", *OWN_IP], "not a URL"),
        (["aoba", "", "", "192.0.2.1", "nothing", "1883 ", "", *OWN_IP], "is written"),
        (["aoba", "", "", "192.0.2.1", "nothing", "x", "1883", "", *OWN_IP], "must be a whole number"),
        ([*SITE, *OWN_IP[:4], "0", "1", *OWN_IP[5:]], "broadcast"),
        ([*SITE, *OWN_IP[:6], "5/400", *OWN_IP[6:]], "upside down"),
        ([*SITE, *OWN_IP[:8], "maybe", "no"], "one of yes, no"),
        ([*SITE, *OWN_IP[:5], "siemens", *OWN_IP[5:]], "2 profiles are called so"),
        ([*SITE, *OWN_IP[:5], "nobody", *OWN_IP[5:]], "None is called so"),
        ([*SITE, *OWN_IP[:5], "none.yaml", *OWN_IP[5:]], "cannot be read"),
        ([*SITE, *ON_LINE[:4], "9601", *ON_LINE[4:]], "did you mean 9600?"),
        ([*SITE, *ON_LINE[:3], "ttyUSB0", *ON_LINE[3:]], "no path of a serial line"),
        ([*SITE, *OWN_IP, OWN_IP[0]], "There is such a meter already."),
        ([*SITE, *BEHIND, "X", "", "", "5", "abb_b23", "", ""], "X and AOB-FUR-01 have the same address"),
    ],
)
def test_a_wrong_answer_is_told_at_once_and_asked_again(
    wrong: Sequence[str], says: str, tmp_path: Path
) -> None:
    result, out = ran(tmp_path, [*wrong, *DONE])
    assert result.exit_code == 0, result.output
    assert says in result.output
    assert find_in_agent(out).problems == ()


def test_a_profile_of_ones_own_is_taken_by_its_path(tmp_path: Path) -> None:
    good = Path(__file__).parents[2] / "cases" / "bad_configuration" / "meter_x.yaml"
    (tmp_path / "meter_x.yaml").write_bytes(good.read_bytes())
    result, out = ran(tmp_path, [*SITE, *OWN_IP[:5], "meter_x.yaml", "", "", *DONE])
    assert result.exit_code == 0, result.output
    config = find_in_agent(out).document
    assert config is not None
    assert config.devices[0].profile == str(tmp_path / "meter_x.yaml")


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("precious", encoding="utf-8")
    result, out = ran(tmp_path, [*SITE, *OWN_IP, *DONE])
    assert isinstance(result.exception, UsageError)
    assert "Site" not in result.output, "it is said before the first question"
    assert out.read_text(encoding="utf-8") == "precious"


def test_a_file_that_appears_meanwhile_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda *args, **kwargs: False)
    (tmp_path / "agent.yaml").write_text("precious", encoding="utf-8")
    result, out = ran(tmp_path, [*SITE, *OWN_IP, *DONE])
    assert isinstance(result.exception, UsageError)
    assert out.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("answered", range(0, len(SITE) + len(OWN_IP), 3))
def test_answers_that_end_too_early_leave_nothing(answered: int, tmp_path: Path) -> None:
    result, _ = ran(tmp_path, [*SITE, *OWN_IP, *DONE][:answered] or [""])
    assert isinstance(result.exception, UsageError)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_a_terminal_leaves_nothing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "import seiren; seiren.main()", "agent", "init", "--out"]
    with subprocess.Popen(
        [*command, str(tmp_path / "agent.yaml")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        seen = b""
        while b"Site, a short name" not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, b"aoba\n")
        while b"computer's name" not in seen:
            seen += os.read(ours, 1000)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        seen += os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)
    assert b"nothing was written" in seen
    assert list(tmp_path.iterdir()) == []


def answered(answers: Sequence[str]) -> dict[str, Any]:
    """Drive the questions without a terminal."""
    asked = interview([Known("abb_b23", "ABB", "B23")])
    waiting = iter(answers)
    step = next(asked)
    while True:
        try:
            if isinstance(step, Question):
                answer = next(waiting) or step.default or ""
                assert step.judge(answer) is None, answer
                step = asked.send(answer)
            else:
                assert isinstance(step, Say)
                step = next(asked)
        except StopIteration as end:
            data: dict[str, Any] = end.value
            return data


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@settings(max_examples=50, deadline=None)
@example(site="true", agent="null", meter="False", gateway="no", unit=1)
@example(site="0", agent="1e5", meter="-1", gateway="007", unit=247)
@given(site=NAMES, agent=NAMES, meter=NAMES, gateway=NAMES, unit=st.integers(1, 255))
def test_whatever_is_answered_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, site: str, agent: str, meter: str, gateway: str, unit: int
) -> None:
    """`no`, `true`, `0x1F`, `-`, `1`: names that YAML would take for something else."""
    data = answered(
        [
            *(site, agent, "", "192.0.2.1", "nothing", "", ""),
            *(meter, "gateway", gateway, "192.0.2.2", "", "", str(unit), "abb", "", "", ""),
        ]
    )
    path = tmp_path_factory.getbasetemp() / "agent.yaml"
    path.write_text(written(data, "agent.yaml"), encoding="utf-8")
    back = read_yaml(path)[0]
    assert (back["site"], back["agent"], back["devices"][0]["id"]) == (site, agent, meter)
    assert back["devices"][0]["modbus"] == {"gateway": gateway, "unit": unit}
    assert list(back["gateways"]) == [gateway]
    assert not find_in_agent(path).problems
    assert yaml.safe_load(path.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(
    ("answers", "security", "port"),
    [
        (
            ["", ""],
            "tls:\n    ca: ca.pem|certificate: aoba-1.crt|key: aoba-1.key",
            8883,
        ),
        (["password", ""], "ca: ca.pem|username: aoba.aoba-1|password_file: broker.password", 8883),
        (["nothing", ""], "", 1883),
    ],
)
def test_the_broker_knows_this_computer_and_its_rules_are_written(
    answers: Sequence[str], security: str, port: int, tmp_path: Path
) -> None:
    result, out = ran(tmp_path, ["aoba", "", "", "192.0.2.1", *answers, "", *OWN_IP, *DONE])
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    for part in security.split("|"):
        assert part in text
    config = find_in_agent(out).document
    assert config is not None
    assert config.broker.port == port
    assert (config.broker.security is None) is (security == "")
    rules = (tmp_path / "agent.acl").read_text(encoding="utf-8")
    assert "user aoba.aoba-1\ntopic write seiren/v1/aoba/aoba-1/registers\n" in rules
    assert "topic read seiren/v1/aoba/aoba-1/ack/hq\n" in rules
    assert "not on this machine" not in result.output, "what it has just asked for is told in one line"


def test_a_broker_on_this_computer_needs_no_certificate(tmp_path: Path) -> None:
    result, out = ran(tmp_path, ["aoba", "", "", "127.0.0.1", "", "", "", *OWN_IP, *DONE])
    assert result.exit_code == 0, result.output
    assert "tls" not in out.read_text(encoding="utf-8")


def test_rules_that_exist_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "agent.acl").write_text("precious", encoding="utf-8")
    result, out = ran(tmp_path, [*SITE, *OWN_IP, *DONE])
    assert isinstance(result.exception, UsageError)
    assert not out.exists()
    assert (tmp_path / "agent.acl").read_text(encoding="utf-8") == "precious"


def test_a_site_cannot_take_the_collectors_name(tmp_path: Path) -> None:
    result, _ = ran(tmp_path, ["collectors", *SITE, *OWN_IP, *DONE])
    assert result.exit_code == 0, result.output
    assert "taken by the protocol" in result.output
