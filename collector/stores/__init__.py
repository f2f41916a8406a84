"""Reading stores: projections of the ledger's registers, and the home of the samples."""

from __future__ import annotations

from pathlib import Path

from collector.stores.base import ReadingStore
from collector.stores.sqlite import SqliteStore
from config import hq
from core.errors import ConfigError

READINGS_FILE = "readings.sqlite"


def make_store(settings: hq.SqliteStore | hq.InfluxStore, folder: Path) -> ReadingStore:
    """Return the reading store that a configuration asks for, not opened yet.

    Parameters
    ----------
    folder
        The ledger's folder; files are relative to it.

    Raises
    ------
    ConfigError
        The token's file cannot be read or is empty.
    """
    if isinstance(settings, hq.SqliteStore):
        return SqliteStore(folder / READINGS_FILE)
    from collector.stores.influxdb import InfluxStore  # slow to import, and many never need it

    return InfluxStore(
        url=settings.url, org=settings.org, bucket=settings.bucket, token=_token(folder / settings.token_file)
    )


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the InfluxDB's token cannot be read",
            where=str(path),
            evidence=str(error),
            next="see token_file in hq.yaml",
        ) from error
    if not token:
        raise ConfigError("the file of the InfluxDB's token is empty", where=str(path))
    return token
