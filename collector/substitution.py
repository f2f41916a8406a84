"""Rules by which the energy of an interval is found where no register gives it, each by its name."""

from __future__ import annotations

from enum import StrEnum

from collector.view import View
from config.hq import SiteRecord
from config.meters import MeterRecord
from core.errors import DataError
from core.metering.sources import Origin
from core.timeline import Interval, days_later, format_local

_DAYS = 7
_OF_REGISTERS = (Origin.MEASURED, Origin.INTERPOLATED)


class Rule(StrEnum):
    """How a substitute is found."""

    SAME_HOURS_LAST_WEEK = "same_hours_last_week"
    MEAN_OF_LAST_7_DAYS = "mean_of_last_7_days"


def substitute(view: View, site: SiteRecord, meter: MeterRecord, interval: Interval, rule: Rule) -> int:
    """Return the energy that a rule gives a meter in an interval [Wh].

    Parameters
    ----------
    interval
        Not empty.
    rule
        The same local hours a week before, or the mean power of the seven local days before the interval.
        Where the time taken is not as long as the interval, the energy goes by time, rounded down.

    Raises
    ------
    DataError
        Registers do not give the energy that the rule asks for.
    ConfigError
        Records contradict each other.
    """
    zone = site.time_zone
    taken = Interval(days_later(interval.start_ms, zone, -_DAYS), days_later(interval.end_ms, zone, -_DAYS))
    if rule is Rule.MEAN_OF_LAST_7_DAYS:
        taken = Interval(taken.start_ms, interval.start_ms)
    (found,) = view.series(site, meter, (taken.start_ms, taken.end_ms))
    if found.wh is None or found.origin not in _OF_REGISTERS or not taken.duration_ms:
        raise DataError(
            f"{rule} needs an energy that registers give",
            where=meter.point,
            evidence=f"{format_local(taken.start_ms, zone)} to {format_local(taken.end_ms, zone)}: "
            + ("; ".join(map(str, found.missing)) or f"it is {found.origin}"),
            next="take the other rule, or give the energy: --kwh N --method HOW --document WHAT",
        )
    return found.wh * interval.duration_ms // taken.duration_ms
