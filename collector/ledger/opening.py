"""Which ledger a folder's configuration means."""

from __future__ import annotations

from pathlib import Path

from collector.ledger.ledger import Ledger
from config.hq import HqConfig


def open_ledger(folder: Path, hq: HqConfig, *, create: bool = False) -> Ledger:
    """Open the ledger of a folder, or the one at the address that its configuration names.

    Raises
    ------
    ConfigError
        The file with the address cannot be read.
    Unreachable
        The database does not answer, or another program keeps it locked.
    OutsideError
        There is no ledger, or it is none of this release.
    """
    return Ledger.open(hq.ledger.address() or folder, create=create)
