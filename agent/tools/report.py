"""What a probe has found, as facts for a terminal, for machines and for the record (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent.tools.bands import Judged
from agent.tools.diagnosis import Diagnosis, diagnose, sober
from agent.tools.display import Display
from agent.tools.evaluation import Case
from agent.tools.figures import short
from agent.tools.hypotheses import Kind
from agent.tools.naming import order_name
from agent.tools.probe import Examined
from agent.tools.telling import Place, Told, tell
from agent.tools.variants import Number
from config.strict import DIRECT
from core.carbon.rounding import exact_text


@dataclass(frozen=True, slots=True)
class Row:
    """A point, as configured and as it would make sense.

    Attributes
    ----------
    address
        Of each of its parts.
    words
        Of each of its parts, as received.
    witness
        Whether it is read by the probe only.
    other, other_judged
        What it says with all found mistakes mended; None where that is the same.
    """

    name: str
    address: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]
    unit: str
    number: Number
    judged: Judged
    witness: bool = False
    other: Number | None = None
    other_judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe has found.

    Attributes
    ----------
    yours, alternative
        Titles of both columns; `alternative` is empty where all is read as configured.
    agreeing
        Comparisons that hold.
    unchecked
        What cannot be told from here, and how it is checked.
    """

    examined: Examined
    diagnosis: Diagnosis
    rows: tuple[Row, ...]
    yours: str
    alternative: str
    told: tuple[Told, ...]
    agreeing: tuple[str, ...]
    unchecked: tuple[str, ...]
    match: str

    @property
    def exit_code(self) -> int:
        """0 all good, 1 a mistake was found."""
        return 1 if self.told else 0

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        if self.told:
            count = len(self.told)
            some = "one mistake" if count == 1 else f"{count} mistakes"
            return f"exit 1: {some} found, nothing was written to the meter"
        return "good: every value makes sense; nothing was written to the meter"


def report(examined: Examined, display: Display | None, place: Place) -> Report:
    """Diagnose a device that was examined.

    Parameters
    ----------
    examined
        What was received.
    display
        What the meter's own display shows; None where nobody has looked.
    place
        Where the keys of the configuration stand.
    """
    case = Case(
        examined.case.entries,
        examined.case.first,
        examined.case.setup,
        examined.case.later,
        examined.case.elapsed_s,
        examined.case.refused,
        display,
    )
    diagnosis = sober(diagnose(case), case) if place.shipped else diagnose(case)
    told = [tell(case, diagnosis, finding, place) for finding in diagnosis.findings]
    told += _another_meter(examined, place)
    yours, alternative = _titles(case, diagnosis)
    mended = diagnosis.mended
    return Report(
        examined,
        diagnosis,
        tuple(_rows(case, diagnosis, compared=bool(alternative))),
        yours,
        alternative,
        tuple(told),
        tuple(relation.text for relation in mended.relations if relation.agrees),
        tuple(_unchecked(case, diagnosis)),
        _match(diagnosis),
    )


def _match(diagnosis: Diagnosis) -> str:
    match = diagnosis.configured.match or diagnosis.mended.match
    return match.text if match is not None else ""


def _another_meter(examined: Examined, place: Place) -> Iterator[Told]:
    expected, seen = examined.device.serial_number, examined.identity.serial_number
    if expected is not None and seen and expected != seen:
        yield Told(
            f"serial number: this meter says {seen}, configured is {expected}",
            ("it is another meter than the configuration means, or it was exchanged.",),
            (f"{place('agent', ('serial_number',))} serial_number: {seen}, if it was exchanged",),
            ("serial number",),
        )


def _titles(case: Case, diagnosis: Diagnosis) -> tuple[str, str]:
    configured, mended = diagnosis.configured, diagnosis.mended
    if all(
        configured.numbers[name] == mended.numbers[name] and judged.sense is mended.judged[name].sense
        for name, judged in configured.judged.items()
    ):
        return "", ""
    for finding in diagnosis.findings:
        if len(finding.candidates) != 1:
            continue
        (found,) = finding.candidates
        if found.kind is Kind.ORDER and found.level == 0:
            first = next(e for e in case.entries if e.name in found.variants).register
            variant = next(iter(found.variants.values()))
            was = [first.word_order.value] if variant.swap_words else []
            was += [first.byte_order.value] if variant.swap_bytes else []
            return f"{' '.join(was)} (yours)", order_name(case, found)
        if found.variants or found.setup is not None:
            return "yours", {
                Kind.ADDRESS: f"address {found.detail}",
                Kind.SIDE: f"{found.detail} side",
            }.get(found.kind, "mended")
    return "", ""


