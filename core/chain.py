"""The chain of decisions: each holds the hash of the one before it, so none can be changed unseen.

A hash is taken over texts as they are stored. Whoever knows the newest hash, because it stands beside a
printed statement, knows that nothing before it has been changed, left out or put in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from core.errors import DataError

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""What a body may hold; numbers that are not whole are written as exact text."""

BEGINNING: Final = "0" * 64
"""Stands for the hash before the first decision."""


class Head(NamedTuple):
    """The newest decision: its number [1], 0 where there is none, and its hash."""

    number: int
    hash: str

    def __str__(self) -> str:
        """Return it as people print it: the number, and the hash's first half."""
        return f"{self.number} {self.hash[:32]}"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a person, as it is stored.

    Parameters
    ----------
    number
        1 for the first, then one more each [1].
    time_ms
        When it was written [ms since 1970 UTC].
    person
        Who decided.
    account
        Under which account of which machine it was written, ``login@host``.
    kind
        ``plan``, ``import``, ``correction``, ``submit``, ``approve``, ``reopen``, ``restate``, …
    reason
        Why, in the person's words.
    body
        What was decided, as canonical JSON of an object.
    prev
        Hash of the decision before it; `BEGINNING` for the first.
    hash
        SHA-256 of all the rest, 64 hex digits.
    """

    number: int
    time_ms: int
    person: str
    account: str
    kind: str
    reason: str
    body: str
    prev: str
    hash: str

    @property
    def facts(self) -> dict[str, Any]:
        """What was decided."""
        facts: dict[str, Any] = json.loads(self.body)
        return facts

    @property
    def due_hash(self) -> str:
        """The hash that it must have."""
        return link(
            number=self.number,
            time_ms=self.time_ms,
            person=self.person,
            account=self.account,
            kind=self.kind,
            reason=self.reason,
            body=self.body,
            prev=self.prev,
        )


class Break(NamedTuple):
    """A place where a chain does not hold: which decision, and what is wrong with it."""

    number: int
    what: str

    def __str__(self) -> str:
        """Return it as English text."""
        return f"decision {self.number}: {self.what}"


def canonical(body: Json) -> str:
    """Return the one JSON text of a body: keys sorted, no spaces, characters as they are.

    Raises
    ------
    DataError
        If it holds a number that is not whole, another key than text, or what JSON cannot hold.

    Examples
    --------
    >>> canonical({"what": "exclude", "point": "A.active_energy_import", "time_ms": 0})
    '{"point":"A.active_energy_import","time_ms":0,"what":"exclude"}'
    """
    _check(body)
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError("a text that UTF-8 cannot hold", evidence=repr(text[:80])) from error
    return text


def link(
    *, number: int, time_ms: int, person: str, account: str, kind: str, reason: str, body: str, prev: str
) -> str:
    """Return the hash of a decision: SHA-256, hexadecimal, of a canonical list of all the rest.

    Parameters
    ----------
    number
        Of the decision [1].
    time_ms
        When it was written [ms since 1970 UTC].
    person, account, kind, reason
        Texts, as they are stored.
    body
        Canonical JSON, as the text that is stored.
    prev
        Hash of the decision before it.
    """
    text = canonical([number, time_ms, person, account, kind, reason, body, prev])
    return hashlib.sha256(text.encode()).hexdigest()


def problems(decisions: Iterable[Decision]) -> list[Break]:
    """Return where a whole chain, first decision first, does not hold; empty where it does."""
    found: list[Break] = []
    before = Head(0, BEGINNING)
    for each in decisions:
        due = before.number + 1
        if each.number != due:
            lacking = f"{due}" if each.number == due + 1 else f"{due} to {each.number - 1}"
            found.append(
                Break(each.number, f"{lacking} should stand before it")
                if each.number > due
                else Break(each.number, f"it stands where {due} should stand")
            )
        elif each.prev != before.hash:
            found.append(Break(each.number, "it does not follow from the one before it"))
        if each.hash != each.due_hash:
            found.append(Break(each.number, "it is not what was written: its hash is another"))
        elif not _is_canonical(each.body):
            found.append(Break(each.number, "its body is not canonical JSON"))
        before = Head(each.number, each.hash)
    return found


def _is_canonical(body: str) -> bool:
    try:
        facts = json.loads(body)
        return isinstance(facts, dict) and canonical(facts) == body
    except (ValueError, DataError):
        return False


def _check(body: Json) -> None:
    if isinstance(body, Mapping):
        for key, value in body.items():
            if not isinstance(key, str):
                raise DataError("a key that is not text", evidence=repr(key))
            _check(value)
    elif isinstance(body, tuple | list):
        for value in body:
            _check(value)
    elif not (body is None or isinstance(body, bool | int | str)):
        raise DataError(
            "not a value that a decision can hold", evidence=repr(body)[:80], next="write it as exact text"
        )
