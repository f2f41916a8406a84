"""The screen of ``seiren agent watch``: one line for each device, in 80 columns of ASCII."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from agent.health.facts import DeviceFacts, Facts
from core.runtime.words import age, local, plain

HEAD = " point        power [kW]  of full scale     register      0:00-now    age  state"
_BAR = 10
_AROUND = 4  # lines around the table
_STATES = {"full_scale": "SCALE", "fell": "FELL", "stale": "STALE", "warmup": "WARMUP"}


def rows_of(height: int) -> int:
    """Return how many devices fit on a terminal of so many lines [1]."""
    return max(1, height - _AROUND)


def pages(facts: Facts, rows: int) -> tuple[tuple[DeviceFacts, ...], ...]:
    """Return the devices page by page: in their order, but whatever is not good stands on the first."""
    good = [device for device in facts.devices if state(device) == "good"]
    other = [device for device in facts.devices if state(device) != "good"]
    room = max(rows - len(other), 0)
    ordered = [*good[:room], *other, *good[room:]]
    return tuple(tuple(ordered[at : at + rows]) for at in range(0, len(ordered), rows)) or ((),)


def frame(facts: Facts, *, rows: int, page: int = 0, is_paused: bool = False, keys: bool = True) -> list[str]:
    """Return one screen.

    Parameters
    ----------
    facts
        What the agent told.
    rows
        Devices on a screen [1].
    page
        Which of its pages, from 0 and round again.
    is_paused
        Whether it stands still.
    keys
        Whether keys are heard; else they are not named.
    """
    now = local(facts.time_ms, ZoneInfo(facts.time_zone))
    all_pages = pages(facts, rows)
    shown = all_pages[page % len(all_pages)]
    good = sum(state(device) == "good" for device in facts.devices)
    broker = "good" if facts.broker.connected else "DOWN"
    head = (
        f"{plain(facts.agent)[:20]}  {now:%H:%M:%S} {plain(now.tzname() or '')[:5]}  "
        f"{good} of {len(facts.devices)} points good   broker {broker}"
    )
    if keys:
        head += "   q quit  p go on" if is_paused else "   q quit  p pause"
    more = ", space: more" * (keys and len(all_pages) > 1)
    waiting = ", ".join(f"{lane.waiting_readings:,} {name}" for name, lane in facts.lanes.items())
    return [
        head,
        HEAD,
        *(row(device, facts.time_ms) for device in shown),
        f" {len(shown)} of {len(facts.devices)} points{more}    late p99 {facts.lateness_ms.p99:,.0f} ms",
        f" not sent yet: {waiting}, on disk",
    ]


def row(device: DeviceFacts, now_ms: int) -> str:
    """Return a device's line."""
    silent = device.state == "silent"
    since = device.silent_since_ms if silent else device.last_ok_ms
    return (
        f" {short(device.id, 12):<12}{amount(None if silent else device.power_kw, 11)}"
        f"  {_bar(None if silent else device.power_kw, device.full_scale_kw)}"
        f"{amount(device.register_kwh, 12)}{_today(None if silent else device.today_kwh)}"
        f"{'-' if since is None else age(now_ms - since):>6} {state(device):^6}"
    ).rstrip()


def state(device: DeviceFacts) -> str:
    """Return a device's state in one word of at most six letters: only ``good`` is written small."""
    if device.state == "silent":
        return "SILENT"
    if device.state == "waiting":
        return "WAIT"
    for point in device.points:
        if not point.good and point.reason in _STATES:
            return _STATES[point.reason]
    return "good"


def short(name: str, columns: int) -> str:
    """Return a name that fits; of a longer one the middle is left out.

    Examples
    --------
    >>> short("AOB-RCV-01", 12), short("AOBA-FURNACE-HALL-2-01", 12)
    ('AOB-RCV-01', 'AOBA..L-2-01')
    """
    name = plain(name)
    return name if len(name) <= columns else f"{name[:4]}..{name[-(columns - 6) :]}"


def amount(value: float | None, columns: int) -> str:
    """Return a number right-aligned in so many columns, with a space before it; `-` where there is none.

    Examples
    --------
    >>> amount(61703095.2, 12), amount(0.4321, 12), amount(123456789012.0, 12)
    ('  61,703,095', '       0.432', '   1.235e+11')
    """
    if value is None:
        return f"{'-':>{columns}}"
    text = f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:,.3g}"
    for shorter in (text, f"{value:.0f}", f"{value:.4g}"):
        if len(shorter) < columns:
            return f"{shorter:>{columns}}"
    return f"{'>':>{columns}}"


def _bar(power_kw: float | None, full_scale_kw: float | None) -> str:
    if power_kw is None or not full_scale_kw:
        return f"{'-' * _BAR}{'-':>6}"
    share = power_kw / full_scale_kw
    full = min(max(round(share * _BAR), 0), _BAR)
    percent = f"{share * 100:.0f}" if abs(share) < 10 else ">"
    return f"{'#' * full}{'-' * (_BAR - full)}{percent:>4} %"


def _today(energy_kwh: float | None) -> str:
    return f"{'-':>12} " if energy_kwh is None else f"{amount(energy_kwh, 9)} kWh"