def _rows(case: Case, diagnosis: Diagnosis, *, compared: bool) -> Iterator[Row]:
    configured, mended = diagnosis.configured, diagnosis.mended
    for entry in case.entries:
        number, judged = configured.numbers[entry.name], configured.judged[entry.name]
        yield Row(
            entry.name,
            tuple(part.address for part in entry.register.parts),
            number.words,
            entry.measure.unit.value,
            number,
            judged,
            entry.witness,
            mended.numbers[entry.name] if compared else None,
            mended.judged[entry.name] if compared else None,
        )


def _unchecked(case: Case, diagnosis: Diagnosis) -> Iterator[str]:
    kinds = {found.kind for finding in diagnosis.findings for found in finding.candidates}
    setup = diagnosis.world.setup
    if case.setup.ct == DIRECT and case.setup.vt == DIRECT:
        yield "CT and VT: none configured. Is the conductor led through the meter?"
    elif Kind.CT not in kinds:
        ratio = f"{exact_text(case.setup.ct.primary)}/{exact_text(case.setup.ct.secondary)}"
        if case.setup.ct == DIRECT:
            yield "CT: none configured. Is the conductor led through the meter?"
        else:
            yield f"CT ratio {ratio}. Read it off the nameplate, not off the meter.{_clamp(case, diagnosis)}"
    if setup.vt != DIRECT and setup.side == "secondary" and Kind.VT not in kinds:
        ratio = f"{exact_text(setup.vt.primary)}/{exact_text(setup.vt.secondary)}"
        yield f"VT ratio {ratio}. Read it off the nameplate as well."
    match = diagnosis.mended.match
    if case.energy is not None and match is None:
        yield "the register against the meter's display. Give it: --display KWH"
    elif match is not None and match.agrees is None:
        yield f"{match.text}. Probe again when it has counted more."
    elif match is not None and match.agrees and not match.proves_side and setup.side == "secondary":
        yield "side: display and register show the same; is that before CT and VT?"
    for relation in diagnosis.mended.relations:
        if relation.kind in ("step", "still") and relation.agrees is None:
            yield f"energy against power: {relation.text}."
        elif relation.kind in ("same", "uneven") and relation.agrees is None:
            yield f"{relation.text}."


def _clamp(case: Case, diagnosis: Diagnosis) -> str:
    """What a clamp meter would have to show on the primary conductor."""
    for entry in case.entries:
        value = diagnosis.mended.numbers[entry.name].value
        if entry.name == "current_l1" and value and entry.name in diagnosis.mended.good:
            factor = float(case.setup.ct.factor) if diagnosis.world.setup.side == "secondary" else 1.0
            amperes = float(value) * entry.base_factor * factor
            return f" Or: a clamp meter on L1 must show {short(amperes)} A now."
    return ""


def as_facts(result: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    examined, measured = result.examined, result.examined.measured
    return {
        "device": examined.device.id,
        "where": examined.where,
        "profile": examined.profile.id,
        "identity": {
            "vendor": examined.identity.vendor,
            "model": examined.identity.model,
            "firmware": examined.identity.firmware,
            "serial_number": examined.identity.serial_number,
        },
        "requests": examined.requests,
        "measured": measured
        and {
            "reply_ms": {"p50": measured.p50_ms, "p99": measured.p99_ms},
            "lost": measured.lost,
            "gap_ms": measured.gap_ms,
            "registers_at_once": measured.limit and measured.limit.words,
            "more_refused": measured.limit.refused if measured.limit else "",
        },
        "points": [_row_facts(row) for row in result.rows],
        "alternative": result.alternative,
        "findings": [
            {"what": told.headline, "kinds": told.kinds, "why": told.why, "fix": told.fix}
            for told in result.told
        ],
        "agreeing": result.agreeing,
        "not_checked": result.unchecked,
        "display": result.match,
        "exit": result.exit_code,
    }


def _row_facts(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "point": row.name,
        "address": row.address,
        "hex": [[f"{word:04X}" for word in part] for part in row.words],
        "value": value_text(row.number),
        "unit": row.unit,
        "plausible": row.judged.sense.value,
        "why": row.judged.why,
        "configured": not row.witness,
    }
    if row.other is not None and row.other_judged is not None:
        facts["alternative"] = value_text(row.other)
        facts["alternative_plausible"] = row.other_judged.sense.value
        facts["alternative_why"] = row.other_judged.why
    return facts


def value_text(number: Number) -> str | None:
    """Return a value in all its digits; None where there is none."""
    if number.value is None:
        return None
    return exact_text(number.value) if isinstance(number.value, Fraction) else repr(number.value)
