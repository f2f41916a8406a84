"""Rules of the protocol broken on purpose, patched in by tests: each must turn the oracle red."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any


def _acks_without_commits() -> None:
    """Acknowledge frames that are not committed: every other time, as a collector that is killed between."""
    from collector.ledger import delivery

    write, numbers = delivery.write, count()

    def writing(connection: Any, decision: Any, *rest: Any, **more: Any) -> Any:
        if decision.frames and next(numbers) % 2:
            return None
        return write(connection, decision, *rest, **more)

    delivery.write = writing


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
    {"acks without commits": _acks_without_commits, "a puback frees": _a_puback_frees}
)


def commit(name: str) -> None:
    """Break a rule in this process."""
    SABOTAGES[name]()
