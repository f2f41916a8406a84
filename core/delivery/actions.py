"""What the sender asks its surroundings to do, and how hard it tries."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery.frames import Lane
from core.delivery.messages import Block, Ended, Gone
from core.delivery.ranges import Span


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How hard to send; the defaults fit a plant's uplink.

    Parameters
    ----------
    window
        Most messages of a lane that a ledger has not acknowledged [1].
    message_bytes, message_frames
        Bounds of a message, which carries one frame at least [bytes], [1].
    timeout_ms, longest_ms
        Wait for an answer before sending again, doubled each time up to the longest [ms]. It begins when the
        broker has the message; one that the broker does not take either is sent again after the longest.
    linger_ms
        Longest wait for more frames to fill a message while others are under way [ms].
    life_ms
        How long a collector counts as alive after it said so [ms].
    head_ms
        Shortest time between two heads [ms].
    spread_ms
        Inventories of many agents are spread over this time when a collector comes back [ms].
    renew_ms
        Shortest time from an inventory to one that tells of new losses [ms].
    transit_bytes
        What may be on its way to the broker however slow the link is, before deflating [bytes].
    bytes_per_s
        Cap on the byte rate, None for none [bytes/s]. It holds on average: a message is sent whole.
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
    renew_ms: int = 300_000
    transit_bytes: int = 32_768
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class SendFrames:
    """Send frames of one epoch in one message."""

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
    """Send a part of the lane's inventory; together the parts list all that is known of the lane."""

    lane: Lane
    number: str
    sequence: int
    part: int
    parts: int
    blocks: tuple[Block, ...]
    epochs: tuple[Ended, ...]
    gone: tuple[Gone, ...]


@dataclass(frozen=True, slots=True)
class SendHead:
    """Publish how far the durable frames go."""


@dataclass(frozen=True, slots=True)
class Free:
    """Every required ledger holds these frames: they may go."""

    lane: Lane
    epoch: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Held:
    """A required ledger holds these frames and another does not: they may go only where space is needed."""

    lane: Lane
    epoch: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Unhold:
    """A ledger is in another life: nothing is free or held but what is said to be from here on."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Set a frame aside that no required ledger takes, and name it lost."""

    lane: Lane
    epoch: str
    at: int
    frame_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Remember this ledger id as the known one under the ledger's name: it is the first ever followed."""

    ledger: str
    ledger_id: str


Send = SendFrames | SendTable | SendInventory | SendHead
"""A message to put on its way."""

Action = Send | Free | Held | Unhold | GiveUp | Trust
