"""A meter's place in its site's network, and virtual meters that are sums of others."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from config.local_time import LocalTime
from config.meters import MeterRecord
from config.strict import Id, Loc, Model, Names, NotNegativeExact, Problem
from core.errors import UsageError
from core.metering.nodes import Current, Node, Sum
from core.metering.quantities import Quantity
from core.timeline import parse_local


class Move(Model):
    """From when on a meter has been fed by another one."""

    from_: Annotated[LocalTime, Field(alias="from")]
    parent: Id


class NetworkMeter(MeterRecord):
    """A meter, and its place in the network.

    Attributes
    ----------
    from_, to
        First instant at which it is part of the network, and first instant after it; None: always.
    moves
        Later parents, oldest first.
    """

    from_: Annotated[LocalTime | None, Field(alias="from")] = None
    to: LocalTime | None = None
    moves: tuple[Move, ...] = ()

    def nodes(self, time_zone: ZoneInfo) -> tuple[Node, ...]:
        """Return the meter in each of its places.

        Raises
        ------
        UsageError
            A local time does not exist, or exists twice.
        """
        starts = [None if self.from_ is None else parse_local(self.from_, time_zone)]
        starts += [parse_local(move.from_, time_zone) for move in self.moves]
        ends = [*starts[1:], None if self.to is None else parse_local(self.to, time_zone)]
        parents = [self.parent, *(move.parent for move in self.moves)]
        return tuple(
            Node(
                meter=self.id,
                quantity=self.quantity,
                current=Current(self.current),
                parent=parent,
                start_ms=start_ms,
                end_ms=end_ms,
                integrated=self.source == "power" and not self.integrated_in_boundary,
            )
            for parent, start_ms, end_ms in zip(parents, starts, ends, strict=True)
        )

    def place_problems(self, loc: Loc, time_zone: ZoneInfo) -> Iterator[Problem]:
        """Yield what is wrong with the times of its places."""
        times: list[tuple[Loc, str | None]] = [((*loc, "from"), self.from_)]
        times += [((*loc, "moves", index, "from"), move.from_) for index, move in enumerate(self.moves)]
        times.append(((*loc, "to"), self.to))
        known: list[tuple[Loc, str, int]] = []
        for at, text in times:
            if text is None:
                continue
            try:
                known.append((at, text, parse_local(text, time_zone)))
            except UsageError as error:
                yield Problem(at, f"This is {error.what}.", error.evidence, error.cause, error.next)
        for (_, before, earlier_ms), (at, text, later_ms) in pairwise(known):
            if later_ms <= earlier_ms:
                yield Problem(
                    at,
                    "A meter's times stand in order.",
                    f"{text} after {before}",
                    next="correct one of the two",
                )
        if self.moves and self.parent is None:
            yield Problem(
                (*loc, "moves"),
                "A meter without a parent cannot be moved to another one.",
                self.id,
                next="say with from: and to: since when it has been where",
            )


class VirtualMeter(Model):
    """A meter that is not there: a signed sum of others.

    Attributes
    ----------
    plus, minus
        Ids of the meters that are added and taken off; physical or virtual.
    losses_percent
        What is lost unmetered before them, on top of what they count [%].
    """

    id: Id
    name: Names
    plus: Annotated[tuple[Id, ...], Field(min_length=1)]
    minus: tuple[Id, ...] = ()
    losses_percent: NotNegativeExact = Fraction(0)
    parent: Id | None = None
    process: Id | None = None

    @model_validator(mode="after")
    def _losses_below_all(self) -> VirtualMeter:
        if self.losses_percent >= 100:
            raise ValueError("has losses of 100 % or more")
        return self

    def node(self, direct: bool) -> Node:
        """Return it as the core knows it; `direct`: it is a sum of direct current."""
        return Node(
            meter=self.id,
            quantity=Quantity.DC_ENERGY if direct else Quantity.ACTIVE_ENERGY_IMPORT,
            current=Current.DC if direct else Current.AC,
            parent=self.parent,
            sum=Sum(tuple(sorted(self.plus)), tuple(sorted(self.minus)), self.losses_percent / 100),
        )
