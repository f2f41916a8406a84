"""What the receiver asks of a ledger, and the rows in which it says what to keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from core.delivery.frames import Frame, Lane, Stream
from core.delivery.messages import Ack, Block, Gone, Want
from core.delivery.payload import Event, TakenReading
from core.delivery.ranges import Span
from core.delivery.tables import PointTable


class FrameState(StrEnum):
    """How a frame is kept: all three are acknowledged, for the agent may forget each of them."""

    HELD = "held"
    UNDECODED = "undecoded"
    QUARANTINED = "quarantined"


class HeldFrame(NamedTuple):
    """A frame that a ledger keeps, without its contents; `n` is its readings [1]."""

    at: int
    id: str
    n: int
    state: FrameState


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A frame to keep: readings and events where it is held, the raw frame and why where it is not.

    The raw payload is needed only while `state` is undecoded or quarantined; `reason` says why.
    """

    frame: Frame
    state: FrameState
    readings: tuple[TakenReading, ...] = ()
    events: tuple[Event, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """What has ever been heard of an epoch in a lane; every source only raises the numbers.

    Parameters
    ----------
    stream, site
        Whose it is: the topic on which the epoch was first heard.
    frames, readings
        Largest end heard, from head, epoch table, or the successor's link [1].
    linked
        Whether the agent has said what came before: `prev` (None for the first of a spool), how it ended.
    finished
        Whether a later run of the agent has listed it.
    """

    stream: Stream
    site: str
    frames: int = 0
    readings: int = 0
    linked: bool = False
    prev: str | None = None
    clean: bool = False
    finished: bool = False


@dataclass(frozen=True, slots=True)
class LaneRow:
    """The newest inventory of a lane.

    Parameters
    ----------
    process
        Epoch of the run that sent the newest inventory, or None before the first.
    sequence
        Number of that inventory within the run [1].
    listed
        Frames on the agent's disk by that inventory.
    listed_frames
        Where the run's own epoch ended when it was written [frames].
    total_readings
        Largest total of all epochs that a head has told [1].
    """

    agent: str
    lane: Lane
    process: str | None = None
    sequence: int = 0
    listed: tuple[Block, ...] = ()
    listed_frames: int = 0
    total_readings: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """Something a person should know of; delivery goes on.

    `kind` is ``older_disk``, ``spool_replaced``, ``clone``, ``same_place`` or ``foreign_epoch``.
    """

    kind: str
    agent: str
    lane: Lane
    evidence: str


class Holdings(Protocol):
    """A ledger's committed contents, as the receiver looks at them; every method takes many at once."""

    def frames(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldFrame]:
        """Return all frames kept at the places, by index and then in order of arrival."""

    def tables(self, digests: Collection[str]) -> Mapping[str, PointTable]:
        """Return those of the point tables that are known, by digest."""

    def undecoded(self, table: str) -> Sequence[Frame]:
        """Return the frames that wait for a point table."""

    def missing_tables(self, agent: str, lane: Lane) -> Collection[str]:
        """Return the digests of point tables that are not known and that frames of the lane wait for."""

    def epochs(self, agent: str, lane: Lane) -> Sequence[EpochRow]:
        """Return all epochs of an agent's lane, in order of first arrival."""

    def owner(self, epoch: str) -> tuple[str, str] | None:
        """Return site and agent on whose topic an epoch was first heard."""

    def lane(self, agent: str, lane: Lane) -> LaneRow | None:
        """Return the newest inventory of a lane."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A message to one agent, to be published when the decision is committed and not before."""

    site: str
    agent: str
    message: Ack | Want


@dataclass(frozen=True, slots=True)
class Decision:
    """What one transaction must write, and what may be said once it is committed.

    Parameters
    ----------
    frames
        Frames that are new.
    decoded
        Frames kept undecoded before, whose table has now come: their readings, or their quarantine.
    tables
        Point tables that are new.
    epochs, lanes
        Rows to insert or replace by (agent, lane, epoch) and (agent, lane).
    gone
        Ranges that no longer exist at the agent; the same row again changes nothing.
    events
        For people.
    answers
        To publish after the commit.
    """

    frames: tuple[KeptFrame, ...] = ()
    decoded: tuple[KeptFrame, ...] = ()
    tables: tuple[PointTable, ...] = ()
    epochs: tuple[EpochRow, ...] = ()
    lanes: tuple[LaneRow, ...] = ()
    gone: tuple[tuple[Stream, Gone], ...] = ()
    events: tuple[DeliveryEvent, ...] = ()
    answers: tuple[Answer, ...] = ()
