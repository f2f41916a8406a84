"""What a file would add to a ledger: what is new, what contradicts it, what each month becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.errors import DataError
from core.metering.counters import CounterEvent
from core.timeline import HALF_HOUR_MS, Interval

_MOST_KEPT = 1000
_STEPS = 3


class MonthChange(NamedTuple):
    """Energy of a month [Wh] now and with the file, and what its registers leave open then [Wh]."""

    month: str
    now_wh: int | None
    then_wh: int | None
    unproven_wh: int | None


@dataclass(slots=True)
class PointFindings:
    """What a file holds of one point.

    Parameters
    ----------
    point
        Id of the point.
    zone
        Name of its site's time zone.
    first_ms, last_ms
        Of its readings, or of the ends of its intervals [ms since 1970 UTC].
    added, known
        Readings or intervals that are new, and that the ledger holds already [1].
    conflicts
        Instants at which the ledger holds another count: both are kept, the lower one counts, until a
        person excludes one.
    step_ms
        Usual time from one to the next [ms]; None for a single one.
    gaps
        Times without a reading or an interval: longer than half an hour and three usual steps; for
        intervals all.
    total_wh
        Energy of the whole file [Wh]: from its first to its last reading, net of what the register's events
        tell, or the sum of its intervals, rounded half up; None where an event leaves it open.
    months
        Each month that it reaches into.
    events
        What the register has to say, with what the ledger holds of it.
    notes
        What a person should know.
    hash
        Hash of the readings, whatever their order; of intervals: of their runs' ids.
    """

    point: str
    zone: str
    first_ms: int = 0
    last_ms: int = 0
    added: int = 0
    known: int = 0
    conflicts: list[tuple[int, str]] = field(default_factory=list)
    step_ms: int | None = None
    gaps: tuple[Interval, ...] = ()
    total_wh: int | None = None
    months: tuple[MonthChange, ...] = ()
    events: tuple[CounterEvent, ...] = ()
    notes: tuple[str, ...] = ()
    hash: str = ""


class SetAside:
    """What could not be used: how much, and the first thousand with their reasons."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[DataError] = []

    def add(self, error: DataError) -> None:
        """Set something aside."""
        self.count += 1
        if len(self.first) < _MOST_KEPT:
            self.first.append(error)

    def reasons(self) -> Sequence[tuple[str, int]]:
        """Return the reasons among the first thousand, the commonest first, with how often each [1]."""
        return Counter(error.what for error in self.first).most_common()

    @property
    def hopeless(self) -> bool:
        """Whether as much was set aside as is kept; with nothing good beside it the mapping is wrong."""
        return self.count >= _MOST_KEPT


@dataclass(slots=True)
class Findings:
    """What became, or would become, of a file.

    Parameters
    ----------
    file, sha256
        Its name, and the hash of its bytes.
    kind
        ``registers`` or ``intervals``.
    form
        ``csv``, ``nem12`` or ``green button``.
    points
        By point, sorted.
    aside
        What could not be used.
    passed_over
        Channels that no point was named for, and how many values each has [1].
    dry
        Whether nothing was written because only a look was asked for.
    decision
        Number of the decision that brought it; None where nothing was written.
    """

    file: str
    sha256: str
    kind: str
    form: str
    points: tuple[PointFindings, ...]
    aside: SetAside
    passed_over: dict[str, int]
    dry: bool
    decision: int | None = None

    @property
    def added(self) -> int:
        """Readings or intervals that are new [1]."""
        return sum(each.added for each in self.points)


class Pace:
    """Follows times in their order: first, last, the usual step, and where there is none."""

    def __init__(self) -> None:
        self.first_ms: int | None = None
        self.last_ms = 0
        self._steps: Counter[int] = Counter()
        self._long: list[Interval] = []

    def at(self, time_ms: int) -> None:
        """Go on to the next instant [ms since 1970 UTC]."""
        if self.first_ms is None:
            self.first_ms = time_ms
        else:
            step_ms = time_ms - self.last_ms
            self._steps[step_ms] += 1
            if step_ms > HALF_HOUR_MS:
                self._long.append(Interval(self.last_ms, time_ms))
        self.last_ms = time_ms

    @property
    def step_ms(self) -> int | None:
        """The usual step [ms]; None before the second instant."""
        return self._steps.most_common(1)[0][0] if self._steps else None

    def gaps(self) -> Iterator[Interval]:
        """Yield the gaps, in time order."""
        usual_ms = self.step_ms or 0
        return (each for each in self._long if each.duration_ms > _STEPS * usual_ms)
