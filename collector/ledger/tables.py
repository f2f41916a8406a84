"""The ledger's tables, of a shape that SQLite and PostgreSQL share.

Cells are a set: nothing in their table tells when or in which order readings came. Everything about
delivery stands beside them.
"""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_UNDECODED = "state = 'undecoded'"
_QUARANTINED = "state = 'quarantined'"

# SQLite numbers rows by itself only where the key is declared INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")
# One order of texts everywhere, whatever language a server is set to.
Text = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")

identity = Table(
    "identity",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

cells = Table(
    "cells",
    metadata,
    Column("point", Text, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

point_tables = Table(
    "point_tables",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

streams = Table(
    "streams",
    metadata,
    # In the order in which epochs were first heard.
    Column("number", Number, primary_key=True),
    Column("site", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("epoch", Text, nullable=False, index=True),
    # The largest end that anything has told; the rest is the agent's epoch table.
    Column("frames", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("linked", Boolean, nullable=False),
    Column("prev", Text),
    Column("clean", Boolean, nullable=False),
    Column("finished", Boolean, nullable=False),
    # How far the newest inventory has judged it.
    Column("judged_frames", BigInteger, nullable=False, server_default="0"),
    Column("judged_readings", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("agent", "lane", "epoch"),
)

frames = Table(
    "frames",
    metadata,
    # In the order in which their contents became part of the ledger: a projection's position.
    Column("number", Number, primary_key=True),
    Column("stream", Number, ForeignKey("streams.number"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("id", LargeBinary, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("point_table", Text, nullable=False),
    # First and last time of its readings; null while it has none.
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    # The frame's payload, and why it is kept so, while it is undecoded or quarantined.
    Column("raw", LargeBinary),
    Column("reason", Text),
    # The run of its machine whose anchor it waits for; empty where it waits for its table alone, or not.
    Column("boot", Text, nullable=False, server_default=""),
    Index("frames_by_place", "stream", "idx"),
    Index(
        "frames_undecoded",
        "boot",
        "point_table",
        sqlite_where=text(_UNDECODED),
        postgresql_where=text(_UNDECODED),
    ),
    Index(
        "frames_quarantined",
        "stream",
        sqlite_where=text(_QUARANTINED),
        postgresql_where=text(_QUARANTINED),
    ),
    sqlite_autoincrement=True,  # a number is never given twice, also when its frame is decoded late
)

blocks = Table(
    "blocks",
    metadata,
    # Frames that no agent keeps any more: their ids as one digest, and what is asked of them still.
    Column("stream", Number, ForeignKey("streams.number"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("frames", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    # Largest number of its frames, and their point tables, each with its first and last time, as JSON.
    Column("number", Number, nullable=False, index=True),
    Column("point_tables", Text, nullable=False),
    sqlite_with_rowid=False,
)

lanes = Table(
    "lanes",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("process", Text),
    Column("sequence", BigInteger, nullable=False),
    Column("listed", Text, nullable=False),
    Column("total_readings", BigInteger, nullable=False),
    # A newer inventory of which parts are missing.
    Column("arriving", Text),
)

anchors = Table(
    "anchors",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("start_ms", BigInteger, nullable=False),
)

gone = Table(
    "gone",
    metadata,
    Column("stream", Number, ForeignKey("streams.number"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("frames", BigInteger, primary_key=True),
    Column("readings", BigInteger, primary_key=True),
    Column("reason", Text, primary_key=True),
    # Empty where damage made the ids unknown.
    Column("digest", Text, primary_key=True),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("times", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("agent", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

fuel_lines = Table(
    "fuel_lines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("fuel", Text, nullable=False),
    Column("date", Text, nullable=False, index=True),
    Column("quantity", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("source", Text, nullable=False),
)

production_lines = Table(
    "production_lines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("month", Text, nullable=False, index=True),
    Column("quantity", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("source", Text, nullable=False),
)
