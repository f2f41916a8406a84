"""What differs between two versions of the monitoring plan, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Facts: TypeAlias = Mapping[str, Any]

_WORDS: Final[Mapping[str, str]] = {
    "ct": "CT",
    "vt": "VT",
    "serial": "serial number",
    "wh_per_count": "worth of a count [Wh]",
    "resolution": "resolution [counts]",
    "wrap_at": "turn of the register [counts]",
    "accuracy_class": "accuracy class",
    "full_scale_kw": "full scale [kW]",
    "calibration_until": "calibrated until",
    "electricity_factor": "electricity factor",
    "synthetic": "synthetic data",
    "time_zone": "time zone",
    "grid_area": "grid area",
    "losses_percent": "losses [%]",
    "from": "in the network from",
    "to": "in the network to",
    "ja": "Japanese name",
    "en": "English name",
}
_UNLESS: Final[Mapping[str, str]] = {
    "ct": "direct",
    "vt": "direct",
    "wrap_at": "never",
    "losses_percent": "0",
}


def differences(old: Facts, new: Facts) -> tuple[str, ...]:
    """Return what differs between two plans, a sentence each; empty where they are the same.

    Parameters
    ----------
    old, new
        As `config.plan.plan_document` gives them.

    Returns
    -------
    tuple of str
        Facts of installations are compared over time: ``AOB-RCV-01: CT 400/5 → 600/5 from 2024-02-01``,
        whether a record was added or corrected.
    """
    found = list(_plan(old, new))
    if not found and old != new:
        found.append("written otherwise, with the same facts")
    return tuple(found)


def _plan(old: Facts, new: Facts) -> Iterator[str]:
    for key in _keys(old, new, without=("sites", "schema")):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) or isinstance(after, Mapping):
            yield from _entries(_words(key).removesuffix("s"), before or {}, after or {})
        elif before != after:
            yield _changed(_words(key), key, before, after)
    yield from _named("site", old.get("sites", ()), new.get("sites", ()), _site, _site_in_short)


def _site(old: Facts, new: Facts) -> Iterator[str]:
    site = str(new["id"])
    yield from _fields(site, old, new, without=("meters", "virtual", "allocation", "sources"))
    for key in ("meters", "virtual"):
        kind = "meter" if key == "meters" else "virtual meter"
        yield from _named(kind, old.get(key, ()), new.get(key, ()), _meter, _in_short)
    for key in ("allocation", "sources"):
        before, after = _flat(old.get(key, {})), _flat(new.get(key, {}))
        yield from _entries(f"{site}: {_words(key).removesuffix('s')}", before, after)


def _meter(old: Facts, new: Facts) -> Iterator[str]:
    yield from _fields(str(new["id"]), old, new, without=("installations",))
    yield from _installed(str(new["id"]), old.get("installations", ()), new.get("installations", ()))


def _fields(name: str, old: Facts, new: Facts, without: Sequence[str] = ()) -> Iterator[str]:
    for key in _keys(old, new, without=("id", *without)):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _fields(name, before, after)
        elif isinstance(before, list) or isinstance(after, list):
            yield from _members(name, key, before or [], after or [])
        else:
            yield f"{name}: {_changed(_words(key), key, before, after)}"


def _members(name: str, key: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    words = {"boundary": "boundary set", "exclusions": "left out"}.get(key, _words(key))
    for each in new:
        if each not in old:
            yield f"{name}: {words}: {_one(each)} added"
    for each in old:
        if each not in new:
            yield f"{name}: {words}: {_one(each)} removed"


def _named(
    kind: str, old: Sequence[Facts], new: Sequence[Facts], compare: Any, describe: Any
) -> Iterator[str]:
    before, after = ({str(each["id"]): each for each in plans} for plans in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"{name}: new {kind}{describe(after[name])}"
        elif name not in after:
            yield f"{name}: {kind} removed"
        else:
            yield from compare(before[name], after[name])


def _entries(what: str, old: Facts, new: Facts) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before != after:
            yield f"{what} {key}: {_one(before)} → {_one(after)}"


def _installed(meter: str, old: Sequence[Facts], new: Sequence[Facts]) -> Iterator[str]:
    """Yield how the facts in force differ, each with the time in which they do."""
    starts = sorted({str(each["from"]) for each in (*old, *new)})
    open_since: dict[tuple[str, str, str], str] = {}
    for start in starts:
        here = set(_differing(_at(old, start), _at(new, start)))
        for known in [each for each in open_since if each not in here]:
            yield _stretch(meter, known, open_since.pop(known), start)
        for each in sorted(here - open_since.keys()):
            open_since[each] = start
    for known, since in sorted(open_since.items(), key=lambda each: (each[1], each[0])):
        yield _stretch(meter, known, since, None)


def _differing(old: Facts | None, new: Facts | None) -> Iterator[tuple[str, str, str]]:
    if old is None or new is None:
        if old is not new:
            yield "", "" if old is None else _in_facts(old), "" if new is None else _in_facts(new)
        return
    for key in _keys(old, new, without=("from",)):
        if old.get(key) != new.get(key):
            yield key, _told(key, old.get(key)), _told(key, new.get(key))


def _stretch(meter: str, known: tuple[str, str, str], since: str, until: str | None) -> str:
    key, before, after = known
    time = f"from {since}" + (f" to {until}" if until else "")
    if not key:
        return f"{meter}: on record {time}: {after}" if after else f"{meter}: not on record {time}: {before}"
    return f"{meter}: {_words(key)} {before} → {after} {time}"


def _at(records: Sequence[Facts], start: str) -> Facts | None:
    """Return the installation in force at a local time; dates and times sort as text."""
    return max((each for each in records if str(each["from"]) <= start), key=_since, default=None)


def _since(record: Facts) -> str:
    return str(record["from"])


def _in_facts(record: Facts) -> str:
    return ", ".join(f"{_words(key)} {_one(record[key])}" for key in sorted(record) if key != "from")


def _site_in_short(site: Facts) -> str:
    return f", meters {', '.join(str(each['id']) for each in site['meters'])}"


def _in_short(meter: Facts) -> str:
    parts = [str(meter["quantity"])] if "quantity" in meter else []
    parts += [f"+ {each}" for each in meter.get("plus", ())] + [
        f"- {each}" for each in meter.get("minus", ())
    ]
    parts += [f"below {meter['parent']}"] if "parent" in meter else []
    for record in meter.get("installations", ())[:1]:
        ratios = [f"{_words(key)} {record[key]}" for key in ("ct", "vt") if key in record]
        parts += [f"serial number {record['serial']}", *ratios, f"from {record['from']}"]
    return f", {', '.join(parts)}" if parts else ""


def _flat(facts: Facts, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, keys joined by spaces."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key} ")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _changed(words: str, key: str, before: Any, after: Any) -> str:
    return f"{words} {_told(key, before)} → {_told(key, after)}"


def _told(key: str, value: Any) -> str:
    return _UNLESS.get(key, "none") if value is None else _one(value)


def _one(value: Any) -> str:
    if isinstance(value, Mapping):
        if value.keys() == {"ja", "en"}:
            return f"{value['en']} ({value['ja']})"
        return ", ".join(f"{_words(str(key))} {_one(each)}" for key, each in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(_one, value)) or "none"
    return "none" if value is None else str(value)


def _words(key: str) -> str:
    return _WORDS.get(key, key.replace("_", " "))


def _keys(old: Facts, new: Facts, without: Sequence[str] = ()) -> list[str]:
    return [key for key in sorted(old.keys() | new.keys()) if key not in without]
