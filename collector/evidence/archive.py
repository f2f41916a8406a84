"""A month's evidence as one archive: the same ledger, the same bytes."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from collector.evidence import readings
from collector.evidence.readme import readme
from collector.evidence.rows import to_csv
from collector.figures import statement_at
from collector.ledger import Ledger, cells, closings, decisions
from collector.ledger.record_tables import bills
from collector.ledger.tables import events
from collector.snapshot import input_files
from config.hq import HqConfig
from core.carbon.statement import to_json
from core.chain import BEGINNING, Head, canonical
from core.errors import OutsideError
from core.timeline import Interval, add_months, format_local, month, parse_local

MANIFEST = "MANIFEST.sha256"
VERIFIER = Path(__file__).with_name("verify.py")

_BILL = tuple(column.name for column in bills.columns if column.name != "decision")
_EVENT = ("time", "agent", "lane", "kind", "text")
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive that was written.

    Parameters
    ----------
    path
        Where it is.
    files
        How many files it holds [1].
    size
        Its size [bytes].
    closed
        Whether the month is closed.
    head
        Number and hash of the decision that its chain ends with.
    """

    path: Path
    files: int
    size: int
    closed: bool
    head: Head


def export(ledger: Ledger, hq: HqConfig, month_text: str, out: Path) -> Exported:
    """Write a month's evidence; a file that is there is replaced once the new one is whole.

    Parameters
    ----------
    out
        The archive to write.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    Unreachable, OutsideError
        The ledger failed, or the file cannot be written.
    """
    written = out.with_name(f"{out.name}.part")
    try:
        with ledger.reading() as connection:
            evidence = _Evidence(connection, hq, month_text)
            count = _write(written, evidence.files())
        written.replace(out)
        size = out.stat().st_size
    except OSError as error:
        raise OutsideError(
            "the evidence cannot be written", where=str(out), evidence=error.strerror or str(error)
        ) from error
    finally:
        written.unlink(missing_ok=True)
    return Exported(out, count, size, evidence.closed, evidence.head)


class _Evidence:
    """What goes into the archive of a month."""

    def __init__(self, connection: Connection, hq: HqConfig, month_text: str) -> None:
        self._connection, self._month = connection, month_text
        status = closings.statuses(connection).get(month_text)
        closing = None if status is None else status.closing
        history = decisions.read(connection)
        if closing is not None:
            kept = closings.read(connection, closing)
            self._statement, self._inputs = kept.statement, json.loads(kept.inputs)
        else:
            self._statement = to_json(statement_at(connection, hq, month_text))
            self._inputs = dict(input_files(connection, hq, month_text))
        self.closed = closing is not None
        self._decisions = history
        self._decided = len(history) if closing is None else closing.decision.number
        newest = history[-1] if history else None
        self.head = Head(0, BEGINNING) if newest is None else Head(newest.number, newest.hash)

    def files(self) -> Iterator[tuple[str, str | bytes]]:
        """Yield name and contents of each file."""
        plan: dict[str, Any] = json.loads(self._inputs["inputs/plan.json"])
        zone = ZoneInfo(plan["sites"][0]["time_zone"])  # a statement's sites share one
        yield "README.md", readme(self._month, plan)
        yield "statement.json", self._statement
        yield from sorted(self._inputs.items())
        for row in csv.DictReader(io.StringIO(self._inputs["inputs/cells.csv"], newline="")):
            span = Interval(parse_local(row["from"], zone), parse_local(row["to"], zone))
            whole = cells.read(self._connection, row["point"], span)
            yield f"cells/{row['point']}.csv", readings.to_csv(whole, zone)
        yield "decisions.jsonl", "".join(f"{canonical(asdict(each))}\n" for each in self._decisions)
        yield "bills.csv", to_csv(_BILL, self._bills(self._month))
        yield "events.csv", to_csv(_EVENT, self._events(month(self._month, zone), zone))
        yield "verify.py", VERIFIER.read_bytes()

    def _bills(self, month_text: str) -> Iterator[dict[str, object]]:
        """Yield the bills of days of the month, as far as they were known when it was decided."""
        first, after = f"{month_text}-01", f"{add_months(month_text, 1)}-01"
        known = bills.c.decision <= self._decided
        within = (bills.c.first_day < after) & (bills.c.last_day >= first) & known
        rows = select(bills).where(within).order_by(bills.c.point, bills.c.first_day, bills.c.id)
        yield from (dict(row._mapping) for row in self._connection.execute(rows))

    def _events(self, interval: Interval, zone: ZoneInfo) -> Iterator[dict[str, object]]:
        """Yield what agents told of the month, in time order; what registers did is in the statement."""
        within = (events.c.time_ms >= interval.start_ms) & (events.c.time_ms < interval.end_ms)
        columns = (events.c.time_ms, events.c.agent, events.c.lane, events.c.kind, events.c.text)
        for time_ms, agent, lane, kind, text in self._connection.execute(
            select(*columns).where(within).order_by(*columns)
        ):
            time = format_local(time_ms, zone)
            yield {"time": time, "agent": agent, "lane": lane, "kind": kind, "text": text}


def _write(path: Path, files: Iterator[tuple[str, str | bytes]]) -> int:
    """Write files and their manifest into an archive, private to its owner; return how many there are."""
    hashes: dict[str, str] = {}
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as raw, zipfile.ZipFile(raw, "w") as archive:
        for name, content in files:
            data = content.encode() if isinstance(content, str) else content
            hashes[name] = sha256(data).hexdigest()
            _put(archive, name, data)
        _put(archive, MANIFEST, "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode())
    return len(hashes) + 1


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _FIRST_DAY)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, _MODE
    archive.writestr(entry, data)
