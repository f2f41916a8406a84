"""A ledger's folder as commands take it: its `hq.yaml`, and the ledger beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from collector.ledger import Ledger, open_ledger
from collector.table import Form
from config.hq import HqConfig, load_hq
from core.errors import UsageError

DEFAULT_FOLDER = Path("demo-out")

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The ledger's folder, with its hq.yaml.")]
LedgerOption = Annotated[Path, typer.Option("--ledger", metavar="FOLDER", help="The ledger's folder.")]
FormOption = Annotated[Form, typer.Option("--format", help="table, json or csv.")]


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Iterator[tuple[Ledger, HqConfig]]:
    """Give the ledger of a folder and its configuration, and close the ledger at the end.

    Raises
    ------
    UsageError
        The folder is none of a ledger, or its `hq.yaml` is wrong.
    Unreachable, OutsideError
        The ledger failed.
    """
    hq = configured(folder)
    ledger = open_ledger(folder, hq, create=create)
    try:
        yield ledger, hq
    finally:
        ledger.close()


def configured(folder: Path) -> HqConfig:
    """Return the configuration of a ledger's folder.

    Raises
    ------
    UsageError
        The folder is none of a ledger, or its `hq.yaml` is wrong.
    """
    if not folder.is_dir():
        raise UsageError(
            "there is no such folder",
            where=str(folder),
            cause="" if folder != DEFAULT_FOLDER else "no folder was named, and no demo has run here",
            next="name the ledger's folder, or make one: seiren demo",
        )
    if not (folder / "hq.yaml").is_file():
        raise UsageError(
            "this folder has no hq.yaml, so it is no ledger's",
            where=str(folder),
            next="write hq.yaml as docs/guide-hq.md shows, or name another folder",
        )
    return load_hq(folder)
