"""What stood behind a point, as corrections leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from types import MappingProxyType

from core.errors import DataError
from core.metering.corrections import ChangeInstallation, Correction, Exchange
from core.metering.installations import Installation, Side, class_error, in_order, ratio


def corrected_installations(
    installations: Iterable[Installation], corrections: Iterable[Correction]
) -> tuple[Installation, ...]:
    """Return what stood behind one point as corrections leave it, in time order.

    Parameters
    ----------
    installations
        Those of the plan.
    corrections
        Those of the point, in the order in which they were decided.

    Raises
    ------
    DataError
        A correction contradicts the records: its facts are none, or nothing stood there at that time.
    """
    known = in_order(installations)
    for each in corrections:
        if isinstance(each, ChangeInstallation):
            known = _changed(known, each)
        elif isinstance(each, Exchange):
            known = _exchanged(known, each)
    return known


def installed(facts: Iterable[tuple[str, str]]) -> Mapping[str, object]:
    """Return facts as an installation holds them.

    Parameters
    ----------
    facts
        Name, as in the plan, and text, such as ``("ct", "600/5")``.

    Raises
    ------
    DataError
        There is no such fact, or it cannot be that.

    Examples
    --------
    >>> installed([("ct", "600/5")])["ct"]
    Fraction(120, 1)
    """
    found: dict[str, object] = {}
    for name, text in facts:
        if name not in _FACTS:
            raise DataError(
                "there is no such fact of an installation", evidence=name, next=f"one of: {', '.join(_FACTS)}"
            )
        try:
            found |= _FACTS[name](text)
        except (ValueError, ZeroDivisionError) as error:
            raise DataError(f"{name} cannot be that", evidence=text) from error
    return found


def _changed(known: Sequence[Installation], change: ChangeInstallation) -> tuple[Installation, ...]:
    facts = installed(change.facts)
    found = False
    parts: list[Installation] = []
    for each in known:
        for part in _cut(_cut((each,), change.start_ms), change.end_ms):
            if part.start_ms >= change.start_ms and (change.end_ms is None or part.start_ms < change.end_ms):
                parts.append(_with(part, facts))
                found = True
            else:
                parts.append(part)
    if not found:
        raise DataError("nothing was installed then, so nothing can be changed", where=change.point)
    return tuple(parts)


def _cut(parts: Iterable[Installation], at_ms: int | None) -> tuple[Installation, ...]:
    """Cut the installation that holds an instant in two there; the register goes on."""
    cut: list[Installation] = []
    for each in parts:
        if at_ms is None or at_ms <= each.start_ms or (each.end_ms is not None and at_ms >= each.end_ms):
            cut.append(each)
        else:
            cut += (replace(each, end_ms=at_ms, closing=None), replace(each, start_ms=at_ms, opening=None))
    return tuple(cut)


def _exchanged(known: Sequence[Installation], slip: Exchange) -> tuple[Installation, ...]:
    facts = {**installed(slip.facts), "serial": slip.serial, "opening": slip.opening}
    if slip.document:
        facts.setdefault("evidence", slip.document)
    before = [each for each in known if each.serial != slip.serial and each.start_ms < slip.at_ms]
    planned = [each for each in known if each.serial == slip.serial]
    if not before or (planned and planned[0].start_ms <= before[-1].start_ms):
        raise DataError(
            "no other meter stood there before the exchange",
            where=slip.point,
            evidence=f"serial {slip.serial}",
            cause="the serial number is the old meter's, or the time is wrong",
        )
    old = replace(before[-1], end_ms=slip.at_ms, closing=slip.closing)
    if not planned:
        end_ms = before[-1].end_ms
        if end_ms is not None and end_ms <= slip.at_ms:
            raise DataError("nothing was installed at the exchange", where=slip.point)
        new = _with(replace(before[-1], start_ms=slip.at_ms), facts)
        return (*known[: len(before) - 1], old, new, *known[len(before) :])
    first = known.index(planned[0])
    if first != len(before) or (planned[0].end_ms is not None and planned[0].end_ms <= slip.at_ms):
        raise DataError(
            "another meter stood between the exchange and the time from which the plan has the new one",
            where=slip.point,
            evidence=f"serial {slip.serial}",
        )
    new = _with(replace(planned[0], start_ms=slip.at_ms), facts)
    return (*known[: first - 1], old, new, *known[first + 1 :])


def _with(installation: Installation, facts: Mapping[str, object]) -> Installation:
    return replace(installation, **facts)  # type: ignore[arg-type]  # their types are those of `_FACTS`


def _transformer(name: str, unit: str) -> Callable[[str], dict[str, object]]:
    return lambda text: {name: ratio(text), f"{name}_text": f"{text.strip()} {unit}"}


def _fraction(name: str) -> Callable[[str], dict[str, object]]:
    return lambda text: {name: Fraction(text)}


def _text(name: str) -> Callable[[str], dict[str, object]]:
    return lambda text: {name: text}


def _class(text: str) -> dict[str, object]:
    class_error(text)
    return {"accuracy_class": text}


_FACTS: Mapping[str, Callable[[str], dict[str, object]]] = MappingProxyType(
    {
        "ct": _transformer("ct", "A"),
        "vt": _transformer("vt", "V"),
        "side": lambda text: {"side": Side(text)},
        "serial": _text("serial"),
        "wh_per_count": _fraction("wh_per_count"),
        "resolution": _fraction("resolution"),
        "wrap_at": lambda text: {"wrap_at": None if text == "none" else int(text)},
        "full_scale_kw": _fraction("full_scale_kw"),
        "accuracy_class": _class,
        "calibration_until": lambda text: {"calibration_until": date.fromisoformat(text)},
        "profile": _text("profile"),
        "evidence": _text("evidence"),
    }
)
FACTS = tuple(_FACTS)
"""What a correction can change of an installation."""
