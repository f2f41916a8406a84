"""The facts that a collector and its ledger tell, as /status carries them; times in ms since 1970 UTC."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from core.errors import SeirenError


class _Facts(BaseModel):
    """Base of the facts: frozen; what a newer collector tells besides is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(_Facts):
    """An error in the words in which it was told."""

    what: str
    where: str = ""
    seen: str = ""
    cause: str = ""
    next: str = ""

    @classmethod
    def of(cls, error: SeirenError | None) -> Fault | None:
        """Return the words of an error, if there is one."""
        if error is None:
            return None
        return cls(
            what=error.what, where=error.where, seen=error.evidence, cause=error.cause, next=error.next
        )


class LaneRecord(_Facts):
    """Readings of an agent's lane [1]: taken = stored + quarantined + lost + waiting + owed.

    `head_frames` is how far its newest epoch goes, `owed_frames` how many were found nowhere: the readings of
    some are not known even in number [frames]. `newest_ms` is the time of the newest reading that the
    ledger holds; `adds_up` says whether the two sides of the equation are equal.
    """

    agent: str
    site: str
    lane: str
    head_frames: int = 0
    taken: int = 0
    stored: int = 0
    quarantined: int = 0
    lost: dict[str, int] = {}
    waiting: int = 0
    owed: int = 0
    owed_frames: int = 0
    extra: int = 0
    newest_ms: int | None = None
    adds_up: bool = True

    @property
    def closes(self) -> bool:
        """Whether every reading that was taken is stored, waiting, or named."""
        return self.adds_up and not self.owed and not self.owed_frames


class Aside(_Facts):
    """What was set aside: how many different things, how often they came [1], and when last."""

    source: str
    reason: str
    things: int
    times: int
    last_ms: int


class Happened(_Facts):
    """Something that the receiver noticed or an agent recorded."""

    time_ms: int
    agent: str
    kind: str
    text: str


class Record(_Facts):
    """What a ledger holds, from one snapshot.

    `behind` is how many frames the reading store has not got yet [frames]; `read_ms` when the snapshot was
    taken, `took_s` how long it took to read [s]. `set_aside` counts all things set aside [1], `aside` has the
    newest kinds of them.
    """

    points: int
    store: str
    behind: int
    lanes: tuple[LaneRecord, ...]
    set_aside: int
    aside: tuple[Aside, ...]
    events: tuple[Happened, ...]
    read_ms: int
    took_s: float

    @property
    def closes(self) -> bool:
        """Whether every reading that was taken is stored, waiting, or named."""
        return all(lane.closes for lane in self.lanes)


class BrokerFacts(_Facts):
    """The connection to the broker: since when it is as it is, and why it is not there."""

    where: str
    connected: bool
    since_ms: int
    fault: Fault | None = None


class StoreFacts(_Facts):
    """The reading store: whether samples are let in, and why it does not take what it is given."""

    name: str
    open: bool
    fault: Fault | None = None


class InboxFacts(_Facts):
    """A lane's messages: those that wait for their transaction, and those since the start [1]."""

    messages: int
    bytes: int
    taken: int
    dropped: int


class Visited(_Facts):
    """An agent as the broker shows it: when it last said something, and the state of its process."""

    site: str
    agent: str
    heard_ms: int | None
    state: str


class Live(_Facts):
    """What a running collector knows besides its ledger.

    `life` is the present one and `lives` how many there were since the start [1]; `strangers` are sites
    that are not ours and how many messages came from them [1].
    """

    ledger: str
    ledger_id: str
    version: str
    time_ms: int
    started_ms: int
    life: str
    lives: int
    broker: BrokerFacts
    store: StoreFacts
    ledger_fault: Fault | None
    inboxes: dict[str, InboxFacts]
    agents: tuple[Visited, ...]
    strangers: dict[str, int]


class Facts(_Facts):
    """All that a running collector tells; without a record, the ledger did not answer."""

    live: Live
    record: Record | None
