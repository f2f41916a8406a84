"""Faults of the registers: what a meter shows instead of the truth, from the moment alone."""

from __future__ import annotations

from simulators.cells import Cell, Encoder, TextCell, Words
from simulators.modbus.faults import Fault, Switch

_ALL_ONES = 0xFFFF


def shown(encoder: Encoder, time_ms: int, switches: tuple[Switch, ...]) -> Words:
    """Return the words that a register shows under faults.

    Parameters
    ----------
    encoder
        The register.
    time_ms
        The moment [ms since 1970-01-01 UTC].
    switches
        The faults of registers that act then.
    """
    by_fault = {switch.fault: switch for switch in switches}
    if isinstance(encoder, TextCell):
        replaced = by_fault.get(Fault.METER_REPLACED)
        text = replaced.settings["serial"] if replaced and encoder.serial else encoder.text
        return encoder.encode(text)
    if Fault.NO_VALUE in by_fault:
        return encoder.absent() if isinstance(encoder, Cell) else (_ALL_ONES,) * len(encoder(time_ms))
    if isinstance(encoder, Cell) and encoder.counter:
        value = encoder.value(time_ms)
        for switch in switches:
            value = _counted(encoder, value, time_ms, switch)
        words = encoder.encode(value)
    else:
        words = encoder(time_ms)
    return words[::-1] if Fault.WORD_ORDER_SWAPPED in by_fault else words


def _counted(cell: Cell, value: float, time_ms: int, switch: Switch) -> float:
    """Return what a counter shows under one fault."""
    how = switch.settings
    since = value - cell.value(switch.from_ms)
    kind = type(value)  # counts stay whole
    match switch.fault:
        case Fault.FROZEN_REGISTER:
            return value - since
        case Fault.REGISTER_RESET:
            return since
        case Fault.METER_REPLACED:
            return kind(how["opening"]) + since
        case Fault.REGISTER_ROLLOVER:
            end = kind(how["at"]) or cell.modulus
            return (end - kind(how["left"]) + since) % end
        case Fault.REGISTER_DIP:
            return kind(0)
        case Fault.REGISTER_BACK:
            return value - kind(how["counts"])
        case Fault.SCALE_CHANGED:
            return kind(value * float(how["factor"]))
        case _:
            return value
