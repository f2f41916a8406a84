"""Reading stores: projections of the ledger's registers, and the home of the samples."""

from __future__ import annotations

from pathlib import Path

from collector.stores.base import ReadingStore
from collector.stores.sqlite import SqliteStore
from config import stores
from core.errors import ConfigError

READINGS_FILE = "readings.sqlite"


def make_store(
    settings: stores.SqliteStore | stores.InfluxStore | stores.InfluxOneStore, folder: Path
) -> ReadingStore:
    """Return the reading store that a configuration asks for, not opened yet.

    Parameters
    ----------
    folder
        The ledger's folder; files are relative to it.

    Raises
    ------
    ConfigError
        The file of its secret cannot be read or is empty.
    """
    if isinstance(settings, stores.SqliteStore):
        return SqliteStore(folder / READINGS_FILE)
    # Slow to import, and many never need them.
    if isinstance(settings, stores.InfluxOneStore):
        from collector.stores.influxdb1 import InfluxOneStore

        return InfluxOneStore(
            url=settings.url,
            database=settings.database,
            username=settings.username or "",
            password=_secret(settings.password_file, "password_file") if settings.password_file else "",
        )
    from collector.stores.influxdb import InfluxStore

    token = _secret(folder / settings.token_file, "token_file")
    return InfluxStore(url=settings.url, org=settings.org, bucket=settings.bucket, token=token)


def _secret(path: Path, key: str) -> str:
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the InfluxDB's secret cannot be read",
            where=str(path),
            evidence=error.strerror or "" if isinstance(error, OSError) else "it is not ASCII",
            cause=f"hq.yaml names it: store.{key}",
            next=f"ls -l {path}",
        ) from error
    if not secret:
        raise ConfigError("the file of the InfluxDB's secret is empty", where=str(path))
    return secret
