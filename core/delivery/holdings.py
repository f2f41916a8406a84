"""What the receiver asks of a ledger, and the rows in which it says what to keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from core.delivery.frames import Frame, Lane, Stream
from core.delivery.messages import Ack, Block, Ended, Gone, Want
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


class HeldBlock(NamedTuple):
    """Consecutive frames of one state whose ids a ledger has forgotten: they stand for held as a whole.

    A ledger makes such blocks of `core.delivery.frames.BLOCK_FRAMES` aligned frames when no agent has them
    any more, but leaves alone what can still be told apart only by ids: places with two frames, and
    places that a range other than a freed one names.

    Parameters
    ----------
    first, frames
        Its places [1].
    readings
        Readings of all its frames [1].
    state
        How they are kept.
    digest
        Over their ids, see `core.delivery.frames.block_digest`.
    """

    first: int
    frames: int
    readings: int
    state: FrameState
    digest: str

    @property
    def end(self) -> int:
        """One beyond its last place."""
        return self.first + self.frames


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A frame to keep: readings and events where it is held, the raw frame and why where it is not.

    The raw payload is needed only while `state` is undecoded or quarantined; `reason` says why. An
    undecoded frame waits for its point table, or where `boot` is not empty for the anchor of that run of
    its machine.
    """

    frame: Frame
    state: FrameState
    readings: tuple[TakenReading, ...] = ()
    events: tuple[Event, ...] = ()
    reason: str = ""
    boot: str = ""


class AnchorRow(NamedTuple):
    """When a run of an agent's machine began [ms since 1970 UTC]; the earliest that was told is used."""

    agent: str
    boot: str
    start_ms: int


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
    judged_frames, judged_readings
        How far the newest inventory has judged it: below, what it does not list is not on disk; beyond,
        it is newer and waits [1].
    """

    stream: Stream
    site: str
    frames: int = 0
    readings: int = 0
    linked: bool = False
    prev: str | None = None
    clean: bool = False
    finished: bool = False
    judged_frames: int = 0
    judged_readings: int = 0


@dataclass(frozen=True, slots=True)
class Arriving:
    """An inventory of which not all parts have come; what they say is taken, what they leave out is not.

    Parameters
    ----------
    process, sequence, parts
        Names the inventory, and how many parts it has [1].
    came
        Numbers of the parts that have come.
    epochs, blocks
        What they list.
    strange
        Epochs that were new with them and follow nothing that was known.
    """

    process: str
    sequence: int
    parts: int
    came: tuple[int, ...] = ()
    epochs: tuple[Ended, ...] = ()
    blocks: tuple[Block, ...] = ()
    strange: tuple[str, ...] = ()


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
    total_readings
        Largest total of all epochs that a head has told [1].
    arriving
        A newer inventory of which parts are missing.
    """

    agent: str
    lane: Lane
    process: str | None = None
    sequence: int = 0
    listed: tuple[Block, ...] = ()
    total_readings: int = 0
    arriving: Arriving | None = None


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """Something a person should know of; delivery goes on.

    `kind` is ``older_disk``, ``spool_replaced``, ``clone``, ``same_place``, ``foreign_epoch`` or ``refused``.
    """

    kind: str
    agent: str
    lane: Lane
    evidence: str


class Holdings(Protocol):
    """A ledger's committed contents, as the receiver looks at them; every method takes many at once."""

    def frames(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldFrame]:
        """Return all frames kept at the places, by index and then in order of arrival."""

    def blocks(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldBlock]:
        """Return the blocks without ids that have any of the places, by first index."""

    def tables(self, digests: Collection[str]) -> Mapping[str, PointTable]:
        """Return those of the point tables that are known, by digest."""

    def undecoded(self, table: str) -> Sequence[Frame]:
        """Return the frames that wait for a point table."""

    def starts_ms(self, agent: str, boots: Collection[str]) -> Mapping[str, int]:
        """Return when those of an agent's machine's runs began that have an anchor [ms since 1970 UTC]."""

    def untimed(self, agent: str, boot: str) -> Sequence[Frame]:
        """Return the frames of an agent that wait for the anchor of a run of its machine."""

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
        Frames kept undecoded before, whose table or anchor has now come: their readings, or their quarantine.
    merged
        Frames inside a block without ids that came again: their readings are put where readings go, which
        changes nothing if they are there; no row of a frame, no event, and nothing is counted.
    tables, anchors
        Point tables and anchors that are new.
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
    merged: tuple[KeptFrame, ...] = ()
    tables: tuple[PointTable, ...] = ()
    anchors: tuple[AnchorRow, ...] = ()
    epochs: tuple[EpochRow, ...] = ()
    lanes: tuple[LaneRow, ...] = ()
    gone: tuple[tuple[Stream, Gone], ...] = ()
    events: tuple[DeliveryEvent, ...] = ()
    answers: tuple[Answer, ...] = ()
