"""The first shape of the ledger.

Revision ID: 0001
Revises: none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only where the key is declared INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# One order of texts everywhere, whatever language a server is set to.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "cells",
        sa.Column("point", _TEXT, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("point", "start_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cursors",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "events",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "fuel_lines",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("site", _TEXT, nullable=False),
        sa.Column("process", _TEXT, nullable=False),
        sa.Column("fuel", _TEXT, nullable=False),
        sa.Column("date", _TEXT, nullable=False),
        sa.Column("quantity", _TEXT, nullable=False),
        sa.Column("unit", _TEXT, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_fuel_lines_date", "fuel_lines", ["date"], unique=False)
    op.create_table(
        "identity",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "lanes",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("process", _TEXT, nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("listed", _TEXT, nullable=False),
        sa.Column("listed_frames", sa.BigInteger(), nullable=False),
        sa.Column("total_readings", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "lane"),
    )
    op.create_table(
        "point_tables",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "production_lines",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("site", _TEXT, nullable=False),
        sa.Column("product", _TEXT, nullable=False),
        sa.Column("month", _TEXT, nullable=False),
        sa.Column("quantity", _TEXT, nullable=False),
        sa.Column("unit", _TEXT, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_production_lines_month", "production_lines", ["month"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "streams",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("site", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("epoch", _TEXT, nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("prev", _TEXT, nullable=True),
        sa.Column("clean", sa.Boolean(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("agent", "lane", "epoch"),
    )
    op.create_index("ix_streams_epoch", "streams", ["epoch"], unique=False)
    op.create_table(
        "frames",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("stream", _NUMBER, nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("point_table", _TEXT, nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_ms", sa.BigInteger(), nullable=True),
        sa.Column("payload", _TEXT, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(["stream"], ["streams.number"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("frames_by_place", "frames", ["stream", "idx"], unique=False)
    op.create_index(
        "frames_undecoded",
        "frames",
        ["point_table"],
        unique=False,
        sqlite_where=sa.text("state = 'undecoded'"),
        postgresql_where=sa.text("state = 'undecoded'"),
    )
    op.create_table(
        "gone",
        sa.Column("stream", _NUMBER, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["stream"], ["streams.number"]),
        sa.PrimaryKeyConstraint("stream", "first", "frames", "readings", "reason", "digest"),
    )


def downgrade() -> None:
    """Refuse: a ledger is never taken back to nothing."""
    raise NotImplementedError("the first shape of the ledger has none before it")
