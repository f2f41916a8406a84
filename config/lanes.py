"""When devices are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from config.strict import Model, Problem

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class RegistersLane(Model):
    """When counters are read: every `every_s` [s], and on both sides of each half-hour.

    `boundary_margin_ms` [ms] is how far before and after. `spread` shifts each device's readings by a
    phase of its own, so that not all are asked in one instant; those at the half-hours are never shifted.
    """

    every_s: Seconds = 60
    boundary_margin_ms: Annotated[int, Field(ge=0, le=60_000)] = 2000
    spread: bool = True

    def problems(self) -> Iterator[Problem]:
        """Yield a margin in which a whole period has room."""
        if self.boundary_margin_ms >= self.every_s * 1000:
            yield Problem(
                ("boundary_margin_ms",),
                "The margin is as long as the period: the readings around a half-hour would cross.",
                evidence=f"{self.boundary_margin_ms} ms; every {self.every_s:g} s",
                cause="boundary_margin_ms is in milliseconds, every_s in seconds",
                next="write 2000, or a longer every_s",
            )


class SamplesLane(Model):
    """When gauges are read: every `every_s` [s], with `spread` as counters.

    A gauge with a deadband is reported at least every `at_least_every_s` [s], changed or not.
    """

    every_s: Seconds = 10
    spread: bool = True
    at_least_every_s: Seconds = 300

    def problems(self) -> Iterator[Problem]:
        """Yield a report that is asked for more often than there is a reading."""
        if "at_least_every_s" in self.model_fields_set and self.at_least_every_s < self.every_s:
            yield Problem(
                ("at_least_every_s",),
                "A gauge cannot be reported more often than it is read.",
                evidence=f"{self.at_least_every_s:g} s; read every {self.every_s:g} s",
                next="write a multiple of every_s, such as 300",
            )


class IdentityLane(Model):
    """When devices are asked who they are: on connecting, and every `every_s` [s]."""

    every_s: Seconds = 86_400
