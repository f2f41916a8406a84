"""What the site engineer's guide shows is what the program takes and says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "guide-engineer.md").read_text(encoding="utf-8")


def shown(command: str) -> list[str]:
    """What the guide shows below a command, each time."""
    blocks = re.findall(rf"^    \$ {re.escape(command)}\n((?:    .*\n|\n(?=    ))+)", GUIDE, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).rstrip("\n") for block in blocks]


def said(*words: str, answers: str = "") -> str:
    output = CliRunner(env={"COLUMNS": "80"}).invoke(app, words, input=answers).output
    return "\n".join(line.rstrip() for line in output.rstrip("\n").splitlines())


SITE = ["aoba", "", "", "broker.example.jp", "", "", ""]
OF_ITS_OWN = ["AOB-RCV-01", "", "192.0.2.11", "", "", "pac32", "400/5", "66000/110", "no"]
BEHIND = ["AOB-CMP-01", "gateway", "", "192.0.2.12", "", "", "7", "schneider_pm5", "100/5", "6600/110", "yes"]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent.yaml that the guide's dialogue writes, in the folder that we work in."""
    monkeypatch.chdir(tmp_path)
    (dialogue,) = shown("seiren agent init")
    assert said("init", answers="\n".join([*SITE, *OF_ITS_OWN, *BEHIND, ""]) + "\n") == dialogue
    for name in ("ca.pem", "aoba-1.crt", "aoba-1.key"):
        Path(name).touch(mode=0o600)
    return Path("agent.yaml")


def test_its_configuration_is_good_and_summed_up_as_shown(written: Path) -> None:
    assert said("check", str(written)) == shown("seiren agent check agent.yaml")[0]


def test_its_mistake_is_told_as_shown(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    written.write_text(text.replace("ct: 400/5", "ct: 5/400"), encoding="utf-8")
    assert said("check", str(written)) == shown("seiren agent check agent.yaml")[1]


def test_what_it_shows_of_the_probe_stands_in_the_whole_screen() -> None:
    (found, unchecked) = re.findall(r"^    ((?:FOUND|NOT CHECKED).*\n(?:     .*\n)+)", GUIDE, re.MULTILINE)
    whole = (DOCS / "probe-and-scan.md").read_text(encoding="utf-8")
    for line in (found + unchecked).splitlines():
        assert line.removeprefix("    ") in whole


def test_it_leads_to_every_page_for_a_site() -> None:
    for page in ("profiles", "write-a-profile", "configure", "probe-and-scan", "polling", "at-3-am"):
        assert f"({page}.md)" in GUIDE
