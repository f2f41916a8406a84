"""A month's evidence as one archive: the same ledger, the same bytes."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, select

from collector.evidence import readings
from collector.evidence.readme import README
from collector.evidence.rows import to_csv
from collector.figures import statement_at
from collector.ledger import Ledger, cells, closings, decisions
from collector.ledger.tables import events
from collector.snapshot import input_files
from collector.view import View
from config.hq import HqConfig
from core.carbon.statement import to_json
from core.chain import BEGINNING, Decision, Head, canonical
from core.errors import OutsideError
from core.timeline import format_local, month

MANIFEST = "MANIFEST.sha256"
VERIFIER = Path(__file__).with_name("verify.py")

_EVENT = ("time", "of", "kind", "text")
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
        self._connection, self._hq, self._month = connection, hq, month_text
        status = closings.statuses(connection).get(month_text)
        self._closing = None if status is None else status.closing
        self.closed = self._closing is not None
        history = decisions.read(connection)
        if self._closing is not None:
            history = history[: self._closing.decision.number]
        self._decisions: tuple[Decision, ...] = history
        newest = history[-1] if history else None
        self.head = Head(0, BEGINNING) if newest is None else Head(newest.number, newest.hash)

    def files(self) -> Iterator[tuple[str, str | bytes]]:
        """Yield name and contents of each file."""
        hq = self._hq
        yield (
            "README.md",
            README.format(
                month=self._month,
                company_ja=hq.company.ja,
                company_en=hq.company.en,
                synthetic=f" (SYNTHETIC DATA {hq.synthetic})" if hq.synthetic else "",
            ),
        )
        if self._closing is not None:
            kept = closings.read(self._connection, self._closing)
            yield "statement.json", kept.statement
            yield from sorted(json.loads(kept.inputs).items())
        else:
            yield "statement.json", to_json(statement_at(self._connection, hq, self._month))
            yield from sorted(input_files(self._connection, hq, self._month))
        for site in hq.sites:
            interval = month(self._month, site.time_zone)
            for meter in site.meters:
                near = cells.around(self._connection, meter.point, interval)
                yield f"cells/{meter.point}.csv", readings.to_csv(near, site.time_zone)
        yield "decisions.jsonl", "".join(f"{canonical(asdict(each))}\n" for each in self._decisions)
        yield "events.csv", to_csv(_EVENT, self._events())
        yield "verify.py", VERIFIER.read_bytes()

    def _events(self) -> list[dict[str, object]]:
        """Return what registers did, and what agents told of the month, in time order."""
        view = View(self._connection, self._hq)
        found: list[tuple[int, str, str, str]] = []
        for site in self._hq.sites:
            interval = month(self._month, site.time_zone)
            for meter in site.meters:
                told = view.counter(site, meter, interval).events
                found += ((each.time_ms, meter.point, each.kind.value, each.evidence) for each in told)
        zone = self._hq.sites[0].time_zone
        whole = month(self._month, zone)
        within = (events.c.time_ms >= whole.start_ms) & (events.c.time_ms < whole.end_ms)
        rows = select(events.c.time_ms, events.c.agent, events.c.kind, events.c.text).where(within)
        found += (tuple(row) for row in self._connection.execute(rows))
        return [
            {"time": format_local(time_ms, zone), "of": of, "kind": kind, "text": text}
            for time_ms, of, kind, text in sorted(found)
        ]


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
