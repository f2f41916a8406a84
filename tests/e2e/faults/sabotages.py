"""Rules of the protocol broken on purpose, patched in by tests: each must turn the oracle red."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

_SOUND = 5
"""Commits at the beginning that are kept: the tables, the ledger's id."""


def _commits_are_lost() -> None:
    """Acknowledge what was rolled back: the collector's machine stopped after its ack, before its commit."""
    from sqlalchemy.engine.default import DefaultDialect

    from tests.e2e.faults.failpoints import has_written

    commit: Callable[..., None] = DefaultDialect.do_commit
    numbers = count()

    def committing(self: Any, connection: Any) -> None:
        if has_written(connection) and (number := next(numbers)) > _SOUND and number % 3 == 0:
            self.do_rollback(connection)
        else:
            commit(self, connection)

    DefaultDialect.do_commit = committing  # type: ignore[method-assign]  # a patch


def _a_puback_frees() -> None:
    """Let the agent forget what the broker has acknowledged."""
    from agent.uplink import Uplink
    from core.delivery.actions import SendFrames

    do = Uplink._do

    def doing(self: Any, action: Any) -> None:
        do(self, action)
        if isinstance(action, SendFrames) and self._session.connected:
            for first, end in action.spans:
                self._sender.on_gone(action.lane, action.epoch, first, end)
                self._store.free(action.lane, action.epoch, first, end)

    Uplink._do = doing  # type: ignore[method-assign]  # a patch


SABOTAGES: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"commits are lost": _commits_are_lost, "a puback frees": _a_puback_frees}
)


def commit(name: str) -> None:
    """Break a rule in this process."""
    SABOTAGES[name]()
