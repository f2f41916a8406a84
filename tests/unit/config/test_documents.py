"""YAML is data only, read strictly, with a line for every error."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import DocumentError, load_yaml
from config.reading import dotted, read_yaml
from config.strict import Exact, Model, exact
from core.carbon.rounding import exact_text
from core.errors import ConfigError


class Inner(Model):
    share: Exact
    label: str = ""


class Outer(Model):
    name: str
    parts: tuple[Inner, ...] = ()


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_good_file_becomes_its_model(tmp_path: Path) -> None:
    path = written(tmp_path, 'name: "no"\nparts:\n  - {share: "1/3"}\n  - {share: 2, label: no}\n')
    assert load_yaml(path, Outer) == Outer(
        name="no", parts=(Inner(share=Fraction(1, 3)), Inner(share=Fraction(2), label="no"))
    )


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "010", "1:30", "1_000", ".inf", "2024-02", "0o17"]
)
def test_what_yaml_1_1_would_turn_into_something_else_is_text(tmp_path: Path, text: str) -> None:
    assert load_yaml(written(tmp_path, f"name: {text}\n"), Outer).name == text


def test_all_errors_of_a_file_are_told_in_line_order(tmp_path: Path) -> None:
    path = written(tmp_path, "parts:\n  - {share: 0.5}\n  - {shar: 1}\nnam: x\n")
    with pytest.raises(DocumentError) as caught:
        load_yaml(path, Outer)
    assert [error.where for error in caught.value.errors] == [
        f"{path}:1: name",
        f"{path}:2: parts[0].share",
        f"{path}:3: parts[1].share",
        f"{path}:3: parts[1].shar",
        f"{path}:4: nam",
    ]
    assert caught.value.where == f"{path}:1: name"
    assert caught.value.render().count("ERROR") == 5


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: [a, b\n", 2, "valid YAML"),
        ("name: a\nname: b\n", 2, "twice"),
        ("name: a\n? [1]\n: b\n", 1, "key must be text"),
        ("name: !!python/object:os.system x\n", 1, "valid YAML"),
        ("name: *x\n", 1, "valid YAML"),
        ("name: &x a\nother: *x\n", 2, "aliases"),
        ("name: a\n---\nname: b\n", 2, "valid YAML"),
        ("<<: {name: a}\n", 1, "Unknown key"),
        ("", 1, "required key"),
        ("just text", 1, "mapping of keys"),
        ("name: 2024-02-30\n", 1, "valid date"),
        ("name: " + "[" * 2_000 + "]" * 2_000, 1, "nested"),
        ("name: \x01\n", 1, "valid YAML"),
    ],
)
def test_what_is_no_plain_data_is_refused(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Outer)
    shown = caught.value.render()
    assert says in shown
    assert str(path) in shown
    if f"{path}:" in shown:
        assert f"{path}:{line}" in shown


def test_a_file_that_is_no_utf8_says_where_and_why(tmp_path: Path) -> None:
    path = written(tmp_path, "name: ok\nother: 青葉".encode("shift_jis"))
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert caught.value.where == f"{path}:2"
    assert "Shift_JIS" in caught.value.cause


def test_a_missing_file_and_a_folder_are_no_tracebacks(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_yaml(path)
        assert caught.value.where == str(path)
        assert caught.value.evidence


def test_a_file_too_large_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too large"):
        read_yaml(written(tmp_path, b"#" * (8 * 2**20 + 1)))


@given(st.text(max_size=200))
def test_no_text_gets_through_as_another_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ConfigError):
        load_yaml(path, Outer)


@given(st.fractions())
def test_exact_text_says_exactly_the_number(number: Fraction) -> None:
    assert exact(exact_text(number)) == number


@pytest.mark.parametrize("value", [True, None, "", "1e3", "1,000", "½", "1/0", "nan", "0x10", 0.5, "1 /2"])
def test_what_is_no_exact_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"exact|divides"):
        exact(value)


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("sites", 0, "meters", 1, "id")) == "sites[0].meters[1].id"
