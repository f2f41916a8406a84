"""verify.py: it recomputes the month, and names whatever was changed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from collector.evidence import verify
from collector.evidence.archive import MANIFEST, VERIFIER
from core.chain import canonical, link
from tests.unit.collector.closings import INTAKE
from tests.unit.collector.evidence.material import Files, changed, packed, with_manifest, wrong

USED, WHOLE = f"inputs/readings/{INTAKE}.csv", f"cells/{INTAKE}.csv"
READING = "2024-02-29T23:59:58+09:00,"


def test_nothing_differs(tmp_path: Path, closed: tuple[Mapping[str, bytes], str]) -> None:
    files, head = closed
    assert wrong(tmp_path, files) == []
    assert wrong(tmp_path, files, head) == []


def flips(files: Files, seed: int, count: int) -> list[tuple[str, int, int]]:
    """Return places in files and bits to flip there: the ends of each file, then anywhere."""
    random = Random(seed)
    names = sorted(files)
    ends = [(name, at, 1) for name in names for at in (0, len(files[name]) - 1)]
    return ends + [
        (name := random.choice(names), random.randrange(len(files[name])), 1 << random.randrange(8))
        for _ in range(count)
    ]


def named_after_flip(folder: Path, files: Files, place: tuple[str, int, int]) -> list[str]:
    """Return what is named when one bit of one file is another."""
    name, at, bit = place
    content = bytearray(files[name])
    content[at] ^= bit
    return wrong(folder, {**files, name: bytes(content)})


@pytest.mark.parametrize("part", range(3))
def test_any_byte_of_any_file_that_is_changed_is_named(tmp_path: Path, files: Files, part: int) -> None:
    for place in flips(files, seed=part, count=12)[part::3]:
        told = named_after_flip(tmp_path, files, place)
        assert any(place[0] in line for line in told), (place, told)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_any_byte_of_any_file_many(tmp_path: Path, files: Files, seed: int) -> None:
    for place in flips(files, seed=100 + seed, count=500):
        assert any(place[0] in line for line in named_after_flip(tmp_path, files, place)), place


def test_a_file_that_is_gone_is_named(tmp_path: Path, files: Files) -> None:
    for name in (
        MANIFEST,
        "statement.json",
        "decisions.jsonl",
        "inputs/month.json",
        "bills.csv",
        USED,
        WHOLE,
    ):
        assert any(name in line for line in wrong(tmp_path, {n: c for n, c in files.items() if n != name}))


def test_a_file_that_was_put_in_or_stands_twice_is_named(tmp_path: Path, files: Files) -> None:
    assert any("more.txt" in line for line in wrong(tmp_path, {**files, "more.txt": b"more"}))
    path = packed(tmp_path / "twice.zip", files)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("statement.json", b"{}")
    assert any("statement.json: it is there twice" in line for line in verify.Check(path).wrong)


FORGERIES = [
    # What a forger changes, and what gives him away although the manifest fits.
    (USED, f"{READING}12063", f"{READING}12062", "statement.json"),
    (WHOLE, f"{READING}12063", f"{READING}12062", "these are not the readings"),
    ("inputs/fuels.csv", ",12.4,kL,", ",11.4,kL,", "inputs/fuels.csv line 2: its id"),
    ("inputs/production.csv", ",410.5,t,", ",420.5,t,", "inputs/production.csv line 2: its id"),
    ("inputs/installations.csv", ",80,60,400/5", ",60,60,400/5", "statement.json"),
    ("inputs/electricity_factors.csv", "2023,0.421,", "2023,0.241,", "statement.json"),
    ("inputs/fuel_factors.csv", "SHK2023,kL,38.9,", "SHK2023,kL,38.8,", "statement.json"),
    ("inputs/plan.json", '"2024-02": "310"', '"2024-02": "600"', "statement.json"),
    ("inputs/month.json", '"closed": true', '"closed": false', "statement.json"),
    ("inputs/cells.csv", ",66,67,c4", ",66,68,c4", "inputs/cells.csv line"),
    (
        "decisions.jsonl",
        '"kind":"submit","number":4,"person":"sato"',
        '"kind":"submit","number":4,"person":"tanaka"',
        "decisions.jsonl line 4: it is not what was decided",
    ),
    ("statement.json", '"printed": "580"', '"printed": "579"', "in co2, from all readings"),
]


@pytest.mark.parametrize(("name", "old", "new", "told"), FORGERIES, ids=[each[0] for each in FORGERIES])
def test_a_forgery_under_a_manifest_that_fits_is_named(
    tmp_path: Path, files: Files, name: str, old: str, new: str, told: str
) -> None:
    found = wrong(tmp_path, changed(files, name, old, new))
    assert any(told in line for line in found), found
    assert name.startswith(("cells/", "decisions")) or any("approved" in line for line in found), found


def forged(files: Files) -> dict[str, bytes]:
    """Return a month in which a reading was changed and everything that follows was made anew."""
    lower = f"{READING}12062,0"
    made = changed(files, USED, f"{READING}12063,0", lower)
    made = changed(made, WHOLE, f"{READING}12063,0", lower)
    rows = verify.Evidence.of(made).readings(WHOLE)
    was = verify.content_hash(INTAKE, verify.Evidence.of(files).readings(WHOLE))[1]
    made = changed(made, "inputs/cells.csv", was, verify.content_hash(INTAKE, rows)[1])
    evidence = verify.Evidence.of(made)
    versions = {sha256(canonical(evidence.json("inputs/plan.json")).encode()).hexdigest(): 1}
    statement = verify.Statement(evidence, lambda point: evidence.readings(_used(point)), versions)
    text = verify.statement_text(statement.document())
    return with_manifest({**made, "statement.json": text.encode()})


def _used(point: str) -> str:
    return f"inputs/readings/{point}.csv"


def test_a_month_made_anew_is_not_what_was_approved(tmp_path: Path, files: Files) -> None:
    made = forged(files)
    assert made["statement.json"] != files["statement.json"]
    assert wrong(tmp_path, made) == [
        "statement.json: it is not what decisions.jsonl line 5 approved",
        "inputs/: it is not what decisions.jsonl line 5 approved",
    ]


def test_decisions_made_anew_end_with_another_head(
    tmp_path: Path, closed: tuple[Mapping[str, bytes], str]
) -> None:
    files, head = closed
    made = forged(files)
    texts = {name: content.decode() for name, content in made.items() if name.startswith("inputs/")}
    lines, prev = [], "0" * 64
    for line in made["decisions.jsonl"].decode().splitlines():
        each = json.loads(line)
        body = json.loads(each["body"])
        if "statement" in body:
            body["statement"] = sha256(made["statement.json"]).hexdigest()
        if "inputs" in body:
            body["inputs"] = sha256(canonical(texts).encode()).hexdigest()
        each |= {"body": canonical(body), "prev": prev}
        del each["hash"]
        prev = link(**each)
        lines.append(canonical(each | {"hash": prev}) + "\n")
    made = with_manifest({**made, "decisions.jsonl": "".join(lines).encode()})
    assert wrong(tmp_path, made) == []  # it agrees with itself, and only the printed head gives it away
    assert any(head in line for line in wrong(tmp_path, made, head))


def test_evidence_that_breaks_its_reader_is_named(tmp_path: Path, files: Files) -> None:
    nested = b"[" * 100_000
    for name, content in {
        "inputs/plan.json": nested,
        "inputs/month.json": b"[]",
        "decisions.jsonl": nested,
        "statement.json": b"\xff",
        USED: b"time,count,quality\n2024-02-30T00:00:00+09:00,1,0\n",
        WHOLE: b"time,count,quality\n2024-02-01T00:00:00+09:00,1e9999999,0\n",
        "inputs/fuels.csv": b'id,"\n',
    }.items():
        found = wrong(tmp_path, with_manifest({**files, name: content}))
        assert found, name


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run verify.py as an auditor does: alone, without this project on its path."""
    command = [sys.executable, "-I", "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_stranger_runs_the_one_file(tmp_path: Path, closed: tuple[Mapping[str, bytes], str]) -> None:
    files, head = closed
    assert files["verify.py"] == VERIFIER.read_bytes()
    with zipfile.ZipFile(packed(tmp_path / "evidence.zip", files)) as archive:
        archive.extractall(tmp_path / "here")
    done = run(tmp_path / "here", "--head", head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the statement follows from all readings, to the last byte" in done.stdout
    assert done.stdout.endswith("all is as it should be\n")
    statement = tmp_path / "here/statement.json"
    statement.write_bytes(statement.read_bytes().replace(b'"580"', b'"581"'))
    done = run(tmp_path / "here")
    assert done.returncode == 1
    assert 'DIFFERS statement.json line 53: "printed": "581", in co2, from all readings' in done.stdout
    assert run(tmp_path / "here", "nowhere.zip").returncode == 3
    assert run(tmp_path / "here", "one", "two").returncode == 2
    assert MANIFEST in done.stdout


def test_it_needs_nothing_but_the_standard_library() -> None:
    imported = {
        line.split()[1].partition(".")[0]
        for line in VERIFIER.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names
