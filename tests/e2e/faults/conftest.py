"""What the rounds share: one nursery, and one run without any fault to be like."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults import oracle
from tests.e2e.faults.brokers import make_site
from tests.e2e.faults.oracle import Seen
from tests.e2e.faults.processes import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where processes of the product are born."""
    with Nursery() as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What a run without any fault leaves."""
    return asyncio.run(_undisturbed(nursery, tmp_path_factory.mktemp("undisturbed")))


async def _undisturbed(nursery: Nursery, folder: Path) -> Seen:
    async with make_site(folder, nursery) as site:
        site.run()
        await site.until(site.end_ms)
        await site.drained(lambda: oracle.has_newest(site))
        assert [await site.stop(name) for name in site.members] == [0, 0]
        seen = await oracle.look(site)
        assert oracle.wrong(site, seen, None, {}) == []
        assert {None} & set(seen.half_hours["M-1-1"]) == set()
        return seen
