"""What the site engineer's guide shows is what the program takes and says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.check import summary
from config.loading import load_agent, profile_ids
from core.errors import ConfigError

GUIDE = (Path(__file__).parents[3] / "docs" / "guide-engineer.md").read_text(encoding="utf-8")


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's agent.yaml, in the folder that we work in."""
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    path = Path("agent.yaml")
    path.write_text(block, encoding="utf-8")
    return path


def test_its_configuration_is_good_and_summed_up_as_shown(shown: Path) -> None:
    assert GUIDE.count(f"    {summary(load_agent(shown))}\n") == 2


def test_its_mistake_is_told_as_shown(shown: Path) -> None:
    shown.write_text(shown.read_text(encoding="utf-8").replace("ct: 400/5", "ct: 5/400"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_agent(shown)
    told = "\n".join(f"    {line}" for line in caught.value.render().splitlines())
    assert told in GUIDE


def test_it_names_every_shipped_profile() -> None:
    assert all(f"`{name}`" in GUIDE for name in profile_ids())
