"""Each install is pinned to the byte, and the edge stays small."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("edge", "collector", "hq", "demo", "dev")
REQUIREMENT = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)(?P<marker> ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def pinned(layer: str) -> dict[str, str]:
    """Return name and version of all that a lock file installs; refuse every line of another form."""
    versions: dict[str, str] = {}
    hashes: dict[str, int] = {}
    name = ""
    for line in (ROOT / f"lock/{layer}.txt").read_text().splitlines():
        if match := REQUIREMENT.fullmatch(line):
            name = match["name"]
            versions[name] = match["version"]
        elif HASH.fullmatch(line):
            hashes[name] = hashes.get(name, 0) + 1
        else:
            assert not line.strip() or line.lstrip().startswith("#"), f"lock/{layer}.txt: {line}"
    assert versions.keys() == hashes.keys()
    return versions


@pytest.mark.parametrize("layer", LAYERS)
def test_a_lock_has_hashes_for_all_and_no_address(layer: str) -> None:
    assert "setuptools" in pinned(layer), "the build backend belongs to what is installed"
    assert "://" not in (ROOT / f"lock/{layer}.txt").read_text()


def test_layers_agree_and_grow() -> None:
    for smaller, larger in pairwise(LAYERS):
        assert pinned(smaller).items() <= pinned(larger).items()


def test_the_edge_has_no_web_database_or_data_frames() -> None:
    heavy = {
        "starlette",
        "jinja2",
        "sqlalchemy",
        "alembic",
        "aiohttp",
        "psycopg",
        "pandas",
        "numpy",
        "pyarrow",
    }
    assert not heavy & pinned("edge").keys()


EDGE_ONLY = """
import importlib, importlib.abc, importlib.metadata, pkgutil, re, sys

allowed = set(sys.argv[1].split(","))

class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not part of an edge install")

def normal(name):
    return re.sub("[-_.]+", "-", name).lower()

blocked = {
    top
    for top, owners in importlib.metadata.packages_distributions().items()
    if not allowed & {normal(owner) for owner in owners}
} - {"agent", "config", "core", "seiren"}
sys.meta_path.insert(0, NotInstalled())

for package in ("agent", "config", "core"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
import seiren
sys.argv = ["seiren", *sys.argv[2:]]
seiren.main()
"""


def test_an_agent_runs_on_the_edge_install_alone() -> None:
    command = [sys.executable, "-c", EDGE_ONLY, ",".join(pinned("edge")), "agent", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_an_install_has_every_file_of_its_packages(tmp_path: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    tracked = {name for name in names.split("\0") if name and (ROOT / name).is_file()}
    for name in tracked:
        copy = tmp_path / "tree" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, tmp_path / "tree"], check=True, timeout=120)
    (wheel,) = tmp_path.glob("seiren-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = {"agent", "collector", "config", "core", "simulators", "seiren.py"}
    assert packed == {name for name in tracked if Path(name).parts[0] in packages}
