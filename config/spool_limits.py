"""How much of its disk an agent may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.strict import Model

Days = Annotated[float, Field(ge=0, le=3_660, allow_inf_nan=False)]


class SpoolRoom(Model):
    """What the spool may take, and what registers get of it.

    Attributes
    ----------
    max_mb
        Most that it takes [MB]; None: all of the disk but 5 %, and at least 200 MB, which is left to others.
    keep_registers_days
        How long registers stay that every required ledger holds: a ledger that is restored from a copy not
        older than that is refilled [days].
    reserve_days
        Samples leave room for registers of so many days [days].
    """

    max_mb: Annotated[int, Field(ge=64, le=10_000_000)] | None = None
    keep_registers_days: Days = 62
    reserve_days: Days = 90
