"""What could not be used: raw bytes with the reason, so that nothing disappears unseen."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from collector.ledger import engines
from collector.ledger.tables import quarantine as table

KEPT_BYTES = 65_536
"""Most of a message that is kept [bytes]; the rest of something larger is noise."""

_AGAIN = update(table).where(table.c.digest == bindparam("known")).values(times=table.c.times + 1)


class Quarantined(NamedTuple):
    """Something set aside.

    `source` is a topic or a reading store, `time_ms` when it first came [ms since 1970 UTC], `times` how
    often it came [1].
    """

    source: str
    reason: str
    raw: bytes
    time_ms: int
    times: int


def set_aside(connection: Connection, *, source: str, reason: str, raw: bytes, time_ms: int) -> bool:
    """Keep raw bytes with a reason; the same bytes from the same source again only raise a number.

    Parameters
    ----------
    source
        Topic, or name of the reading store that refused.
    time_ms
        When it came [ms since 1970 UTC].

    Returns
    -------
    bool
        Whether it came for the first time.
    """
    source, reason = engines.plain(source), engines.plain(reason)
    digest = hashlib.sha256(source.encode() + b"\0" + raw).hexdigest()
    if connection.execute(_AGAIN, {"known": digest}).rowcount:
        return False
    row = {"source": source, "reason": reason, "raw": raw[:KEPT_BYTES], "time_ms": time_ms, "times": 1}
    connection.execute(insert(table).values(digest=digest, **row))
    return True


def read(connection: Connection) -> tuple[Quarantined, ...]:
    """Return what was set aside, oldest first."""
    columns = (table.c.source, table.c.reason, table.c.raw, table.c.time_ms, table.c.times)
    found = connection.execute(select(*columns).order_by(table.c.time_ms, table.c.digest))
    return tuple(Quarantined(*row) for row in found)
