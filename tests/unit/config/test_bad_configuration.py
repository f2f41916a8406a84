"""Every mistake of tests/cases/bad_configuration is refused with file, line, key and a useful sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.documents import load_yaml
from config.loading import load_agent, load_hq
from config.profile import Profile
from core.errors import ConfigError

FOLDER = Path(__file__).parents[2] / "cases" / "bad_configuration"
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8"))


def load(path: Path) -> object:
    if path.name == "agent.yaml":
        return load_agent(path)
    return load_hq(path) if path.name == "hq.yaml" else load_yaml(path, Profile)


@pytest.mark.parametrize("name", ["agent.yaml", "hq.yaml", "meter_x.yaml"])
def test_the_files_that_the_cases_spoil_are_good(name: str) -> None:
    load(FOLDER / name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}: {case['name']}")
def test_refused_with_line_key_and_reason(case: dict[str, Any], tmp_path: Path) -> None:
    good = (FOLDER / case["file"]).read_text(encoding="utf-8")
    assert good.count(case["old"]) >= 1
    path = tmp_path / case["file"]
    path.write_text(good.replace(case["old"], case["new"], 1), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(path)

    error = caught.value
    errors = getattr(error, "errors", (error,))
    place = f"{path}:{case['line']}" + (f": {case['key']}" if case["key"] else "")
    assert place in [each.where for each in errors]
    told = next(each for each in errors if each.where == place).render()
    assert all(str(words) in told for words in case["says"]), told
    assert error.next
    assert error.exit_code == 2
