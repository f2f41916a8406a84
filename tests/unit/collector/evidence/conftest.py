"""The evidence of one closed month, made once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from collector.evidence.archive import export
from collector.ledger import Ledger
from config.hq import load_hq
from tests.unit.collector.closings import close
from tests.unit.collector.evidence.material import FEBRUARY, files_of, restored


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, bytes], str]:
    """Files of a closed month's evidence, and the chain's head as it is printed."""
    folder = restored("month-0002", tmp_path_factory.mktemp("closed") / "works")
    hq = load_hq(folder)
    ledger = Ledger.open(folder)
    close(ledger, hq, FEBRUARY)
    done = export(ledger, hq, FEBRUARY, folder / "evidence.zip")
    ledger.close()
    return MappingProxyType(files_of(done.path)), done.head.hash[:32]


@pytest.fixture
def files(closed: tuple[Mapping[str, bytes], str]) -> Mapping[str, bytes]:
    """Files of a closed month's evidence."""
    return closed[0]
