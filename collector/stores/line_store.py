"""What reading stores share that are written by line protocol over HTTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from collector.stores.base import MIN_RETENTION_DAYS, Outcome, Rows, StoreRow
from collector.stores.http import LineHttp
from core.errors import ConfigError

_MILLISECOND = timedelta(milliseconds=1)


class LineStore:
    """A store behind HTTP that may forget what is old.

    Parameters
    ----------
    http
        The way to it.
    where
        What it is called in errors.
    """

    def __init__(self, http: LineHttp, where: str) -> None:
        self._http = http
        self._where = where
        self._retention: timedelta | None = None

    @property
    def retention_ms(self) -> int | None:
        """For how long it keeps readings [ms]; None: for ever, or it has not been asked yet."""
        return None if self._retention is None else self._retention // _MILLISECOND

    async def write(self, rows: Rows) -> Outcome:
        """Write rows, each with its own outcome."""
        return await self._http.write(rows)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    def _keeps(self, retention: timedelta | None, what: str, mend: str) -> None:
        """Note for how long it keeps readings; raise `ConfigError` where late ones would be forgotten."""
        self._retention = retention
        if retention is not None and retention < timedelta(days=MIN_RETENTION_DAYS):
            raise ConfigError(
                f"{what} forgets readings before late ones can arrive",
                where=self._where,
                evidence=f"retention {retention.days} days, of at least {MIN_RETENTION_DAYS}",
                cause="an agent may deliver after an outage of 90 days",
                next=mend,
            )


def stored_row(
    point: str,
    time_ms: int,
    quality: int,
    value: float | str | None,
    count: int | str | None,
    count_text: str | None,
) -> StoreRow:
    """Return a reading from the fields that such a store keeps of it."""
    if quality == 2 or value is None:  # fields of an earlier, good row at the same key are still there
        return StoreRow(point, time_ms, None, None, quality)
    exact: int | Decimal | None = None
    if count is not None:
        exact = int(count)
    elif count_text:
        exact = int(count_text) if count_text.lstrip("-").isdigit() else Decimal(count_text)
    return StoreRow(point, time_ms, exact, float(value), quality)
