"""Frames: the immutable, numbered, content-addressed unit of spool, wire, loss and acknowledgement."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from core.errors import WireError

ID_PATTERN = r"^[0-9a-f]{32}$"
NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
BLOCK_FRAMES = 1024

_ID = re.compile(ID_PATTERN)
_NAME = re.compile(NAME_PATTERN)


class Lane(StrEnum):
    """Registers or samples: each has its own frames and numbers, and registers go first."""

    REGISTERS = "registers"
    SAMPLES = "samples"


class Stream(NamedTuple):
    """Where frames are numbered 0, 1, 2 … without gaps: one epoch of one lane of one agent."""

    agent: str
    lane: Lane
    epoch: str


@dataclass(frozen=True, slots=True)
class Frame:
    """An immutable batch of readings; its id names exactly these contents.

    Parameters
    ----------
    agent
        Name of the agent that took the readings.
    lane
        Registers or samples.
    epoch
        Random name of one run of the agent, 32 hex digits.
    index
        Number in epoch and lane: 0, 1, 2 … without gaps [1].
    n
        Readings and events in the payload, at least one [1].
    table
        Digest of the point table that says what the payload means, 32 hex digits.
    payload
        Compact JSON, see `core.delivery.payload`.

    Raises
    ------
    WireError
        If a name, number or digest is not of its form.
    """

    agent: str
    lane: Lane
    epoch: str
    index: int
    n: int
    table: str
    payload: str
    id: str = field(init=False)

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.agent) and _ID.fullmatch(self.epoch) and _ID.fullmatch(self.table)):
            raise WireError(
                "frame with an agent, epoch or table of the wrong form",
                evidence=f"{self.agent[:80]!r} {self.epoch[:80]!r} {self.table[:80]!r}",
            )
        if self.index < 0 or self.n < 1:
            raise WireError("frame with impossible numbers", evidence=f"index {self.index}, n {self.n}")
        head = (
            f"seiren.frame/1\n{self.agent}\n{self.lane}\n{self.epoch}\n{self.index}\n{self.n}\n{self.table}\n"
        )
        object.__setattr__(self, "id", _short_digest((head + self.payload).encode()))

    @property
    def stream(self) -> Stream:
        """The numbering that this frame belongs to."""
        return Stream(self.agent, self.lane, self.epoch)


def block_digest(ids: bytes) -> str:
    """Return the digest that names a run of frames by their ids, 32 hex digits.

    Parameters
    ----------
    ids
        Frame ids in the order of their indexes, 16 bytes each, one after the other.
    """
    return _short_digest(b"seiren.block/1\n" + ids)


def _short_digest(data: bytes) -> str:
    """SHA-256 cut to 16 bytes, as 32 hex digits."""
    return hashlib.sha256(data).digest()[:16].hex()
