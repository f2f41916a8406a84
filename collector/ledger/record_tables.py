"""The ledger's tables of what people decide, and of what is made from cells again and again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table

from collector.ledger.tables import Number, Text
from collector.ledger.tables import metadata as metadata

decisions = Table(
    "decisions",
    metadata,
    # What people decided, one after the other; each holds the hash of the one before it.
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    # Who decided, and the account of the machine or of the pages under which it was written.
    Column("person", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    # Canonical JSON.
    Column("body", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
)

statements = Table(
    "statements",
    metadata,
    # A closed month as it was approved: never changed, a restatement is a new revision.
    Column("month", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    # What it was made from, as canonical JSON, deflated.
    Column("inputs", LargeBinary, nullable=False),
)

frozen = Table(
    "frozen",
    metadata,
    # Registers at the two ends of a closed month's revision, each with the bracket that it was taken from.
    # Months that touch hold the same one twice: which is in force, only the chain says.
    Column("month", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("point", Text, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
    Column("boundary", Text, nullable=False),
    Index("frozen_by_point", "point", "time_ms"),
)

interval_values = Table(
    "interval_values",
    metadata,
    # Energy from elsewhere than a register, in runs of successive intervals of one length.
    Column("id", Text, primary_key=True),
    Column("point", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    # Exact Wh of each interval, in time order, parted by spaces.
    Column("wh", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("method", Text, nullable=False),
    # The file it was read from, its hash, and who read it.
    Column("document", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
    Index("interval_values_by_time", "point", "end_ms"),
)

bills = Table(
    "bills",
    metadata,
    Column("id", Text, primary_key=True),
    Column("point", Text, nullable=False, index=True),
    Column("supplier", Text, nullable=False),
    Column("menu", Text, nullable=False),
    # First and last day, both billed.
    Column("first_day", Text, nullable=False),
    Column("last_day", Text, nullable=False),
    Column("kwh", Text, nullable=False),
    Column("demand_kw", Text),
    Column("amount", Text),
    Column("document", Text, nullable=False),
    # Hash of the document itself, where it was given, and where the line was read.
    Column("sha256", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
)

thinned = Table(
    "thinned",
    metadata,
    # The readings of a day that its energy needs, made from the cells and made again when they change.
    Column("point", Text, primary_key=True),
    Column("day_ms", BigInteger, primary_key=True),
    # What the day was thinned by; another key is made again.
    Column("key", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
