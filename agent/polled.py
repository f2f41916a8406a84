"""One device as its bus's poller sees it: read, judged, and handed on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from agent.board import Board, DeviceState
from agent.counters import Event
from agent.deadband import Deadband
from agent.judgement import Judge
from agent.readings import Identity, Scan, Source
from agent.skipping import Skipping
from core.delivery.frames import Lane
from core.errors import Unreachable
from core.runtime.logs import facts

log = logging.getLogger(__name__)

Take = Callable[[Lane, Sequence[Scan], Sequence[Event]], None]

_TELL_AGAIN_MS: Final = 600_000
_TELL_ANYWAY: Final = 3
_PATIENCE_MS: Final = 300
_PATIENCE: Final = 8
_LEAST_MS: Final = 50
_NEVER: Final = -(2**62)


class PolledDevice:
    """A device, what is known of it, and where its readings go.

    Parameters
    ----------
    source
        What it is read from.
    state
        What the board shows of it.
    judge, deadband
        What marks its readings, and what leaves some out.
    board
        Where everybody looks.
    take
        Called with a lane's scans and with events, as soon as they are there.
    now_ms
        The clock that readings carry [ms since 1970 UTC].
    identity_ms
        How often it is asked what it is [ms].
    serial_number
        What it said of itself when it was last asked, in this run or an earlier one.
    expected
        What it should say; None: whatever it says.

    Attributes
    ----------
    identity_due_ms
        When it is to be asked again what it is [ms since 1970 UTC].
    busy
        Whether it is being asked.
    """

    def __init__(
        self,
        source: Source,
        *,
        state: DeviceState,
        judge: Judge,
        deadband: Deadband,
        board: Board,
        take: Take,
        now_ms: Callable[[], int],
        identity_ms: int,
        serial_number: str = "",
        expected: str | None = None,
    ) -> None:
        self.state, self.judge = state, judge
        self.schedules = {lane: schedule for lane, (schedule, _) in state.rounds.items()}
        self.serial_number = serial_number
        self.identity_due_ms = 0
        self.busy = False
        self._source, self._deadband, self._board, self._take = source, deadband, board, take
        self._now_ms, self._identity_ms, self._expected = now_ms, identity_ms, expected
        self._last_ms = dict.fromkeys(Lane, _NEVER)
        self._backwards = dict.fromkeys(Lane, 0)
        self._skipping: dict[Lane, Skipping] = {}
        self._told_ms: int | None = None
        self._is_told = False
        self._wrong_told = ""
        state.reasons = judge.reasons

    @property
    def answers(self) -> bool:
        """Whether its last try was answered."""
        return self.state.state == "good"

    def means_its_bus(self, error: Unreachable) -> bool:
        """Tell whether an error is of all devices of the bus: it names the bus, and no unit on it."""
        return error.where == self._source.bus

    async def read(
        self, lane: Lane, *, within_s: float | None = None, idle_s: Callable[[], float] = lambda: inf
    ) -> None:
        """Read a lane, and hand on what came, also when the device falls silent in the middle.

        A device that answers for the first time, or again, is asked what it is before its readings are
        judged: it may be another meter.

        Parameters
        ----------
        lane
            Which points.
        within_s
            Bound on the wait for a unit that is likely dead [s].
        idle_s
            Returns how long its bus has nothing else to do [s].

        Raises
        ------
        Unreachable
            If it is silent.
        """
        scans: list[Scan] = []
        started_ms = self._now_ms()
        try:
            await self._source.read(lane, scans, within_s=within_s)
            if not self.answers:
                self.judge.appeared(self._now_ms())
                await self.identify(self._now_ms() - started_ms, idle_s())
        finally:
            self._accept(lane, scans)
        if self._skipping:
            self._keeps_up(lane)

    async def identify(self, reading_ms: float, idle_s: float) -> None:
        """Ask the device what it is, and tell if it is another one.

        Parameters
        ----------
        reading_ms
            How long it took to answer something else [ms]: it is not waited for much longer, for many
            devices say nothing to a question that they do not know.
        idle_s
            How long its bus has nothing else to do [s]; where that is too short, it is asked later.
        """
        now_ms = self._now_ms()
        within_s = min(max(_PATIENCE_MS, _PATIENCE * reading_ms) / 1000, idle_s)
        if 1000 * within_s < max(_LEAST_MS, 2 * reading_ms):
            self.identity_due_ms = now_ms
            return
        self.identity_due_ms = now_ms + self._identity_ms
        try:
            identity = await self._source.identify(within_s=within_s)
        except Unreachable as error:
            log.debug("%s does not say what it is", self.state.id, extra=facts(error))
            return
        if identity is not None:
            self._is(identity, now_ms)

    async def close(self) -> None:
        """Let go of it."""
        await self._source.close()

    def answered(self, now_ms: int) -> None:
        """Note an answer; after a silence, tell of it."""
        state = self.state
        state.last_ok_ms = now_ms
        if state.state == "good":
            return
        silent_since_ms, tries = state.silent_since_ms, state.tries
        state.state, state.fault, state.tries = "good", None, 0
        state.silent_since_ms = state.missed_since_ms = state.next_try_ms = None
        if self._is_told and silent_since_ms is not None:
            self._is_told = False
            silent_s = (now_ms - silent_since_ms) / 1000
            log.info(
                "%s answers again after %.0f s and %d tries; its registers went on counting meanwhile",
                state.id,
                silent_s,
                tries,
            )
            self._tell("answers_again", now_ms, silent_since_ms=silent_since_ms, tries=tries)

    def failed(self, error: Unreachable, now_ms: int) -> None:
        """Note a try that was not answered; a silence is told once, and a short one not again and again."""
        state = self.state
        state.fault = error
        state.tries += 1
        if state.silent_since_ms is None:
            state.state, state.silent_since_ms, state.missed_since_ms = "silent", now_ms, now_ms
        again = self._told_ms is not None and now_ms - self._told_ms < _TELL_AGAIN_MS
        if not self._is_told and (not again or state.tries >= _TELL_ANYWAY):
            self._is_told, self._told_ms = True, now_ms
            log.warning("%s is silent: %s", state.id, error.what, extra=facts(error))
            self._tell("silent", state.silent_since_ms, what=error.what, where=error.where)

    def skip(self, lane: Lane, n: int, due_ms: int, now_ms: int) -> None:
        """Note readings that were left out because others took too long."""
        self._board.count(self.state, lane, now_ms, due=n, skipped=n)
        skipping = self._skipping.get(lane)
        if skipping is not None:
            skipping.n += n
            skipping.last_ms = now_ms
            return
        self._skipping[lane] = Skipping(due_ms, now_ms, n)
        log.warning(
            "%s is read slower than its schedule; due %s readings are skipped",
            self.state.id,
            lane.value,
            extra={
                "seen": f"one was not begun within {(now_ms - due_ms) / 1000:.1f} s, and the next was due",
                "cause": "the device or its gateway is slow, or the period is too short",
                "next": f"lengthen {lane.value}.every_s",
            },
        )
        self._tell("skipped", due_ms, lane=lane.value, begins=True)

    def _keeps_up(self, lane: Lane) -> None:
        """Tell that nothing has been skipped for a while."""
        skipping, now_ms = self._skipping.get(lane), self._now_ms()
        if skipping is not None and skipping.is_over(now_ms):
            del self._skipping[lane]
            log.info(
                "%s keeps the schedule of its %s again; %d readings were skipped",
                self.state.id,
                lane.value,
                skipping.n,
            )
            self._tell(
                "skipped", now_ms, lane=lane.value, begins=False, n=skipping.n, since_ms=skipping.since_ms
            )

    def _accept(self, lane: Lane, scans: Sequence[Scan]) -> None:
        """Judge what came and hand it on; times of a point never go back."""
        happened: list[Event] | None = getattr(self._source, "happened", None)
        events: list[Event] = []
        if happened:
            events += happened
            happened.clear()
        before_ms = newest_ms = self._last_ms[lane]
        fresh: list[Scan] = []
        taken: list[Scan] = []
        for scan in scans:
            if scan.time_ms <= before_ms:
                self._backwards[lane] += len(scan.values)
                continue
            newest_ms = max(newest_ms, scan.time_ms)
            fresh.append(scan)
            events += self.judge.judge(scan)
            if lane is not Lane.SAMPLES or self._deadband.select(scan):
                taken.append(scan)
        self._last_ms[lane] = newest_ms
        if fresh and self._backwards[lane]:
            events.append(self._event("skipped", newest_ms, lane=lane.value, reason="clock"))
            events[-1]["n"], self._backwards[lane] = self._backwards[lane], 0
        if self.judge.is_doubtful:
            self.judge.is_doubtful = False
            self.identity_due_ms = 0  # it may be another meter
        self._board.show(self.state, fresh)
        if taken or events:
            self._take(lane, taken, events)

    def _is(self, identity: Identity, now_ms: int) -> None:
        self.state.identity = identity
        serial, known = identity.serial_number, self.serial_number
        if not serial:
            return
        self.serial_number = serial
        if known and serial != known:
            log.warning("%s is another meter: %s, before %s", self.state.id, serial, known)
            self.judge.replaced()
            self._tell("replaced", now_ms, old=known, new=serial)
        if self._expected is not None and serial not in (self._expected, self._wrong_told):
            self._wrong_told = serial
            log.error(
                "%s is not the meter that it should be",
                self.state.id,
                extra={
                    "where": self.state.where,
                    "seen": f"it says {serial}; serial_number is {self._expected}",
                    "cause": "units or cables are mixed up, or the meter was exchanged",
                    "next": "compare with the plate; enter the exchange, or correct the configuration",
                },
            )
            self._tell("wrong_meter", now_ms, seen=serial, expected=self._expected)

    def _tell(self, kind: str, time_ms: int, **evidence: object) -> None:
        self._take(Lane.REGISTERS, (), [self._event(kind, time_ms, **evidence)])

    def _event(self, kind: str, time_ms: int, **evidence: object) -> Event:
        return {"event": kind, "time_ms": time_ms, "device": self.state.id, **evidence}
