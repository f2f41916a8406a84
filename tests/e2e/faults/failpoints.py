"""Steps of a running agent or collector at which it kills itself, as a power cut would; patched in by tests.

A step is something that leaves a trace outside the process: a write, a sync, a name, a message, a commit.
Steps are found where they leave the product (system calls, the driver's commit, the MQTT session), so that
they are still all there when the product's own functions have been moved.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AGENT_STEPS = (
    "append",
    "sync frames",
    "sync epochs",
    "sync table",
    "sync folder",
    "rename",
    "unlink",
    "publish data",
    "publish table",
    "publish inventory",
    "publish head",
    "hear ack",
    "hear want",
    "hear life",
)
COLLECTOR_STEPS = (
    "hear data",
    "hear table",
    "hear inventory",
    "hear head",
    "commit",
    "store",
    "publish ack",
    "publish want",
    "publish life",
)
WHEN = ("before", "after")


@dataclass(frozen=True, slots=True)
class Failpoint:
    """A step, by how often it was reached.

    Parameters
    ----------
    step
        One of `AGENT_STEPS` or `COLLECTOR_STEPS`.
    when
        ``before``; ``after``; of an append also ``within``, when half of it is written.
    nth
        At which occurrence, from 1 on.
    """

    step: str
    when: str
    nth: int

    def __str__(self) -> str:
        return f"{self.when} {self.step} {self.nth}"


_counts: Counter[tuple[str, str]] = Counter()
_chosen: frozenset[Failpoint] = frozenset()
_last_words: Path | None = None


def install(chosen: Iterable[Failpoint], last_words: Path) -> None:
    """Patch all steps of this process; at the first that is chosen it writes which it is, and is dead."""
    global _chosen, _last_words
    _chosen, _last_words = frozenset(chosen), last_words
    _install_system_calls()
    _install_session()
    _install_databases()


def _reached(step: str, when: str) -> Failpoint | None:
    """Count a step; return it if it is chosen."""
    _counts[step, when] += 1
    here = Failpoint(step, when, _counts[step, when])
    return here if here in _chosen else None


def _pass(step: str, when: str) -> None:
    if (here := _reached(step, when)) is not None:
        _die(here)


def _die(here: Failpoint) -> None:
    assert _last_words is not None
    _last_words.write_text(json.dumps([here.step, here.when, here.nth]), encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)


def _file_kind(path: str) -> str:
    name = os.path.basename(path)  # noqa: PTH119  in a patch of what pathlib itself calls
    if name.endswith(".frames"):
        return "frames"
    if name.startswith("epochs.log"):
        return "epochs"
    if "/tables/" in path:
        return "table"
    return "folder" if os.path.isdir(path) else "other"  # noqa: PTH112  as above


def _install_system_calls() -> None:
    write = os.write

    def writing(descriptor: int, data: Any) -> int:
        if not os.readlink(f"/proc/self/fd/{descriptor}").endswith(".frames"):  # noqa: PTH115  as above
            return write(descriptor, data)
        _pass("append", "before")
        if (here := _reached("append", "within")) is not None:
            write(descriptor, bytes(data)[: len(data) // 2])
            _die(here)
        written = write(descriptor, data)
        _pass("append", "after")
        return written

    def around(call: Callable[..., Any], step_of: Callable[[Any], str]) -> Callable[..., Any]:
        @functools.wraps(call)
        def calling(what: Any, *rest: Any, **more: Any) -> Any:
            step = step_of(what)
            _pass(step, "before")
            done = call(what, *rest, **more)
            _pass(step, "after")
            return done

        return calling

    def sync_step(descriptor: int) -> str:
        return f"sync {_file_kind(os.readlink(f'/proc/self/fd/{descriptor}'))}"  # noqa: PTH115  as above

    os.write = writing
    os.fsync = around(os.fsync, sync_step)
    os.fdatasync = around(os.fdatasync, sync_step)
    os.replace = around(os.replace, lambda _: "rename")
    os.unlink = around(os.unlink, lambda _: "unlink")


def _install_session() -> None:
    from core.runtime.mqtt import MqttSession

    publish, init = MqttSession.publish, MqttSession.__init__

    def publishing(self: MqttSession, topic: str, payload: bytes, **more: Any) -> Any:
        step = f"publish {_message_kind(topic, payload)}"
        _pass(step, "before")
        done = publish(self, topic, payload, **more)
        _pass(step, "after")
        return done

    def initialise(self: MqttSession, *arguments: Any, **more: Any) -> None:
        heard = more.get("on_message")
        if heard is not None:

            def hearing(topic: str, payload: bytes) -> None:
                step = f"hear {_message_kind(topic, payload)}"
                _pass(step, "before")
                heard(topic, payload)
                _pass(step, "after")

            more["on_message"] = hearing
        init(self, *arguments, **more)

    MqttSession.publish = publishing  # type: ignore[method-assign]  # a patch
    MqttSession.__init__ = initialise  # type: ignore[method-assign]  # a patch


def _message_kind(topic: str, payload: bytes) -> str:
    from core.delivery import messages
    from core.errors import WireError

    if topic.endswith("/status") and "/collectors/" in topic:
        return "life"
    try:
        return messages.decode(payload).kind
    except WireError:
        return "garbage"


_changes: dict[int, int] = {}


def has_written(connection: Any) -> bool:
    """Tell whether a database connection has written since it was last asked about."""
    total = getattr(connection, "total_changes", None)  # SQLite counts its changes; others always write
    if total is None:
        return True
    before = _changes.get(id(connection.dbapi_connection), 0)
    _changes[id(connection.dbapi_connection)] = total
    return bool(total != before)


def _install_databases() -> None:
    try:
        from sqlalchemy.engine.default import DefaultDialect

        from collector.stores.influxdb import InfluxStore
        from collector.stores.sqlite import SqliteStore
    except ImportError:
        return  # an agent's machine has neither

    commit: Callable[..., None] = DefaultDialect.do_commit

    def committing(self: Any, connection: Any) -> None:
        writes = has_written(connection)
        if writes:
            _pass("commit", "before")
        commit(self, connection)
        if writes:
            _pass("commit", "after")

    DefaultDialect.do_commit = committing  # type: ignore[method-assign]  # a patch
    for store in (SqliteStore, InfluxStore):
        store.write = _writing(store.write)  # type: ignore[method-assign]  # a patch


def _writing(write: Callable[..., Any]) -> Callable[..., Any]:
    async def writing(self: Any, rows: Any, *more: Any, **also: Any) -> Any:
        _pass("store", "before")
        done = await write(self, rows, *more, **also)
        _pass("store", "after")
        return done

    return writing
