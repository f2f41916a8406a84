"""What a plan must not say though each command can read it, and what is hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from config.factors import load_electricity_series
from config.hq import HqConfig
from config.network import NetworkMeter
from config.site_record import SiteRecord
from config.strict import Loc, Problem
from core.errors import SeirenError
from core.metering.installations import Installation


def plan_problems(hq: HqConfig) -> Iterator[Problem]:
    """Yield what keeps a plan from being adopted, beyond what every command refuses."""
    yield from _two_places(hq)
    try:
        load_electricity_series(hq.electricity_factor)
    except SeirenError as error:
        yield Problem(("electricity_factor",), f"{error.what}.", error.evidence, error.cause, error.next)


def plan_warnings(hq: HqConfig, today: date) -> Iterator[Problem]:
    """Yield what works, and leaves a figure less sure than it could be.

    Parameters
    ----------
    today
        Calibrations that ended before it are told.
    """
    for loc, site, meter in _meters(hq):
        in_balance = meter.parent is not None or any(
            meter.id in (each.parent, *(move.parent for move in each.moves)) for each in site.meters
        )
        if not meter.installations:
            continue
        latest = meter.installations[-1]
        at = (*loc, "installations", len(meter.installations) - 1)
        if in_balance and latest.accuracy_class is None and meter.current == "ac":
            yield Problem(
                at,
                "The meter has no accuracy class: its balance has no limit.",
                meter.id,
                next='add accuracy_class from its plate, such as "0.5S"',
            )
        if latest.full_scale_kw is None:
            yield Problem(
                at,
                "The meter has no full scale: what goes through a gap has no bound.",
                meter.id,
                next="add full_scale_kw from its CT and VT, or its breaker",
            )
        if latest.calibration_until is not None and latest.calibration_until < today:
            yield Problem(
                (*at, "calibration_until"),
                "The calibration has ended.",
                f"{meter.id}: {latest.calibration_until}",
                next="have it calibrated, or correct the date",
            )
    yield from _roles(hq)


def _roles(hq: HqConfig) -> Iterator[Problem]:
    if not hq.roles:
        return
    reporters, approvers = (
        [person for person, held in hq.roles.items() if role in held] for role in ("reporter", "approver")
    )
    for role, held in (("reporter", reporters), ("approver", approvers)):
        if not held:
            yield Problem(("roles",), f"Nobody is {role}.", next=f"give somebody the role {role}")
    if len(approvers) == 1 and reporters == approvers:
        yield Problem(
            ("roles", approvers[0]),
            "Nobody can close a month: the only approver is the only reporter.",
            approvers[0],
            "a month is approved by another person than the one who submitted it",
            "name another approver",
        )


def _two_places(hq: HqConfig) -> Iterator[Problem]:
    """Yield meters that stand at two places of the plan at one time, by their serial numbers."""
    seen: dict[tuple[str, str], list[tuple[str, Installation]]] = {}
    for loc, site, meter in _meters(hq):
        for index, each in enumerate(meter.dated(site.time_zone)):
            known = seen.setdefault((each.serial, meter.quantity.value), [])
            for name, other in known:
                if name != meter.id and _together(each, other):
                    yield Problem(
                        (*loc, "installations", index, "serial"),
                        "One meter stands in two places.",
                        f"serial number {each.serial} is at {name} and at {meter.id} at the same time",
                        "its energy would count twice",
                        "correct the serial number; tell two circuits of one meter apart as "
                        f"{each.serial}/1 and {each.serial}/2",
                    )
            known.append((meter.id, each))


def _together(one: Installation, other: Installation) -> bool:
    return (one.end_ms is None or other.start_ms < one.end_ms) and (
        other.end_ms is None or one.start_ms < other.end_ms
    )


def _meters(hq: HqConfig) -> Iterator[tuple[Loc, SiteRecord, NetworkMeter]]:
    for number, site in enumerate(hq.sites):
        for index, meter in enumerate(site.meters):
            yield ("sites", number, "meters", index), site, meter
