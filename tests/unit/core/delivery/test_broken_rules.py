"""Each rule broken once: what tries the protocol must find it, or it proves nothing."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import Phase

from tests.unit.core.delivery.broken import BROKEN, Broken
from tests.unit.core.delivery.test_protocol import run


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_found(tmp_path: Path, broken: Broken) -> None:
    part = patch(broken.place, broken.part) if broken.place else nullcontext()
    with part, pytest.raises(AssertionError):
        run(tmp_path, broken.number, 400, broken.world, phases=[Phase.generate])
