"""Mistakes by their names: what is wrong, in a sentence (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.tools.evaluation import Case, Evaluation
from agent.tools.figures import short
from agent.tools.hypotheses import Hypothesis, Kind
from agent.tools.variants import Entry
from config.profile import ByteOrder, WordOrder
from config.strict import DIRECT
from core.carbon.rounding import exact_text

_LADDERS: Final = (
    ("mWh", "Wh", "kWh", "MWh", "GWh"),
    ("mvarh", "varh", "kvarh", "Mvarh", "Gvarh"),
    ("mVAh", "VAh", "kVAh", "MVAh", "GVAh"),
    ("mW", "W", "kW", "MW", "GW"),
    ("mvar", "var", "kvar", "Mvar", "Gvar"),
    ("mVA", "VA", "kVA", "MVA", "GVA"),
    ("mV", "V", "kV", "MV"),
    ("mA", "A", "kA", "MA"),
)


def headline(case: Case, hypothesis: Hypothesis, before: Evaluation) -> str:
    """Return one mistake in a sentence."""
    kind, detail = hypothesis.kind, hypothesis.detail
    names = tuple(hypothesis.variants)
    whose = "this meter" if hypothesis.level in (0, 3) or not names else _of(names)
    if kind is Kind.ORDER:
        return f"{_order_kind(hypothesis)}: {whose} sends {_order(case, hypothesis)}"
    if kind is Kind.ADDRESS:
        what = "every value stands" if hypothesis.level == 0 else f"{whose} stands"
        return f"address {detail}: {what} one register {'lower' if detail == '-1' else 'higher'}"
    if kind is Kind.SCALE:
        return _slip(case, hypothesis)
    if kind is Kind.TYPE:
        was = next(e for e in case.entries if e.name == names[0]).register.parts[0].type.value
        return f"type: {_of(names)} is sent as {detail}, not {was}"
    if kind is Kind.FUNCTION:
        return (
            f"function {detail}: the values stand in the {'input' if detail == '4' else 'holding'} registers"
        )
    if kind is Kind.SIDE:
        return f"side: this meter shows {detail} values"
    if kind is Kind.HOLDS_POWER:
        return f"kW for kWh: {detail} holds power, not energy"
    if kind is Kind.VT:
        seen = "the voltage is that behind" if hypothesis.level == 0 else "as if it were"
        return f"VT ratio: {seen} {detail}, configured is {ratio_text(case, 'vt')}"
    if kind is Kind.CT and detail == "larger":
        return f"CT ratio {ratio_text(case, 'ct')}: the meter shows more than it can carry"
    if kind is Kind.CT:
        return f"CT ratio: as if it were {detail}, configured is {ratio_text(case, 'ct')}"
    what, _, times = detail.partition(" ")
    return f"sides mixed: {'the display' if what == 'display' else 'one value'} is {times} times the other"


def _order_kind(hypothesis: Hypothesis) -> str:
    swaps_bytes = any(variant.swap_bytes for variant in hypothesis.variants.values())
    swaps_words = any(variant.swap_words for variant in hypothesis.variants.values())
    return (
        "word and byte order"
        if swaps_bytes and swaps_words
        else "byte order"
        if swaps_bytes
        else "word order"
    )


def _order(case: Case, hypothesis: Hypothesis) -> str:
    entry, variant = next(
        (entry, variant) for entry in case.entries if (variant := hypothesis.variants.get(entry.name))
    )
    register = variant.applied(entry.register)
    said = []
    if variant.swap_words:
        said.append(f"the {'high' if register.word_order is WordOrder.MSW_FIRST else 'low'} word first")
    if variant.swap_bytes:
        said.append(f"the {'high' if register.byte_order is ByteOrder.BIG else 'low'} byte first")
    shifted = f", one register {'lower' if variant.shift < 0 else 'higher'}" if variant.shift else ""
    return " and ".join(said) + shifted


def order_name(case: Case, hypothesis: Hypothesis) -> str:
    """Return the order as the profile writes it: ``msw_first``, ``little``, or both."""
    entry, variant = next(
        (entry, variant) for entry in case.entries if (variant := hypothesis.variants.get(entry.name))
    )
    register = variant.applied(entry.register)
    words = [register.word_order.value] if variant.swap_words else []
    return " ".join([*words, *([register.byte_order.value] if variant.swap_bytes else [])])


def _of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def entry_of(case: Case, name: str) -> Entry:
    """Return a point of a device by its name."""
    return next(entry for entry in case.entries if entry.name == name)


def _slip(case: Case, hypothesis: Hypothesis) -> str:
    names = tuple(hypothesis.variants)
    factor = hypothesis.variants[names[0]].factor
    unit = entry_of(case, names[0]).measure.unit.value
    real = _neighbour(unit, 1 if factor > 1 else -1) if factor in (1000, 1 / factor.__class__(1000)) else None
    size = f"{short(1 / factor)} times too large" if factor < 1 else f"{short(factor)} times too small"
    return f"{f'{real} for {unit}' if real else 'scale'}: {_of(names)} is read {size}"


def _neighbour(unit: str, step: int) -> str | None:
    for ladder in _LADDERS:
        if unit in ladder and 0 <= ladder.index(unit) + step < len(ladder):
            return ladder[ladder.index(unit) + step]
    return None


def ratio_text(case: Case, which: str) -> str:
    """Return the configured ``ct`` or ``vt`` as on a nameplate."""
    ratio = case.setup.ct if which == "ct" else case.setup.vt
    return "none" if ratio == DIRECT else f"{exact_text(ratio.primary)}/{exact_text(ratio.secondary)}"
