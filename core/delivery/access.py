"""Who may publish and read what: the rules that a broker has to enforce.

A broker's user is called after the client: ``{site}.{agent}`` and ``collectors.{ledger}``. No site can be
called `collectors`, and no name has a dot, so no agent can pass for a collector or for another agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.delivery import topics
from core.delivery.frames import Lane


@dataclass(frozen=True, slots=True)
class Access:
    """What one user of a broker may do, as topic filters; everything else is denied.

    Attributes
    ----------
    user
        Name at the broker; the common name where certificates are used.
    publishes, reads
        Topics it may publish to, and filters of what it may receive.
    """

    user: str
    publishes: tuple[str, ...]
    reads: tuple[str, ...]


def agent_user(site: str, agent: str) -> str:
    """Return what an agent is called at the broker.

    Raises
    ------
    WireError
        If a name cannot be part of a topic.

    Examples
    --------
    >>> agent_user("aoba", "aoba-1")
    'aoba.aoba-1'
    """
    topics.head(site, agent)
    return f"{site}.{agent}"


def collector_user(ledger: str) -> str:
    """Return what a ledger's collector is called at the broker.

    Raises
    ------
    WireError
        If the name cannot be part of a topic.

    Examples
    --------
    >>> collector_user("hq")
    'collectors.hq'
    """
    topics.collector_status(ledger)
    return f"{topics.COLLECTORS}.{ledger}"


def access_of_agent(site: str, agent: str, ledgers: Sequence[str]) -> Access:
    """Return what an agent may do: publish on its own topics, and hear what its ledgers answer it.

    Raises
    ------
    WireError
        If a name cannot be part of a topic.
    """
    return Access(
        user=agent_user(site, agent),
        publishes=(
            *(topics.data(site, agent, lane) for lane in Lane),
            topics.head(site, agent),
            topics.status(site, agent),
        ),
        reads=tuple(
            topic
            for ledger in ledgers
            for topic in (topics.ack(site, agent, ledger), topics.collector_status(ledger))
        ),
    )


def access_of_collector(ledger: str, sites: Sequence[str] = ()) -> Access:
    """Return what a ledger's collector may do: hear agents, answer them, and tell its life.

    Parameters
    ----------
    ledger
        The ledger's name.
    sites
        The sites that it serves; empty: all.

    Raises
    ------
    WireError
        If a name cannot be part of a topic.
    """
    answers = tuple(f"{topics.ROOT}/{site}/+/ack/{ledger}" for site in sites or ("+",))
    life = topics.collector_status(ledger)
    heard = tuple(
        f"{topics.ROOT}/{site}/+/{leaf}"
        for site in sites or ("+",)
        for leaf in (*(lane.value for lane in Lane), "head", "status")
    )
    return Access(
        user=collector_user(ledger),
        publishes=(*answers, life),
        reads=(*heard, *answers, life),  # its own answers too, so that they can be looked at
    )
