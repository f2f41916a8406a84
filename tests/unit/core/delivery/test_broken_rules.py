"""Each rule broken once: what tries the protocol must find it, or it proves nothing."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.unit.core.delivery.broken import BROKEN, Broken
from tests.unit.core.delivery.test_protocol import run

# One takes minutes; `test_killed_at_any_step_of_a_full_disk` finds it at once.
RULES = [
    pytest.param(broken, id=name, marks=[pytest.mark.slow] if broken.number > 10 else [])
    for name, broken in BROKEN.items()
]


@pytest.mark.parametrize("broken", RULES)
def test_a_broken_rule_is_found(tmp_path: Path, broken: Broken) -> None:
    part = patch(broken.place, broken.part) if broken.place else nullcontext()
    with part, pytest.raises(AssertionError):
        run(tmp_path, broken.number, 400, broken.world)
