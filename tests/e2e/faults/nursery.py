"""Where processes of the product are born quickly, and killed: it has the product imported, and forks.

Started as a program of its own. Each line of JSON on standard input starts a process (see `Wanted`), which is
told as ``{"born": PID}``; each end as ``{"ended": PID, "code": …}``, negative for a signal. When standard
input ends, so do all of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[3]
PROFILE = "abb_b23"
"""Of the meters, so that it need be read once only."""

PATIENCE_S = 20.0
"""How long meters are waited for: they are no part of these faults [s]."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A process to start.

    Parameters
    ----------
    words
        The command line after ``seiren``.
    log
        Where its output goes.
    failpoints
        Steps, each with when and nth: at the first that it reaches it kills itself.
    is_quick
        Whether delivery's timers are short: so that rounds take seconds, and the same things happen.
    sabotage
        A rule of the protocol that it breaks, for negative controls.
    """

    words: tuple[str, ...]
    log: str
    failpoints: Sequence[tuple[str, str, int]] = ()
    is_quick: bool = True
    sabotage: str | None = None

    def line(self) -> bytes:
        """Return it as the nursery reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


def last_words(log: str) -> Path:
    """Return where a process writes at which failpoint it dies."""
    return Path(f"{log}.last")


def serve() -> None:
    """Start what is asked for until standard input ends."""
    sys.path.insert(0, str(ROOT))
    _import_product()
    signal.signal(signal.SIGCHLD, _tell_ends)
    children: list[int] = []
    for line in sys.stdin:
        wanted = Wanted(**json.loads(line))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        if (child := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _live(wanted)
        children.append(child)
        _say(born=child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _tell_ends(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        _say(ended=child, code=os.waitstatus_to_exitcode(status))


def _say(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")  # one write: it may interrupt another


def _import_product() -> None:
    """Import what any process needs, so that none of them has to."""
    import agent.cli
    import collector.cli
    import collector.ledger.database
    import collector.stores
    import seiren
    from config.loading import load_profile

    for module in (seiren, agent.cli, collector.cli, collector.stores, collector.ledger.database):
        assert module
    load_profile(PROFILE)


def _live(wanted: Wanted) -> None:
    """Be the process that was asked for; never returns."""
    code = 70
    try:
        with open(wanted.log, "ab") as log, open(os.devnull, "rb") as nothing:  # noqa: PTH123  after a fork
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os.dup2(nothing.fileno(), 0)
        random.seed()
        _prepare(wanted)
        sys.argv = ["seiren", *wanted.words]
        import seiren

        seiren.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  whatever it is, it belongs into the log and not into the nursery
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _prepare(wanted: Wanted) -> None:
    import agent.modbus.timing as timing
    from tests.e2e.faults import failpoints, sabotages

    timing.SHORTEST_S = PATIENCE_S  # type: ignore[misc]  # a patch: a busy machine makes no meter silent
    if wanted.is_quick:
        _be_quick()
    failpoints.install((failpoints.Failpoint(*each) for each in wanted.failpoints), last_words(wanted.log))
    if wanted.sabotage:
        sabotages.commit(wanted.sabotage)


def _be_quick() -> None:
    """Shorten delivery's timers and the spool's files, so that in seconds happens what takes minutes."""
    import collector.service as service
    import core.runtime.mqtt as mqtt
    from agent.spool import Spool
    from agent.uplink import Uplink
    from collector.projector import Projector
    from core.delivery.actions import SenderSettings

    mqtt._LONGEST_PAUSE_S = 0.5
    service._LIFE_EVERY_S = 1.0
    settings = SenderSettings(timeout_ms=1_000, longest_ms=2_000, linger_ms=100, head_ms=100, renew_ms=500)
    _give(mqtt.MqttSession, keepalive_s=2)
    _give(Uplink, settings=settings)
    _give(Spool, segment_bytes=8_192)
    _give(Projector, every_s=0.1)


def _give(kind: Any, **settings: Any) -> None:
    """Let all new objects of a kind have other defaults."""
    init = kind.__init__

    @wraps(init)
    def initialise(self: Any, *arguments: Any, **more: Any) -> None:
        init(self, *arguments, **{**settings, **more})

    kind.__init__ = initialise


if __name__ == "__main__":
    serve()
