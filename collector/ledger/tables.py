"""The ledger's tables, of a shape that SQLite and PostgreSQL share.

Cells are a set: nothing in their table tells when or in which order readings came. Everything about
delivery stands beside them.
"""

from __future__ import annotations

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
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_UNDECODED = "state = 'undecoded'"

# SQLite numbers rows by itself only where the key is declared INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")
# One order of texts everywhere, whatever language a server is set to.
_Text = Text().with_variant(Text(collation="C"), "postgresql")

identity = Table(
    "identity",
    metadata,
    Column("key", _Text, primary_key=True),
    Column("value", _Text, nullable=False),
)

cells = Table(
    "cells",
    metadata,
    Column("point", _Text, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

point_tables = Table(
    "point_tables",
    metadata,
    Column("digest", _Text, primary_key=True),
    Column("text", _Text, nullable=False),
)

streams = Table(
    "streams",
    metadata,
    # In the order in which epochs were first heard.
    Column("number", _Number, primary_key=True),
    Column("site", _Text, nullable=False),
    Column("agent", _Text, nullable=False),
    Column("lane", _Text, nullable=False),
    Column("epoch", _Text, nullable=False, index=True),
    # The largest end that anything has told; the rest is the agent's epoch table.
    Column("frames", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("linked", Boolean, nullable=False),
    Column("prev", _Text),
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
    Column("number", _Number, primary_key=True),
    Column("stream", _Number, ForeignKey("streams.number"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("id", LargeBinary, nullable=False, unique=True),
    Column("state", _Text, nullable=False),
    Column("point_table", _Text, nullable=False),
    # First and last time of its readings; null while it has none.
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    # The frame's payload, and why it is kept so, while it is undecoded or quarantined.
    Column("raw", LargeBinary),
    Column("reason", _Text),
    # The run of its machine whose anchor it waits for; empty where it waits for its table alone, or not.
    Column("boot", _Text, nullable=False, server_default=""),
    Index("frames_by_place", "stream", "idx"),
    Index(
        "frames_undecoded",
        "boot",
        "point_table",
        sqlite_where=text(_UNDECODED),
        postgresql_where=text(_UNDECODED),
    ),
    sqlite_autoincrement=True,  # a number is never given twice, also when its frame is decoded late
)

blocks = Table(
    "blocks",
    metadata,
    # Frames that no agent keeps any more: their ids as one digest, and what is asked of them still.
    Column("stream", _Number, ForeignKey("streams.number"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("frames", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("state", _Text, nullable=False),
    Column("digest", _Text, nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    # Largest number of its frames, and their point tables, each with its first and last time, as JSON.
    Column("number", _Number, nullable=False, index=True),
    Column("point_tables", _Text, nullable=False),
    sqlite_with_rowid=False,
)

lanes = Table(
    "lanes",
    metadata,
    Column("agent", _Text, primary_key=True),
    Column("lane", _Text, primary_key=True),
    Column("process", _Text),
    Column("sequence", BigInteger, nullable=False),
    Column("listed", _Text, nullable=False),
    Column("total_readings", BigInteger, nullable=False),
    # A newer inventory of which parts are missing.
    Column("arriving", _Text),
)

anchors = Table(
    "anchors",
    metadata,
    Column("agent", _Text, primary_key=True),
    Column("boot", _Text, primary_key=True),
    Column("start_ms", BigInteger, nullable=False),
)

gone = Table(
    "gone",
    metadata,
    Column("stream", _Number, ForeignKey("streams.number"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("frames", BigInteger, primary_key=True),
    Column("readings", BigInteger, primary_key=True),
    Column("reason", _Text, primary_key=True),
    # Empty where damage made the ids unknown.
    Column("digest", _Text, primary_key=True),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("digest", _Text, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("source", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("times", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("digest", _Text, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("agent", _Text, nullable=False),
    Column("lane", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("text", _Text, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", _Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

fuel_lines = Table(
    "fuel_lines",
    metadata,
    Column("id", _Text, primary_key=True),
    Column("site", _Text, nullable=False),
    Column("process", _Text, nullable=False),
    Column("fuel", _Text, nullable=False),
    Column("date", _Text, nullable=False, index=True),
    Column("quantity", _Text, nullable=False),
    Column("unit", _Text, nullable=False),
    Column("document", _Text, nullable=False),
    Column("source", _Text, nullable=False),
)

production_lines = Table(
    "production_lines",
    metadata,
    Column("id", _Text, primary_key=True),
    Column("site", _Text, nullable=False),
    Column("product", _Text, nullable=False),
    Column("month", _Text, nullable=False, index=True),
    Column("quantity", _Text, nullable=False),
    Column("unit", _Text, nullable=False),
    Column("document", _Text, nullable=False),
    Column("source", _Text, nullable=False),
)
