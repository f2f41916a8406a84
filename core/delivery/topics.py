"""MQTT topics: who publishes what where.

::

    seiren/v1/{site}/{agent}/registers | samples    agent → collector   data, tables, inventories
    seiren/v1/{site}/{agent}/head | status          agent → anybody     retained
    seiren/v1/{site}/{agent}/ack/{ledger}           collector → agent   acks and wants
    seiren/v1/collectors/{ledger}/status            collector → agents  life, retained
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.delivery.frames import NAME_PATTERN, Lane
from core.errors import WireError

ROOT = "seiren/v1"
COLLECTORS = "collectors"

_NAME = re.compile(NAME_PATTERN)


class TopicKind(StrEnum):
    """What a topic carries."""

    LANE = "lane"
    HEAD = "head"
    STATUS = "status"
    ACK = "ack"
    COLLECTOR_STATUS = "collector_status"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart; fields that its kind does not have are empty."""

    kind: TopicKind
    site: str = ""
    agent: str = ""
    lane: Lane | None = None
    ledger: str = ""


def data(site: str, agent: str, lane: Lane) -> str:
    """Return the topic of a lane's data, tables and inventories."""
    return f"{_agent(site, agent)}/{lane}"


def head(site: str, agent: str) -> str:
    """Return the retained topic that says how far the agent's frames go."""
    return f"{_agent(site, agent)}/head"


def status(site: str, agent: str) -> str:
    """Return the retained topic that says whether the agent runs."""
    return f"{_agent(site, agent)}/status"


def ack(site: str, agent: str, ledger: str) -> str:
    """Return the topic on which a ledger answers one agent."""
    return f"{_agent(site, agent)}/ack/{_name(ledger)}"


def collector_status(ledger: str) -> str:
    """Return the retained topic of a ledger's life."""
    return f"{ROOT}/{COLLECTORS}/{_name(ledger)}/status"


def subscriptions_of_collector(sites: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the filters that cover everything agents publish, heads and states first.

    Parameters
    ----------
    sites
        Sites whose agents are heard; None: all.
    """
    chosen = ("+",) if sites is None else tuple(map(_name, sites))
    leaves = ("head", "status", Lane.REGISTERS, Lane.SAMPLES)
    return tuple(f"{ROOT}/{site}/+/{leaf}" for leaf in leaves for site in chosen)


def parse(topic: str) -> Topic:
    """Take a topic apart.

    Raises
    ------
    WireError
        If it is none of this protocol's topics.
    """
    parts = topic.removeprefix(f"{ROOT}/").split("/")
    if topic.startswith(f"{ROOT}/") and all(_NAME.fullmatch(part) for part in parts):
        match parts:
            case ["collectors", ledger, "status"]:
                return Topic(TopicKind.COLLECTOR_STATUS, ledger=ledger)
            case [site, agent, ("registers" | "samples") as lane] if site != COLLECTORS:
                return Topic(TopicKind.LANE, site=site, agent=agent, lane=Lane(lane))
            case [site, agent, ("head" | "status") as leaf] if site != COLLECTORS:
                return Topic(TopicKind(leaf), site=site, agent=agent)
            case [site, agent, "ack", ledger] if site != COLLECTORS:
                return Topic(TopicKind.ACK, site=site, agent=agent, ledger=ledger)
    raise WireError("not a topic of Seiren", where=topic[:200])


def _agent(site: str, agent: str) -> str:
    """The root of one agent's topics."""
    if site == COLLECTORS:
        raise WireError(f"a site cannot be called {COLLECTORS!r}", cause="the name is taken by the protocol")
    return f"{ROOT}/{_name(site)}/{_name(agent)}"


def _name(text: str) -> str:
    """The name itself, or an error where it would break the topic."""
    if not _NAME.fullmatch(text):
        raise WireError(
            "a name that cannot be part of a topic", evidence=repr(text[:80]), next="use A-Z a-z 0-9 _ -"
        )
    return text
