"""Versions of the monitoring plan in the ledger, and which of them the configuration is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from collector.ledger import Ledger, decisions
from collector.people import Who
from config.hq import HqConfig
from config.plan import plan_document
from config.plan_words import differences
from core.carbon.inputs import PlanVersion
from core.chain import Decision, Json
from core.errors import AnswerIsNo, UsageError

KIND: Final = "plan"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A version of the plan that a person adopted.

    Parameters
    ----------
    version
        1 for the first, then one more each [1].
    digest
        SHA-256 of its canonical JSON, hexadecimal.
    document
        The plan itself.
    decision
        By which it was adopted.
    """

    version: int
    digest: str
    document: Mapping[str, Any]
    decision: Decision


def versions(connection: Connection) -> tuple[Adopted, ...]:
    """Return all adopted versions, oldest first."""
    return tuple(map(_adopted, decisions.read(connection, (KIND,))))


def newest(connection: Connection) -> Adopted | None:
    """Return the version in force; None before the first."""
    decision = decisions.newest(connection, KIND)
    return None if decision is None else _adopted(decision)


def version(connection: Connection, number: int) -> Adopted:
    """Return one version.

    Raises
    ------
    UsageError
        There is no such version.
    """
    found = versions(connection)
    for each in found:
        if each.version == number:
            return each
    raise UsageError(
        f"the plan has no version {number}",
        evidence=f"it has 1 to {len(found)}" if found else "none was adopted yet",
        next="seiren plan show",
    )


def cited(connection: Connection, hq: HqConfig) -> PlanVersion:
    """Return what a statement that is made by this configuration says of its plan.

    Raises
    ------
    ConfigError
        A profile is unknown or does not hold a quantity.
    """
    adopted = newest(connection)
    same = adopted is not None and adopted.digest == hq.plan_digest
    return PlanVersion(adopted.version if adopted is not None and same else None, hq.plan_digest)


def changes(connection: Connection, hq: HqConfig) -> tuple[str, ...]:
    """Return in words what the configuration changes of the version in force; empty where nothing.

    Raises
    ------
    ConfigError
        A profile is unknown or does not hold a quantity.
    """
    adopted = newest(connection)
    return differences({} if adopted is None else adopted.document, plan_document(hq))


def adopt(ledger: Ledger, hq: HqConfig, *, who: Who, reason: str, time_ms: int) -> Adopted:
    """Put the configuration's plan into the chain as a new version.

    Where the version in force names approvers, only they may; of the first version those that it names.

    Raises
    ------
    AnswerIsNo
        It is the version in force already, or the person may not adopt plans.
    ConfigError
        A profile is unknown or does not hold a quantity.
    Unreachable, OutsideError
        The ledger failed.
    """
    document, digest = plan_document(hq), hq.plan_digest
    with ledger.writing() as connection:
        before = newest(connection)
        if before is not None and before.digest == digest:
            raise AnswerIsNo(
                f"this plan is version {before.version} already",
                evidence=f"digest {digest[:16]}, adopted by {before.decision.person}",
                next="nothing is to be done",
            )
        roles = (document if before is None else before.document).get("roles", {})
        if roles and "approver" not in roles.get(who.person, ()):
            approvers = sorted(person for person, held in roles.items() if "approver" in held)
            raise AnswerIsNo(
                f"{who.person} may not adopt a plan",
                evidence=f"approvers by {'this plan' if before is None else f'version {before.version}'}: "
                + (", ".join(approvers) or "nobody"),
                next="let one of them adopt it, with --by",
            )
        number = 1 if before is None else before.version + 1
        body: dict[str, Json] = {"version": number, "digest": digest, "plan": document}
        decision = decisions.decide(connection, kind=KIND, who=who, reason=reason, body=body, time_ms=time_ms)
    return Adopted(number, digest, document, decision)


def _adopted(decision: Decision) -> Adopted:
    facts = decision.facts
    return Adopted(facts["version"], facts["digest"], facts["plan"], decision)
