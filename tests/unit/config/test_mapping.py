"""The mapping of a file: each key is on its page, and a file's errors have their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.mapping import FileKind, Mapping, PointColumn, load_mapping
from core.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs/import.md"


def test_each_key_is_described_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w.\[\]]+)` \| (.*?) ?\|", PAGE.read_text(), re.M))
    fields = dict(Mapping.model_fields) | {
        f"points[].{name}": field for name, field in PointColumn.model_fields.items()
    }
    assert rows.keys() == fields.keys()
    for key, field in fields.items():
        told = rows[key].strip("`")
        if not field.is_required() and isinstance(field.default, str | bool):
            assert told == str(field.default).lower() or told == str(field.default), key


def test_the_pages_example_is_a_mapping(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    path = tmp_path / "map.yaml"
    path.write_text(example, encoding="utf-8")
    found = load_mapping(path)
    assert (found.kind, found.step_ms) == (FileKind.INTERVALS, 900_000)
    assert found.points[1].column == ("HT", "NT")


def test_an_error_has_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("kind: registers\ntime: t\npoints:\n  - {point: A, column: x, unit: kW}\n")
    with pytest.raises(ConfigError) as told:
        load_mapping(path)
    assert told.value.where == f"{path}:4: points[0].unit"
