"""What the sender asks its surroundings to do, and how hard it tries."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery.frames import Lane
from core.delivery.messages import Block
from core.delivery.ranges import Span


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How hard to send; the defaults fit a plant's uplink.

    Parameters
    ----------
    window
        Most unacknowledged messages of a lane [1].
    message_bytes, message_frames
        Bounds of a message, which carries one frame at least [bytes], [1].
    timeout_ms, longest_ms
        Wait for an answer before sending again, doubled each time up to the longest [ms].
    linger_ms
        Longest wait for more frames to fill a message while others are under way [ms].
    life_ms
        How long a collector counts as alive after it said so [ms].
    head_ms
        Shortest time between two heads [ms].
    spread_ms
        Inventories of many agents are spread over this time when a collector comes back [ms].
    bytes_per_s
        Cap on the byte rate, None for none [bytes/s].
    """

    window: int = 32
    message_bytes: int = 65_536
    message_frames: int = 1_000
    timeout_ms: int = 10_000
    longest_ms: int = 300_000
    linger_ms: int = 1_000
    life_ms: int = 95_000
    head_ms: int = 1_000
    spread_ms: int = 200
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class SendFrames:
    """Send frames of one epoch and point table in one message."""

    lane: Lane
    epoch: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class SendTable:
    """Send a point table on a lane."""

    lane: Lane
    digest: str


@dataclass(frozen=True, slots=True)
class SendInventory:
    """Send the lane's inventory: these blocks, with the spool's epoch table as it is now."""

    lane: Lane
    number: str
    sequence: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class SendHead:
    """Publish how far the durable frames go."""


@dataclass(frozen=True, slots=True)
class Free:
    """The ledger holds these frames: they may go."""

    lane: Lane
    epoch: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Unhold:
    """Another life: whatever was freed and is still on disk is needed again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Set a frame aside that every life refuses, and name it lost."""

    lane: Lane
    epoch: str
    at: int
    frame_id: str
    why: str


Action = SendFrames | SendTable | SendInventory | SendHead | Free | Unhold | GiveUp
