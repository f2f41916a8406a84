"""docs/configure.md shows files that are good, and a mistake as it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.setup.findings import find_in_agent

PAGE = (Path(__file__).parents[3] / "docs" / "configure.md").read_text(encoding="utf-8")
HEAD, *EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
(SHOWN,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("id: ")[2][:10])
def test_its_examples_are_good(example: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(HEAD + example, encoding="utf-8")
    found = find_in_agent(path)
    assert not found.problems
    assert all("not on this machine" in note.what for note in found.warnings)


def test_its_mistake_is_told_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (paced,) = (text for text in EXAMPLES if "gw-old" in text)
    assert "every_s: 5, " in paced
    monkeypatch.chdir(tmp_path)
    wrong = paced.replace("every_s: 5, at_least_every_s: 300", "every_s: 0.04")
    Path("agent.yaml").write_text(HEAD + wrong, encoding="utf-8")
    for name in re.findall(r"[\w-]+\.(?:pem|crt|key)", HEAD):
        Path(name).touch(mode=0o600)
    result = CliRunner().invoke(app, ["check", "agent.yaml"])
    assert f"$ seiren agent check agent.yaml\n{result.output}" == SHOWN
