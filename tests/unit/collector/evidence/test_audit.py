"""`seiren audit`: what people see, and the exit codes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collector.evidence.cli import app
from collector.ledger import Ledger
from config.hq import load_hq
from core.errors import OutsideError, UsageError
from tests.unit.collector.closings import close
from tests.unit.collector.evidence.material import FEBRUARY, packed, restored


def run(*arguments: object) -> Any:
    """Run a command, its errors as they are raised."""
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A ledger with a closed month, and its head as it is printed."""
    folder = restored("month-0002", tmp_path_factory.mktemp("audit") / "works")
    hq = load_hq(folder)
    ledger = Ledger.open(folder)
    close(ledger, hq, FEBRUARY)
    ledger.close()
    done = run("export", folder, FEBRUARY, "--out", folder / "evidence.zip")
    assert done.exit_code == 0, done.output
    (head,) = [line.split()[-1] for line in done.output.splitlines() if line.startswith(" chain head ")]
    return folder, head


def test_export_says_what_it_wrote_and_how_to_check_it(works: tuple[Path, str]) -> None:
    folder, head = works
    done = run("export", folder, FEBRUARY, "--out", folder / "again.zip")
    assert "2024-02 is closed" in done.output
    assert f"python3 verify.py --head {head}" in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines()[1:])
    assert (folder / "again.zip").read_bytes() == (folder / "evidence.zip").read_bytes()


def test_verify_looks_through_evidence_and_ledgers(works: tuple[Path, str]) -> None:
    folder, head = works
    for where in (folder / "evidence.zip", folder):
        done = run("verify", where, "--head", head)
        assert done.exit_code == 0, done.output
        assert done.output.endswith("all is as it should be\n")
        assert run("verify", where, "--head", "0" * 32).exit_code == 1
        assert run("verify", where, "--head", head[:4]).exit_code == 1


def test_verify_names_what_differs(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    made = {**files, "statement.json": files["statement.json"].replace(b'"580"', b'"581"')}
    done = run("verify", packed(tmp_path / "e.zip", made))
    assert done.exit_code == 1
    assert 'DIFFERS statement.json line 53: "printed": "581", in co2' in done.output


def test_verify_is_not_led_by_the_verifier_in_the_archive(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    done = run("verify", packed(tmp_path / "e.zip", {**files, "verify.py": b"raise SystemExit(0)\n"}))
    assert done.exit_code == 1
    assert "its verify.py is another release's" in done.output


def test_wrong_use(tmp_path: Path) -> None:
    assert isinstance(run("verify", tmp_path / "nowhere").exception, UsageError)
    assert isinstance(run("export", tmp_path, "2024-02", "2024-03").exception, UsageError)
    assert isinstance(run("export", tmp_path, "february").exception, UsageError)
    (tmp_path / "no.zip").write_bytes(b"no archive")
    assert isinstance(run("verify", tmp_path / "no.zip").exception, OutsideError)
