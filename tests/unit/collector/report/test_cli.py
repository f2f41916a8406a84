import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.report.cli import app
from core.errors import UsageError
from tests.unit.collector.report.ledgers import fill, folder


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = folder(tmp_path_factory.mktemp("works"))
    fill(path, "2024-02")
    return path


def _run(*words: object) -> str:
    result = CliRunner().invoke(app, ["show", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_month_as_table_json_csv_and_explanation(works: Path) -> None:
    assert _run(works, "2024-02").startswith("Aoba works, February 2024")
    assert json.loads(_run(works, "2024-02", "--format", "json"))["schema"] == "seiren.statement/1"
    assert "co2.scope2" in _run(works, "2024-02", "--format", "csv")
    assert "register" in _run(works, "2024-02", "--why", "co2")


def test_a_year_and_a_fiscal_year(works: Path) -> None:
    for period in ("2024", "FY2023"):
        text = _run(works, period)
        assert "February 2024" in text
        assert "not summed: 11 of 12 months have no sum" in text


def test_the_default_folder_is_the_demos(works: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(works.parent)
    Path("demo-out").symlink_to(works)
    assert _run("2024-02").startswith("Aoba works")


@pytest.mark.parametrize(
    ("words", "evidence"),
    [
        (("2024-03",), "it has 2024-02 to 2024-02"),
        (("2019",), "it has 2024-02 to 2024-02"),
        (("soon",), ""),
        (("2024-02", "2024-03"), ""),
        (("2024", "--why", "co2"), ""),
        (("2024-02", "--why", "co2.scope9"), "nearest"),
    ],
)
def test_wrong_use_is_said(works: Path, words: tuple[str, ...], evidence: str) -> None:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(app, ["show", str(works), *words], catch_exceptions=False)
    assert evidence in caught.value.evidence
    assert caught.value.next or len(words) == 2


def test_an_empty_ledger_says_what_brings_the_first_reading(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(app, ["show", str(folder(tmp_path)), "2024-02"], catch_exceptions=False)
    assert "collector run" in caught.value.next
