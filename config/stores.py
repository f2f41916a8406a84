"""Where readings are kept, as ``hq.yaml`` says it; secrets stand in files of their own, relative to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from config.strict import Model, Problem, Wrong


def _url(value: str) -> str:
    if re.fullmatch(r"https?://[^/\s@]+/?", value):
        return value
    bare = value.partition("://")[2] or value
    raise Wrong(
        "must be an address such as http://127.0.0.1:8086, with no more than that",
        cause="name and password stand in keys of their own" if "@" in value else "",
        next="" if "@" in value else f"write http://{bare.partition('/')[0]}",
    )


Url = Annotated[str, AfterValidator(_url)]
Named = Annotated[str, Field(min_length=1)]
SecretFile = Annotated[Path, Field(strict=False)]


class SqliteStore(Model):
    """Readings in a SQLite file beside the ledger."""

    kind: Literal["sqlite"]


class InfluxStore(Model):
    """Readings in a bucket of InfluxDB 2."""

    kind: Literal["influxdb"]
    url: Url
    org: Named
    bucket: Named
    token_file: SecretFile


class InfluxOneStore(Model):
    """Readings in a database of InfluxDB 1; user and password where its HTTP asks for them."""

    kind: Literal["influxdb1"]
    url: Url
    database: Named
    username: Named | None = None
    password_file: SecretFile | None = None


StoreSettings: TypeAlias = Annotated[SqliteStore | InfluxStore | InfluxOneStore, Field(discriminator="kind")]


def store_problems(store: SqliteStore | InfluxStore | InfluxOneStore) -> Iterator[Problem]:
    """Yield what is wrong with a store's settings beyond the form of each."""
    if isinstance(store, InfluxOneStore) and (store.username is None) != (store.password_file is None):
        yield Problem(
            ("store", "username"),
            "User and password belong together.",
            evidence=f"username: {store.username}, password_file: {store.password_file}",
            next="give both, or neither where the InfluxDB asks for none",
        )
