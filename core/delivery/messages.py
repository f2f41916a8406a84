"""Messages between agent and collector: strict JSON, its size bounded before it is parsed.

Runs of frames travel as short arrays, so that a message's envelope stays small; docs/wire-format.md
shows each message whole. What is long (data, tables, inventories) travels deflated where that is shorter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError, model_validator

from core.delivery.deflate import deflated, inflated
from core.delivery.entries import (
    LOST_REASONS,
    Block,
    Ended,
    Gone,
    Hex,
    LaneHead,
    Name,
    Natural,
    Number,
    Only1,
    Range,
    SentFrame,
    SentFrame1,
    Text,
    UpTo2,
)
from core.delivery.frames import Frame, Lane
from core.delivery.nesting import refusal
from core.delivery.tables import PointRow, PointTable
from core.errors import WireError

__all__ = [
    "LOST_REASONS",
    "MAX_MESSAGE_BYTES",
    "Ack",
    "AnyMessage",
    "Block",
    "Data",
    "Data1",
    "Ended",
    "Gone",
    "Head",
    "Inventory",
    "LaneHead",
    "Life",
    "Message",
    "Range",
    "SentFrame",
    "Status",
    "Table",
    "Want",
    "decode",
    "encode",
    "plain",
]

MAX_MESSAGE_BYTES = 1_000_000
"""Largest message that is looked at, deflated or not [bytes]; nats-server's own bound lies just above."""

MOST_PARTS = 10_000
"""Most parts of one inventory [1]."""


class Message(BaseModel):
    """Base of all messages: `v` is the version of the kind's form; nothing unknown, nothing coerced."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    v: int


class Data(Message):
    """Frames of one epoch, and the digests of the point tables that they use."""

    v: Annotated[int, Field(ge=2, le=2)] = 2
    kind: Literal["data"] = "data"
    epoch: Hex
    tables: Annotated[tuple[Hex, ...], FailFast(), Field(min_length=1)]
    frames: Annotated[tuple[SentFrame, ...], FailFast(), Field(min_length=1)]

    @model_validator(mode="after")
    def _has_the_tables(self) -> Data:
        if max(sent.table for sent in self.frames) >= len(self.tables):
            raise ValueError("a frame of a table that is not there")
        return self

    def whole(self, agent: str, lane: Lane) -> tuple[Frame, ...]:
        """Return the frames, with the agent and lane that the topic says."""
        return tuple(
            Frame(agent, lane, self.epoch, sent.at, sent.n, self.tables[sent.table], sent.payload)
            for sent in self.frames
        )

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Data:
        """Return the message that carries the frames; they share their epoch."""
        frames = tuple(frames)
        tables: dict[str, int] = {}
        sent = tuple(
            SentFrame(frame.index, frame.n, frame.payload, tables.setdefault(frame.table, len(tables)))
            for frame in frames
        )
        return cls.model_construct(epoch=frames[0].epoch, tables=tuple(tables), frames=sent)


class Data1(Message):
    """Version 1 of `Data`: frames of one table, each group with a time of the wall clock, never deflated."""

    v: Only1 = 1
    kind: Literal["data"] = "data"
    epoch: Hex
    table: Hex
    frames: Annotated[tuple[SentFrame1, ...], FailFast(), Field(min_length=1)]

    def renewed(self) -> Data:
        """Return it as the form of today says the same."""
        frames = tuple(SentFrame(*sent, table=0) for sent in self.frames)
        return Data.model_construct(v=1, epoch=self.epoch, tables=(self.table,), frames=frames)


class Table(Message):
    """A point table; goes before the first frame that uses it. In version 1 it is never deflated."""

    v: UpTo2 = 2
    kind: Literal["table"] = "table"
    digest: Hex
    points: Annotated[tuple[PointRow, ...], FailFast()]

    @model_validator(mode="after")
    def _names_its_contents(self) -> Table:
        if self.table.digest != self.digest:
            raise ValueError("a point table under another's digest")
        return self

    @property
    def table(self) -> PointTable:
        """The table itself."""
        return PointTable(self.points)


class Inventory(Message):
    """All that an agent knows of one lane: the epochs, what is on its disk, what is no more.

    A long one comes in several messages, and is whole when all of its parts have come. Version 1 knows no
    parts: one message is all.

    Parameters
    ----------
    number
        Random; of this message alone.
    process
        The epoch that this run of the agent writes, whether or not it has frames yet.
    sequence
        Counts this run's inventories of the lane; the parts of one share it [1].
    part, parts
        Which part this is, from 0, and of how many [1].
    """

    v: UpTo2 = 2
    kind: Literal["inventory"] = "inventory"
    number: Number
    process: Hex
    sequence: Natural
    part: Natural = 0
    parts: Annotated[int, Field(ge=1, le=MOST_PARTS)] = 1
    epochs: Annotated[tuple[Ended, ...], FailFast()]
    blocks: Annotated[tuple[Block, ...], FailFast()]
    gone: Annotated[tuple[Gone, ...], FailFast()]

    @model_validator(mode="after")
    def _is_of_its_version(self) -> Inventory:
        if self.part >= self.parts:
            raise ValueError("a part beyond the last")
        if self.v == 1 and self.model_fields_set & {"part", "parts"}:
            raise ValueError("version 1 knows no parts")
        return self


class Ack(Message):
    """What the ledger holds of a lane: frames by id, blocks by digest, and an inventory by its number.

    `refused` pairs ids with the reason; `need` names point tables that are not known.
    """

    v: Only1 = 1
    kind: Literal["ack"] = "ack"
    life: Hex
    lane: Lane
    ids: Annotated[tuple[Hex, ...], FailFast()] = ()
    held: Annotated[tuple[Block, ...], FailFast()] = ()
    inventory: Number | None = None
    need: Annotated[tuple[Hex, ...], FailFast()] = ()
    refused: Annotated[tuple[tuple[Hex, Text], ...], FailFast()] = ()


class Want(Message):
    """Places that an inventory listed and the ledger does not hold as listed."""

    v: Only1 = 1
    kind: Literal["want"] = "want"
    life: Hex
    lane: Lane
    inventory: Number
    ranges: Annotated[tuple[Range, ...], FailFast()]


class Life(Message):
    """A collector's life; with `alive` false it is the last will."""

    v: Only1 = 1
    kind: Literal["life"] = "life"
    ledger: Name
    ledger_id: Hex
    life: Hex
    time_ms: Natural
    alive: bool


