"""Blocks of old frames, anchors, inventories in parts; what is set aside is kept as bytes, not as text.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_AS_BYTES = {"sqlite": "CAST(payload AS BLOB)", "postgresql": "convert_to(payload, 'UTF8')"}
_UNDECODED = sa.text("state = 'undecoded'")
# The newest inventory judged its own run as far as it listed it, and earlier runs whole.
_LISTED = """(
    SELECT lanes.listed_frames FROM lanes
    WHERE lanes.agent = streams.agent AND lanes.lane = streams.lane AND lanes.process = streams.epoch
)"""


def upgrade() -> None:
    """Make what is new; turn payloads into bytes, whatever characters are in them."""
    op.create_table(
        "blocks",
        sa.Column("stream", _NUMBER, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("point_tables", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["stream"], ["streams.number"]),
        sa.PrimaryKeyConstraint("stream", "first"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_blocks_number", "blocks", ["number"], unique=False)
    op.create_table(
        "anchors",
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("boot", _TEXT, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "boot"),
    )
    op.add_column("frames", sa.Column("raw", sa.LargeBinary(), nullable=True))
    as_bytes = _AS_BYTES[op.get_bind().dialect.name]
    op.execute(f"UPDATE frames SET raw = {as_bytes} WHERE payload IS NOT NULL")
    op.drop_column("frames", "payload")
    op.add_column("frames", sa.Column("boot", _TEXT, nullable=False, server_default=""))
    op.drop_index("frames_undecoded", "frames")
    op.create_index(
        "frames_undecoded",
        "frames",
        ["boot", "point_table"],
        unique=False,
        sqlite_where=_UNDECODED,
        postgresql_where=_UNDECODED,
    )
    for name in ("judged_frames", "judged_readings"):
        op.add_column("streams", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(f"UPDATE streams SET judged_frames = COALESCE({_LISTED}, frames)")
    op.drop_column("lanes", "listed_frames")
    op.add_column("lanes", sa.Column("arriving", _TEXT, nullable=True))


def downgrade() -> None:
    """Refuse: earlier releases cannot count what blocks stand for."""
    raise NotImplementedError("a ledger is not taken back to an earlier shape")
