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
    # Registers at the ends of closed months, each with the bracket that it was taken from.
    Column("point", Text, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
    Column("boundary", Text, nullable=False),
)

interval_values = Table(
    "interval_values",
    metadata,
    # Energy of an interval from elsewhere than a register: interval data, a bill, a hand, a substitute.
    Column("id", Text, primary_key=True),
    Column("point", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("wh", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("quality", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("decision", Number, ForeignKey("decisions.number"), nullable=False),
    Index("interval_values_by_time", "point", "start_ms"),
)

bills = Table(
    "bills",
    metadata,
    Column("id", Text, primary_key=True),
    Column("point", Text, nullable=False, index=True),
    Column("supplier", Text, nullable=False),
    Column("menu", Text, nullable=False),
    # First day, and first day after it.
    Column("start", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("kwh", Text, nullable=False),
    Column("demand_kw", Text),
    Column("amount_yen", Text),
    Column("document", Text, nullable=False),
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
