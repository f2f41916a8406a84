"""The front door: parts are loaded when asked for, and what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import seiren
from core.errors import SeirenError

ROOT = Path(__file__).parents[2]

# Runs the front door as an install has it in which some packages are missing.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import seiren
sys.argv = ["seiren", *{arguments!r}]
seiren.main()
"""

HQ_ONLY = {"sqlalchemy", "alembic", "aiohttp", "jinja2", "starlette", "uvicorn", "babel", "uvloop"}


def run_without(missing: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = WITHOUT.format(missing=missing, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("command", "extra"),
    [("collector", "collector"), ("count", "collector"), ("month", "collector"), ("web", "hq")],
)
def test_a_missing_extra_is_named_with_the_command_that_brings_it(command: str, extra: str) -> None:
    done = run_without(HQ_ONLY, command, "some", "--argument")
    assert done.returncode == 2
    assert " ".join(done.stderr.split()).startswith(
        f"ERROR `seiren {command}` needs the extra {extra!r}, which is not installed here"
    )
    assert [line for line in done.stderr.splitlines() if len(line) > 80 and line[:4] != "next"] == []
    assert f"pip install --no-deps --require-hashes -r lock/{extra}.txt" in done.stderr


def test_what_is_next_is_broken_between_clauses_and_never_within_a_command() -> None:
    command = (
        "openssl s_client -connect mqtt.example:8883 -CAfile ca.pem </dev/null | openssl x509 -noout -dates"
    )
    told = SeirenError(
        "No", next=f"stop the other one first, or give it a name of its own; {command}"
    ).render()
    *_, first, second = seiren._wrapped(told)
    assert first == "next  stop the other one first, or give it a name of its own;"
    assert second.strip() == command


def test_the_agent_needs_the_base_install_only() -> None:
    done = run_without(HQ_ONLY, "agent", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "check" in done.stdout
    assert "Not installed here" in run_without(HQ_ONLY, "--help").stdout


def test_a_mistake_of_our_own_is_not_taken_for_a_missing_extra() -> None:
    done = run_without({"collector"}, "count")
    assert "ModuleNotFoundError" in done.stderr


def test_errors_are_told_in_words_with_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["seiren", "count", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        seiren.main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("ERROR this folder has no hq.yaml")
    assert f"where {tmp_path}" in told
