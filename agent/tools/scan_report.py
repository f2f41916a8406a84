"""What a scan has found, for a terminal and for machines (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.modbus.identity import PRODUCT, REVISION, VENDOR
from agent.tools.render import wrapped
from agent.tools.scan import FoundUnit, Scanned, devices_block


def exit_code(result: Scanned) -> int:
    """Return 0 where all that answer are named, 1 where one is not, 3 where nobody answers."""
    if not result.found:
        return 3
    return 0 if all(len(each.guesses) == 1 for each in result.found) else 1


def lines(result: Scanned) -> Iterator[str]:
    """Yield a scan as a terminal shows it."""
    if result.fault is not None:
        yield from _fault(result)
        return
    asked = f"{len(result.units)} units asked, {len(result.found)} answer"
    yield f"{result.link.where}   {asked}; {result.requests} requests, reads only"
    yield ""
    if not result.found:
        yield from _nobody(result)
        return
    yield f" {'unit':>4}  {'product':<26}reply  how it is known"
    for each in result.found:
        yield from _unit(each)
    for said, units in result.answers.items():
        yield from wrapped(" note  ", (f"for {_range(units)} the gateway itself answers: {said}",))
    yield ""
    block = [*devices_block(result)]
    if block:
        yield "to be pasted into agent.yaml:"
        yield ""
        yield from block
        yield ""
    yield _verdict(result)


def _unit(each: FoundUnit) -> Iterator[str]:
    names = [guess.profile for guess in each.guesses]
    if each.only_refuses:
        name, known = "there, not known", "answers with exceptions only: no registers that we know"
    elif not names:
        said = " ".join(each.objects[at] for at in sorted(each.objects)[:2])
        name, known = "there, not known", f"43/14: {said}" if said else "no profile makes sense of it"
    else:
        name, known = names[0], each.guesses[0].evidence
        if len(names) > 1:
            known = f"or {', '.join(names[1:])}: same registers, so the nameplate decides; {known}"
    label = f" {each.unit:>4}  {name:<26}{each.round_trip_ms:>3.0f} ms "
    yield from wrapped(label, (known,), indent=33)


def _verdict(result: Scanned) -> str:
    unnamed = [each.unit for each in result.found if len(each.guesses) != 1]
    if unnamed:
        return f"exit 1: {_range(unnamed)} not named for certain"
    return "good: every unit that answers is named; next: seiren agent probe"


def _range(units: list[int]) -> str:
    shown = ", ".join(map(str, units[:8])) + (", ..." if len(units) > 8 else "")
    return f"unit{'s' if len(units) > 1 else ''} {shown}"


def _nobody(result: Scanned) -> Iterator[str]:
    first, last = result.units[0], result.units[-1]
    yield from wrapped("FAULT  ", (f"nobody answers at {result.link.where}",))
    seen = [f"the connection stands; units {first} to {last} stay silent"]
    seen += [
        f"for {_range(units)} the gateway itself answers: {said}" for said, units in result.answers.items()
    ]
    yield from wrapped(" seen  ", seen)
    wire = "baud rate and parity" if result.link.serial is not None else "the gateway's baud rate and parity"
    yield from wrapped(
        " do    ",
        (
            "read a unit number off a meter's own menu, and scan that one",
            f"check {wire}, then A/B (swapped?), then the termination at both ends",
        ),
    )
    yield "exit 3: nobody answers"


def _fault(result: Scanned) -> Iterator[str]:
    fault = result.fault
    assert fault is not None
    yield from wrapped("FAULT  ", (f"{result.link.where}: {fault.what}",))
    for label, text in ((" seen  ", fault.evidence), (" cause ", fault.cause), (" do    ", fault.next)):
        if text:
            yield from wrapped(label, (text,))
    yield "exit 3: nobody could be asked"


def facts(result: Scanned) -> dict[str, Any]:
    """Return a scan as plain data."""
    fault = result.fault
    return {
        "where": result.link.where,
        "units_asked": list(result.units),
        "requests": result.requests,
        "found": [
            {
                "unit": each.unit,
                "reply_ms": each.round_trip_ms,
                "vendor": each.objects.get(VENDOR, ""),
                "model": each.objects.get(PRODUCT, ""),
                "firmware": each.objects.get(REVISION, ""),
                "only_exceptions": each.only_refuses,
                "profiles": [
                    {"profile": guess.profile, "score": guess.score, "evidence": guess.evidence}
                    for guess in each.guesses
                ],
            }
            for each in result.found
        ],
        "gateway_answers": result.answers,
        "fault": fault
        and {"what": fault.what, "seen": fault.evidence, "cause": fault.cause, "next": fault.next},
        "devices": "\n".join(devices_block(result)),
        "exit": exit_code(result),
    }
