"""What messages are made of: names and numbers by their form, and the short arrays in which runs travel."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from core.delivery.frames import BLOCK_FRAMES, ID_PATTERN, NAME_PATTERN

LOST_REASONS = ("damaged", "disk_full", "trimmed", "refused")

Hex = Annotated[str, Field(pattern=ID_PATTERN)]
Number = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Natural = Annotated[int, Field(ge=0, lt=2**53)]
Positive = Annotated[int, Field(ge=1, lt=2**53)]
Text = Annotated[str, Field(max_length=200)]
Only1 = Annotated[int, Field(ge=1, le=1)]
UpTo2 = Annotated[int, Field(ge=1, le=2)]


class SentFrame(NamedTuple):
    """A frame inside a data message: its index, and which of the message's tables is its own."""

    at: Natural
    n: Positive
    payload: str
    table: Natural


class SentFrame1(NamedTuple):
    """A frame inside a data message of version 1."""

    at: Natural
    n: Positive
    payload: str


class Block(NamedTuple):
    """A run of frames, named by one digest over their ids."""

    epoch: Hex
    first: Natural
    frames: Annotated[int, Field(ge=1, le=BLOCK_FRAMES)]
    readings: Positive
    digest: Hex


class Range(NamedTuple):
    """A run of places, whatever they hold."""

    epoch: Hex
    first: Natural
    frames: Positive


class Ended(NamedTuple):
    """An epoch's entry in the agent's epoch table: where it ends, and what came before it.

    `prev` is None for the first epoch of a spool; `clean` says whether the run before ended in order.
    """

    epoch: Hex
    frames: Natural
    readings: Natural
    prev: Hex | None
    prev_frames: Natural
    prev_readings: Natural
    clean: bool


class Gone(NamedTuple):
    """A run of frames that no longer exists: why, and a digest over its ids where they were known.

    `reason` is ``freed`` where a ledger held them, else one of `LOST_REASONS`. Times are of its first and
    last reading [ms since 1970 UTC], None where damage made them unknown.
    """

    epoch: Hex
    first: Natural
    frames: Positive
    readings: Natural
    reason: Literal["freed", "damaged", "disk_full", "trimmed", "refused"]
    digest: Hex | None
    from_ms: Natural | None
    to_ms: Natural | None


class LaneHead(NamedTuple):
    """How far a lane goes: its newest epoch, and the readings of all epochs together."""

    epoch: Hex
    frames: Natural
    readings: Natural
    readings_of_all_epochs: Natural
