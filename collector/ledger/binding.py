"""Rows that a decision binds: it names each by its id, with a hash of all that stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from core.chain import Json, canonical

_NOT_BOUND = ("id", "decision")


def row_digest(row: Mapping[str, Any]) -> str:
    """Return the hash of a row: SHA-256 of its columns as canonical JSON, but for its id and its decision.

    Returns
    -------
    str
        32 hex digits, half of the hash.
    """
    told: dict[str, Json] = {name: value for name, value in row.items() if name not in _NOT_BOUND}
    return sha256(canonical(told).encode()).hexdigest()[:32]


def bound(rows: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """Return id → hash of rows, as a decision's body holds them under ``lines``."""
    return {str(row["id"]): row_digest(row) for row in rows}
