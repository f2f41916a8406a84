"""A probe's report as a terminal shows it: 80 columns of plain ASCII (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from agent.tools.bands import Judged, Sense
from agent.tools.figures import short
from agent.tools.measuring import Measured
from agent.tools.probe import Silent
from agent.tools.report import Report, Row
from agent.tools.telling import Told
from agent.tools.variants import Number

WIDTH: Final = 80
_COLUMN: Final = 17
_SHORT: Final = (
    ("reactive_energy_", "er_"),
    ("active_energy_", "e_"),
    ("apparent_energy", "es"),
    ("reactive_power", "q"),
    ("apparent_power", "s"),
    ("active_power", "p"),
    ("power_factor", "pf"),
    ("frequency", "freq"),
    ("voltage_", "v_"),
    ("current_", "i_"),
    ("dc_energy", "e_dc"),
    ("dc_power", "p_dc"),
)
_TRIALS: Final = {
    "word order": "the other word and byte orders",
    "address": "address -1 and +1",
    "scale": "kW for W and kWh for Wh (1,000 times)",
    "type": "signed, unsigned, float and decimal",
    "function": "the other function",
    "side": "the other side",
    "CT ratio": "a larger CT",
    "VT ratio": "another VT",
    "kW for kWh": "power in place of energy",
    "sides mixed": "sides mixed",
}
_SENSES: Final = {Sense.NO_VALUE: "n/a", Sense.OPEN: "-", Sense.ZERO: "-"}


def short_name(name: str) -> str:
    """Return a point's name in nine characters.

    Examples
    --------
    >>> short_name("active_energy_import"), short_name("active_power"), short_name("voltage_l1n")
    ('e_import', 'p', 'v_l1n')
    """
    for long, brief in _SHORT:
        if name.startswith(long):
            name = brief + name.removeprefix(long)
            break
    return name if len(name) <= 9 else f"{name[:8]}~"


def head(report: Report) -> Iterator[str]:
    """Yield who answers, and how."""
    examined = report.examined
    product = examined.identity.model or examined.profile.id
    serial = examined.identity.serial_number
    line = f"{examined.where}   {product}" + (f", serial {serial}" if serial else "")
    measured = examined.measured
    if measured is not None:
        reply = f"reply {short(round(measured.p50_ms, 1))} ms (p99 {short(round(measured.p99_ms, 1))} ms)"
        line = f"{line}   {reply}" if len(line) + len(reply) + 3 <= WIDTH else f"{line}\n {reply}"
    yield from line.split("\n")
    if measured is not None:
        yield f" {_paced(measured)}; {examined.requests} requests, reads only"
    yield ""


def _paced(measured: Measured) -> str:
    gap = "loses replies even with a gap of 200 ms"
    if measured.gap_ms == 0:
        gap = "needs no gap"
    elif measured.gap_ms is not None:
        gap = f"needs gap_ms: {measured.gap_ms}"
    if measured.limit is None:
        return gap
    at_once = f"{measured.limit.words} registers at once"
    return f"{gap}, {at_once if measured.limit.words == 125 else f'at least {at_once}'}"


def table(report: Report) -> Iterator[str]:
    """Yield every point: where, what was received, what it means, and whether that can be."""
    if report.alternative:
        titles = f" {report.yours:>17}{'':5}{report.alternative:>17}"
        yield f" {'addr':>5} {'point':<9} {'words received':<19}{titles}"
    else:
        yield f" {'addr':>5} {'point':<9} {'words received':<19} {'value':>17}      why"
    for row in report.rows:
        yield from _row(row)
    if any(row.witness for row in report.rows):
        yield " * in the profile, but not configured: read as a witness"
    yield ""


def _row(row: Row) -> Iterator[str]:
    parts = row.words or ((),)
    name = f"{short_name(row.name)[:8]}*" if row.witness else short_name(row.name)
    for at, address in enumerate(row.address):
        words = " ".join(f"{word:04X}" for word in (parts[at] if at < len(parts) else ()))
        line = f" {address:>5} {name if at == 0 else '  +':<9} {words:<19}"
        if at == 0:
            line += f" {_value(row.number, row.unit):>17} {_sense(row.judged):<3}"
            if row.other is not None and row.other_judged is not None:
                line += f" {_value(row.other, row.unit):>17} {_sense(row.other_judged)}"
            else:
                line += f"  {row.judged.band}" if row.number.read else "  refused"
        yield line.rstrip()


def _value(number: Number, unit: str) -> str:
    if number.value is None:
        return "-"
    text = f"{short(number.value)} {unit}" if unit != "1" else f"{short(number.value)}  "
    return text if len(text) <= _COLUMN else f"{float(number.value):.1e} {unit}"


def _sense(judged: Judged) -> str:
    return _SENSES.get(judged.sense, judged.sense.value)


def tail(report: Report, kept: str = "") -> Iterator[str]:
    """Yield what was found, what was not checked, what was kept, and the exit code in words."""
    if report.match:
        yield f" {report.match}"
        yield ""
    for told in report.told:
        yield from _finding(report, told)
        yield ""
    if not report.told:
        yield from wrapped("good   ", report.agreeing or ("every value is where it can be",))
    yield from wrapped("NOT CHECKED HERE  ", report.unchecked, indent=7)
    if kept:
        yield f" kept  {kept}"
    yield report.verdict


def _finding(report: Report, told: Told) -> Iterator[str]:
    yield from wrapped("FOUND  ", (told.headline,))
    yield from wrapped(" why   ", told.why)
    if tried := _tried(report, told):
        yield from wrapped("       ", (tried,))
    yield from wrapped(" fix   ", (*told.fix, "then run this probe again"))


def _tried(report: Report, told: Told) -> str:
    """The other mistakes that were looked for."""
    kinds = [kind for kind in report.diagnosis.tried if kind not in told.kinds]
    if not kinds or "serial number" in told.kinds:
        return ""
    return f"Tried{' too' if told.kinds else ''}: {', '.join(_TRIALS[kind] for kind in kinds)}: none fits."


def wrapped(label: str, texts: Iterable[str], *, indent: int | None = None) -> Iterator[str]:
    """Yield texts under a label, each from a new line, broken before column 80."""
    rest = " " * (len(label) if indent is None else indent)
    for at, text in enumerate(texts):
        first = label if at == 0 else rest
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=True,
            break_on_hyphens=False,
        )


def silent(found: Silent) -> Iterator[str]:
    """Yield the fault of a device that does not answer, and what else on its bus does."""
    error = found.fault
    yield from wrapped("FAULT  ", (f"{found.device.id} ({found.where}): {error.what}",))
    if error.evidence:
        yield from wrapped(" seen  ", (error.evidence, *_others(found)))
    if error.cause:
        yield from wrapped(" cause ", (error.cause,))
    yield from wrapped(" do    ", (_advice(found), *((error.next,) if error.next else ())))
    yield "exit 3: it does not answer, so nothing could be checked"


def _others(found: Silent) -> Iterator[str]:
    good = [name for name, answers in found.others.items() if answers]
    bad = [name for name, answers in found.others.items() if not answers]
    if good:
        yield f"on the same bus {', '.join(good)} {'answers' if len(good) == 1 else 'answer'}"
    if bad:
        yield f"silent too: {', '.join(bad)}"
    if not found.others:
        yield "no other device of this configuration is on that bus"


def _advice(found: Silent) -> str:
    answering = [name for name, answers in found.others.items() if answers]
    if answering:
        return "gateway and bus are good: it is this meter, its spur, or its unit number"
    if found.others:
        return "nothing on this bus answers: look at the gateway, its power and its cable first"
    return "seiren agent scan tells which units answer there"
