"""From a message on the broker to an arrival for the receiver: strict, and bounded before it is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.delivery import messages, topics
from core.delivery.messages import Data, Head, Inventory, Status, Table
from core.delivery.receiver import Arrival
from core.delivery.tables import PointTable
from core.delivery.topics import TopicKind
from core.errors import WireError

_POINT = re.compile(r"[A-Za-z0-9_-]{1,64}\.[a-z0-9_]{1,64}", re.ASCII)
_OF_VERSION = re.compile(r"\w+\.v: ")
_EXACT = re.compile(r"-?\d{1,30}(\.\d{1,30})?|\d{1,15}/[1-9]\d{0,14}", re.ASCII)


def read(topic: str, payload: bytes) -> Arrival | Status:
    """Return what an agent says.

    Raises
    ------
    WireError
        If topic or message is not of the protocol, or the message does not belong on the topic.
    """
    heard = topics.parse(topic)
    try:
        message = messages.decode(payload)
        match heard.kind, message:
            case TopicKind.LANE, Table():
                _check(message.table)
                return Arrival(heard.site, heard.agent, heard.lane, message)
            case TopicKind.LANE, Data() | Inventory():
                return Arrival(heard.site, heard.agent, heard.lane, message)
            case TopicKind.HEAD, Head():
                return Arrival(heard.site, heard.agent, None, message)
            case TopicKind.STATUS, Status():
                return message
    except WireError as error:
        raise WireError(
            _in_words(error),
            where=topic,
            evidence=error.evidence.removeprefix(": ") or repr(payload[:80]),
            cause=error.cause,
        ) from error
    raise WireError(
        f"a {message.kind} message does not belong on this topic",
        where=topic,
        cause="another program publishes here; the broker's ACL should not let it",
    )


def foreign_point(site: str, table: PointTable, site_of_meter: Mapping[str, str]) -> str | None:
    """Return a point of a table that belongs to another site, if there is one.

    Parameters
    ----------
    site
        Site of the topic on which the table's readings came.
    site_of_meter
        Site of each meter on record; a meter that is not on record may be anybody's.
    """
    for row in table.rows:
        if site_of_meter.get(row.point.partition(".")[0], site) != site:
            return row.point
    return None


def _in_words(error: WireError) -> str:
    """What is wrong with a message; a version that is not known is no mistake of the sender."""
    if _OF_VERSION.match(error.evidence):
        return "message of a version that this release does not read; a newer collector does"
    return error.what


def _check(table: PointTable) -> None:
    """Refuse a point table whose texts would be dangerous to use later."""
    for row in table.rows:
        if not _POINT.fullmatch(row.point):
            raise WireError("a point table with an impossible point", evidence=repr(row.point[:80]))
        if not _EXACT.fullmatch(row.scale):
            raise WireError(
                f"a point table with an impossible scale of {row.point}", evidence=repr(row.scale[:80])
            )
