"""docs/at-3-am.md shows what the program says: each screen on it is made anew and compared.

``SEIREN_REWRITE_PAGES=1 pytest …`` writes the page's screens anew; read the difference before keeping it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agent.health import render_doctor, render_status, render_watch
from agent.health.diagnosis import diagnose
from agent.health.facts import Facts
from tests.unit.agent.health.material import SCENES

PAGE = Path(__file__).parents[4] / "docs/at-3-am.md"
SCREEN = re.compile(r"<!-- (doctor|watch|status): (\w+) -->\n```\n(.*?)```", re.S)


def told(scene: str) -> Facts:
    facts = SCENES[scene]().facts
    assert facts is not None
    return facts


def screen(command: str, scene: str) -> str:
    """Return what a command prints in a scene."""
    if command == "doctor":
        lines = [f"$ seiren agent {command}", *render_doctor.lines(diagnose(SCENES[scene]()))]
    elif command == "status":
        lines = [f"$ seiren agent {command}", *render_status.lines(told(scene))]
    else:
        lines = render_watch.frame(told(scene), rows=20)
    return "".join(f"{line}\n" for line in lines)


if os.environ.get("SEIREN_REWRITE_PAGES"):
    PAGE.write_text(
        SCREEN.sub(
            lambda found: f"<!-- {found[1]}: {found[2]} -->\n```\n{screen(found[1], found[2])}```",
            PAGE.read_text(encoding="utf-8"),
        ),
        encoding="utf-8",
    )

SHOWN = {(found[1], found[2]): found[3] for found in SCREEN.finditer(PAGE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(("command", "scene"), SHOWN)
def test_the_page_shows_what_is_printed(command: str, scene: str) -> None:
    assert screen(command, scene) == SHOWN[command, scene]


def test_every_scene_is_on_the_page() -> None:
    assert {scene for _, scene in SHOWN} == SCENES.keys()
    assert {command for command, _ in SHOWN} == {"doctor", "watch", "status"}


@pytest.mark.parametrize("scene", SCENES)
def test_screens_fit_a_terminal_of_80_columns_in_ascii(scene: str) -> None:
    texts = [screen("doctor", scene)]
    if SCENES[scene]().facts is not None:
        texts += [screen("status", scene), screen("watch", scene)]
    for line in "".join(texts).splitlines():
        assert len(line) <= 80 and line.isascii() and line == line.rstrip(), line
