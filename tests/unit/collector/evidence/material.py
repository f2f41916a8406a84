"""Months of earlier releases, and evidence taken apart and put together again."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from collector.evidence import verify
from collector.evidence.archive import MANIFEST
from collector.ledger.files import FILE_NAME

DATA = Path(__file__).parents[3] / "data"
FEBRUARY = "2024-02"
Files = Mapping[str, bytes]


def restored(release: str, folder: Path) -> Path:
    """Make the folder of a ledger as an earlier release left it, with a whole month."""
    folder.mkdir()
    (folder / "hq.yaml").write_bytes((DATA / release / "hq.yaml").read_bytes())
    database = sqlite3.connect(folder / FILE_NAME)
    database.executescript((DATA / release / "ledger.sql").read_text(encoding="utf-8"))
    database.close()
    return folder


def files_of(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive by name."""
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(path: Path, files: Files) -> Path:
    """Write files into an archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(held.getvalue())
    return path


def with_manifest(files: Files) -> dict[str, bytes]:
    """Return files with a manifest that fits them, as a forger would write it."""
    rest = {name: content for name, content in files.items() if name != MANIFEST}
    lines = (f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(rest.items()))
    return rest | {MANIFEST: "".join(lines).encode()}


def changed(files: Files, name: str, old: str, new: str) -> dict[str, bytes]:
    """Return files in one of which a text is another one, and the manifest fits."""
    text = files[name].decode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    return with_manifest({**files, name: text.replace(old, new).encode()})


def wrong(path: Path, files: Files, head: str = "") -> list[str]:
    """Return what differs in some evidence."""
    return verify.Check(packed(path / "evidence.zip", files), head).wrong