class Head(Message):
    """How far an agent's durable frames go, for whoever lost everything else."""

    v: Only1 = 1
    kind: Literal["head"] = "head"
    lanes: dict[Lane, LaneHead]


class Status(Message):
    """State of an agent's process; `gone` is the last will."""

    v: Only1 = 1
    kind: Literal["status"] = "status"
    process: Hex
    state: Literal["online", "stopped", "gone"]


AnyMessage = Annotated[
    Data | Table | Inventory | Ack | Want | Life | Head | Status, Field(discriminator="kind")
]
_ADAPTER: TypeAdapter[Data | Table | Inventory | Ack | Want | Life | Head | Status] = TypeAdapter(AnyMessage)


def encode(message: Message) -> bytes:
    """Return a message as it travels: compact JSON, from version 2 on deflated where that is shorter."""
    text = message.__pydantic_serializer__.to_json(message)
    return text if message.v == 1 else deflated(text)


def plain(data: bytes) -> bytes:
    """Return the JSON of a message, inflated where it came deflated; it is not parsed.

    Raises
    ------
    WireError
        If it is too large, deflated or inflated, or not whole, or nested too deeply.
    """
    text = inflated(data, MAX_MESSAGE_BYTES)
    if why := refusal(text):
        raise WireError(f"message {why}", evidence=repr(text[:80]))
    return text


def decode(data: bytes) -> Data | Table | Inventory | Ack | Want | Life | Head | Status:
    """Read a message.

    Raises
    ------
    WireError
        If it is too large or too deep, not JSON, of an unknown kind or version, or not exactly of its form.
    """
    text = plain(data)
    try:
        message = _ADAPTER.validate_json(text)
    except ValidationError as error:
        with contextlib.suppress(ValidationError):
            return Data1.model_validate_json(data).renewed()
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise WireError(
            "message that is not of the protocol", evidence=f"{key}: {first['msg']}: {text[:80]!r}"
        ) from error
    if message.v == 1 and text is not data:
        raise WireError("message of a version that is never deflated", evidence=repr(text[:80]))
    return message
