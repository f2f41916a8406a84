"""What holds for every file of the tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A module that is longer than this is two modules, unless it is named here with the reason why it is one.
MODULE_LINES = 300
LONGER: dict[str, str] = {
    "collector/evidence/verify.py": "an auditor gets it as one file, and reads it from top to bottom",
}

TEXT = {
    ".cfg",
    ".css",
    ".go",
    ".html",
    ".md",
    ".mod",
    ".po",
    ".py",
    ".sh",
    ".sum",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    "",
}
REGISTRY = re.compile(
    r"pypi\.(org|python)|pythonhosted\.|npmjs\.|proxy\.golang|deb\.debian|static\.crates|repo1?\.maven"
    r"|(?<!emit-)index-url|find-links|GOPROXY\b"
)
MACHINE = re.compile(r"(?<![\w.}~*])/(root|work|home)/\w")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")
WAIVER = re.compile(r"# (noqa|type: ignore)(?P<what>: [A-Z0-9, ]+|\[[a-z-, ]+\])?(?P<reason>.*)")


def tracked(*suffixes: str) -> list[Path]:
    """Return the files that git knows, by suffix."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def where(path: Path, number: int) -> str:
    return f"{path.relative_to(ROOT)}:{number}"


@pytest.mark.parametrize(("what", "pattern"), [("a package registry", REGISTRY), ("one machine", MACHINE)])
def test_no_file_names(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{where(path, number)}: {line.strip()[:80]}"
        for path in tracked(*TEXT)
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"these name {what}"


def test_pages_that_are_named_exist() -> None:
    known = set(tracked(*TEXT))
    dangling = [
        f"{where(path, number)}: {target}"
        for path in tracked(".md", ".py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for target, base in [
            *((link, path.parent) for link in LINK.findall(line) if path.suffix == ".md"),
            *((page, ROOT) for page in PAGE.findall(line)),
        ]
        if not ((found := (base / target).resolve()).is_dir() or found in known)
    ]
    assert not dangling


def test_modules_stay_short_enough_to_read() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked(".py")
        if "tests" not in path.relative_to(ROOT).parts
    }
    longer = {name: count for name, count in lines.items() if count > MODULE_LINES}
    assert longer.keys() == LONGER.keys(), f"to be split, named with a reason, or named no longer: {longer}"


def test_each_waived_rule_says_why() -> None:
    bare = [
        where(path, number)
        for path in tracked(".py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (waiver := WAIVER.search(line)) and not (waiver["what"] and waiver["reason"].strip(" #"))
    ]
    assert not bare, "a rule is waived by its code and with a reason on the same line"
