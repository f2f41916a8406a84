"""A month as it would be closed now: its statement, what it was made from, and the registers at its ends."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from collector.figures import inputs_at
from collector.ledger import closings
from collector.ledger.closings import FrozenRow, Kept
from collector.report.sheet import Sheet
from collector.snapshot import snapshot
from collector.view import View
from config.hq import HqConfig
from core.carbon.differences import co2_t, purchased_kwh
from core.carbon.figures import optional_text
from core.carbon.inputs import StatementInputs
from core.carbon.statement import build, to_json
from core.chain import Json
from core.metering.frozen import frozen_text


@dataclass(frozen=True, slots=True)
class Draft:
    """A month as it would be closed now.

    Parameters
    ----------
    sheet
        Its statement.
    rows
        Registers at its two ends.
    """

    month: str
    sheet: Sheet
    rows: tuple[FrozenRow, ...]


def draft(connection: Connection, hq: HqConfig, month: str, *, thawed: Collection[str] = ()) -> Draft:
    """Return a month as it would be closed now.

    Parameters
    ----------
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    """
    view = View(connection, hq, thawed=thawed)
    inputs = inputs_at(view, month, closed=True)
    return Draft(month, Sheet.parse(to_json(build(inputs))), tuple(sorted(_rows(view, inputs))))


def keep(connection: Connection, hq: HqConfig, drawn: Draft, *, thawed: Collection[str] = ()) -> Kept:
    """Return a draft with all that it was made from, as it is kept when the month is closed.

    Parameters
    ----------
    thawed
        As the draft was made with.
    """
    made_from = snapshot(connection, hq, drawn.month, closed=True, thawed=thawed)
    return Kept(drawn.sheet.content, made_from, drawn.rows)


def bound(drawn: Draft, kept: Kept, revision: int) -> dict[str, Json]:
    """Return what a decision that closes a month binds of it: hashes of all that is kept, and its figures."""
    return {
        "month": drawn.month,
        "revision": revision,
        "statement": digest(kept.statement),
        "inputs": digest(kept.inputs),
        "frozen": closings.frozen_digest(kept.rows),
        "cells": cells_digest(kept.inputs),
        "plan": drawn.sheet.document.get("plan"),
        **amounts(drawn.sheet),
    }


def cells_digest(inputs: bytes) -> str:
    """Return the hash of all readings that a month's points had, from the inputs' list of their hashes."""
    return digest(json.loads(inputs)["inputs/cells.csv"].encode())


def amounts(sheet: Sheet) -> dict[str, Json]:
    """Return what people know a month by: its CO2 [t] and the energy that was bought [kWh], exact."""
    return {
        "co2_t": optional_text(co2_t(sheet.document)),
        "kwh": optional_text(purchased_kwh(sheet.document)),
    }


def _rows(view: View, inputs: StatementInputs) -> Iterator[FrozenRow]:
    """Yield the registers at the two ends of a month, of each meter that has an energy."""
    for site, known in zip(view.hq.sites, inputs.sites, strict=True):
        ends = (inputs.interval.start_ms, inputs.interval.end_ms)
        for meter in site.meters:
            energy = known.energies.get(meter.point)
            if energy is None or energy.interval != inputs.interval:  # it had its place for a part only
                (energy,) = view.series(site, meter, ends)
            if energy.wh is None:
                continue
            for mark in (energy.start, energy.end):
                if (text := frozen_text(mark)) is not None:
                    yield FrozenRow(meter.point, mark.time_ms, text)


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return sha256(content).hexdigest()
