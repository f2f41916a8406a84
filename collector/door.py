"""The first look at a message, before it may wait: whose it is, how large, and who has been heard of late."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from core.delivery import messages, topics
from core.delivery.messages import MAX_MESSAGE_BYTES, Status
from core.delivery.topics import TopicKind
from core.errors import WireError

_LOG = logging.getLogger(__name__)
NO_SITE: Final = "?"
"""Stands for the site of a topic that names none."""
_MOST_STRANGERS: Final = 100
_MOST_AGENTS: Final = 10_000


@dataclass(slots=True)
class Visitor:
    """An agent as the broker shows it.

    Attributes
    ----------
    heard_ms
        When it last said something on a lane [ms since 1970 UTC]; None: not since this collector started.
    state
        Of its process, as it or its last will says; empty where nobody has said it.
    """

    heard_ms: int | None = None
    state: str = ""


class Door:
    """Admits what agents of our sites say.

    Parameters
    ----------
    sites
        Sites that are served; what comes from others is passed over, and its agents keep it.
    now_ms
        The clock [ms since 1970 UTC].

    Attributes
    ----------
    visitors
        Agents that were heard, by site and name.
    strangers
        Sites that are not ours, and how many messages came from each [1].
    """

    def __init__(self, sites: Collection[str], now_ms: Callable[[], int]) -> None:
        self._sites = frozenset(sites)
        self._now_ms = now_ms
        self.visitors: dict[tuple[str, str], Visitor] = {}
        self.strangers: dict[str, int] = {}

    def admit(self, topic: str, payload: bytes) -> bytes | None:
        """Return what of a message goes on, or None where it is not for us.

        What is too large to be looked at is cut to just above the bound: its reason is its size, and no
        more of it may wait in memory.
        """
        try:
            heard = topics.parse(topic)
        except WireError:
            self._strange(NO_SITE)  # nobody of ours says anything there, so there is nothing to keep
            return None
        if heard.kind is TopicKind.COLLECTOR_STATUS:
            return None  # our own words: a filter for the agents' states cannot leave them out
        if heard.site not in self._sites:
            self._strange(heard.site)
            return None
        visitor = self.visitors.get((heard.site, heard.agent))
        if visitor is None and len(self.visitors) < _MOST_AGENTS:
            visitor = self.visitors[heard.site, heard.agent] = Visitor()
        if visitor is not None:
            if heard.kind is TopicKind.LANE:
                visitor.heard_ms = self._now_ms()
            elif heard.kind is TopicKind.STATUS:
                visitor.state = _state(payload)
        return payload[: MAX_MESSAGE_BYTES + 1]

    def _strange(self, site: str) -> None:
        """Tell of a site that is not ours, once, and of so many only."""
        if site in self.strangers:
            self.strangers[site] += 1
        elif len(self.strangers) < _MOST_STRANGERS:
            self.strangers[site] = 1
            _LOG.warning(
                "messages of %s are passed over",
                "a topic that is none of ours" if site == NO_SITE else f"site {site}, which is none of ours,",
                extra={
                    "cause": "a new site that is not in hq.yaml yet, or another program; its agents keep "
                    "what is not acknowledged",
                    "next": "add the site to hq.yaml, or let the broker's ACL refuse it",
                },
            )


def _state(payload: bytes) -> str:
    """What a status message says, empty where it is none."""
    try:
        message = messages.decode(payload)
    except WireError:
        return ""
    return message.state if isinstance(message, Status) else ""
