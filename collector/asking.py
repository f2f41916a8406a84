"""Asking the running collector, and reading its ledger: what status and doctor rest on."""

from __future__ import annotations

import http.client
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from collector import secret_files
from collector.facts import Facts, Fault, Live, Record
from collector.ledger import Ledger, open_ledger
from collector.record import read_record
from collector.stores import make_store
from config.hq import HqConfig
from core.errors import OutsideError
from core.runtime.endpoint import ask_page
from core.runtime.findings import Findings

Answer = Literal["told", "silent", "switched_off", "somebody_else"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of a ledger and its collector.

    Attributes
    ----------
    folder
        The ledger's folder, as people name it.
    where, ledger_id
        Path or address of the ledger, and its id; empty where it cannot be opened.
    record, ledger_fault
        What it holds, or why that is not known.
    answer, live
        Whether its collector answers, and what it tells.
    free_bytes, all_bytes
        Of the folder's disk [bytes].
    secrets
        What is wrong with certificates, keys and passwords.
    """

    folder: str
    hq: HqConfig
    now_ms: int
    where: str
    ledger_id: str
    record: Record | None
    ledger_fault: Fault | None
    answer: Answer
    live: Live | None
    free_bytes: int
    all_bytes: int
    secrets: Findings = field(default_factory=lambda: Findings((), (), (), ()))


def gather(folder: Path, hq: HqConfig, *, now_ms: int) -> Evidence:
    """Look at everything, and change nothing.

    Parameters
    ----------
    folder, hq
        The ledger's folder and its configuration.
    now_ms
        Now [ms since 1970 UTC].
    """
    where = ledger_id = ""
    record = fault = None
    try:
        ledger = open_ledger(folder, hq)
        try:
            where, ledger_id = ledger.where, ledger.id
            record = read_record(ledger, make_store(hq.store, folder).identity, now_ms)
        finally:
            ledger.close()
    except OutsideError as error:
        fault = Fault.of(error)
    answer, live = ask(hq, ledger_id)
    disk = shutil.disk_usage(folder)
    return Evidence(
        folder=str(folder),
        hq=hq,
        now_ms=now_ms,
        where=where,
        ledger_id=ledger_id,
        record=record,
        ledger_fault=fault,
        answer=answer,
        live=live,
        free_bytes=disk.free,
        all_bytes=disk.total,
        secrets=secret_files.look(folder, hq, now_ms),
    )


def status_of(
    folder: Path, hq: HqConfig, ledger: Ledger, *, now_ms: int
) -> tuple[Record, Answer, Live | None]:
    """Return what a ledger holds, and what its collector tells.

    Raises
    ------
    ConfigError
        The reading store's token cannot be read.
    Unreachable, OutsideError
        The ledger failed.
    """
    record = read_record(ledger, make_store(hq.store, folder).identity, now_ms)
    return record, *ask(hq, ledger.id)


def ask(hq: HqConfig, ledger_id: str) -> tuple[Answer, Live | None]:
    """Ask the collector of a ledger how it fares; an empty id: of whichever has the ledger's name."""
    if hq.metrics_port is None:
        return "switched_off", None
    try:
        live = Facts.model_validate_json(ask_page(hq.metrics_port, "/status")).live
    except (OSError, http.client.HTTPException):
        return "silent", None
    except ValidationError:
        return "somebody_else", None
    if live.ledger != hq.ledger.name or ledger_id not in ("", live.ledger_id):
        return "somebody_else", None
    return "told", live
