"""What only a person can put right about the ledgers, told once, and again when it comes back."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agent.known_ledgers import KnownLedgers

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How a required ledger is.

    Parameters
    ----------
    alive
        Whether its collector said lately that it is there.
    heard_s_ago
        How long ago it said something [s]; None: never in this run.
    untrusted_id
        Id of the ledger that speaks under the name, where it is delivered to and frees nothing; else None.
    in_turn
        Whether two collectors speak under the name in turn.
    """

    alive: bool
    heard_s_ago: float | None
    untrusted_id: str | None
    in_turn: bool


class LedgerAlarms:
    """Tells of ledgers that are not trusted, of collectors that share a name, of answers out of nowhere.

    Parameters
    ----------
    known
        Where it is written down who waits to be trusted.
    """

    def __init__(self, known: KnownLedgers) -> None:
        self._known = known
        self._untrusted: dict[str, str] = {}
        self._in_turn: set[str] = set()
        self._strange = 0

    def look(self, untrusted: Mapping[str, str], in_turn: Collection[str], strange_answers: int) -> None:
        """Tell of what is new.

        Parameters
        ----------
        untrusted
            Id of the ledger that is not trusted, by name.
        in_turn
            Names under which two collectors speak in turn.
        strange_answers
            Answers so far of lives that nobody announced [1].

        Raises
        ------
        OutsideError
            If the disk refuses.
        """
        for name in self._in_turn.symmetric_difference(in_turn):
            self._tell_in_turn(name, begins=name in in_turn)
        self._in_turn = set(in_turn)
        for name in self._untrusted.keys() | untrusted.keys():
            ledger_id = untrusted.get(name)
            if ledger_id != self._untrusted.get(name):
                self._known.let_wait(name, ledger_id)
                self._tell_untrusted(name, ledger_id)
        self._untrusted = dict(untrusted)
        if strange_answers and not self._strange:
            _LOG.warning(
                "an answer was ignored: no collector has announced the life that it names",
                extra={
                    "cause": "it came late, or somebody who is no collector may publish answers",
                    "next": "if it comes again and again: see the broker's ACL, docs/security.md",
                },
            )
        self._strange = strange_answers

    def _tell_in_turn(self, name: str, *, begins: bool) -> None:
        if not begins:
            _LOG.info("one collector calls itself %s", name)
            return
        _LOG.error(
            "two collectors call themselves %s",
            name,
            extra={
                "seen": "two lives speak in turn; each makes the agent take back what the other said",
                "cause": "a copy of the ledger was started beside the original",
                "next": f"stop one of the collectors called {name}",
            },
        )

    def _tell_untrusted(self, name: str, ledger_id: str | None) -> None:
        if ledger_id is None:
            _LOG.info("the ledger that calls itself %s is trusted", name)
            return
        _LOG.error(
            "another ledger than before calls itself %s: it is delivered to, and frees nothing",
            name,
            extra={
                "seen": f"ledger {ledger_id}",
                "next": f"ask headquarters whether its ledger is new; then seiren agent trust {name}",
            },
        )
