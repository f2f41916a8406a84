"""SunSpec meters: a chain of models from 40000, each with its id and its length."""

from __future__ import annotations

from collections.abc import Callable

from simulators.cells import Cell, TextCell, constant
from simulators.maps.layout import Layout, Product

BASE = 40_000
COMMON_WORDS = 66
METER_AT = BASE + 2 + 2 + COMMON_WORDS
NOT_IMPLEMENTED = 0x8000

_FACTORS = {"V": -1, "Hz": -2, "%": -1, "Wh": 0, "varh": 0}
"""Powers of ten of the integer models; those of current and power follow them."""

_MOST = 32_767


def _chain(m: Layout, vendor: str, model: str, meter: int, length: int) -> None:
    """Write what stands before and behind the meter's own model."""
    m.cells[BASE] = constant(0x5375, 0x6E53)  # SunS
    m.cells[BASE + 2] = constant(1, COMMON_WORDS)
    for offset, text, words in ((4, vendor, 16), (20, model, 16), (36, "", 8), (44, "1.0", 8)):
        m.cells[BASE + offset] = TextCell(text, words)
    m.cells[BASE + 52] = TextCell(m.serial, 16, serial=True)
    m.cells[BASE + 68] = constant(1, NOT_IMPLEMENTED)  # device address, pad
    m.cells[METER_AT] = constant(meter, length)
    m.cells[METER_AT + 2 + length] = constant(0xFFFF, 0)  # end of the chain


def _integers(m: Layout) -> None:
    _chain(m, "Simulator", "Meter 203", 203, 105)
    at: Callable[[int], int] = METER_AT.__add__
    for offset in range(2, 38):
        m.cells[at(offset)] = constant(NOT_IMPLEMENTED)
    for offset in (*range(38, 54, 2), *range(55, 71, 2), *range(72, 104, 2), 105):
        m.cells[at(offset)] = constant(0, 0)  # not accumulated; the last one holds event flags
    for offset, name, factor_at in ((2, "i_total", 6), (18, "p_total", 22), (28, "q_total", 32)):
        _floating(m, at(offset), name, at(factor_at))
    for offset, name, unit, factor_at in (
        (7, "v_ln_avg", "V", 15),
        (8, "v_l1n", "V", 15),
        (16, "frequency", "Hz", 17),
        (33, "pf_total", "%", 37),
        (38, "e_export", "Wh", 54),
        (46, "e_import", "Wh", 54),
        (72, "er_import", "varh", 104),
    ):
        exponent = _FACTORS[unit]
        kind = "uint32" if unit.endswith("h") else "int16"
        m.put(at(offset), name, unit, f"1e{exponent}", kind)
        m.cells[at(factor_at)] = Cell("int16", lambda _, exponent=exponent: exponent)  # type: ignore[misc]  # bound early
    m.cells[at(71)] = constant(NOT_IMPLEMENTED)


def _floating(m: Layout, address: int, name: str, factor_at: int) -> None:
    """Write a value of 16 bits, and the power of ten that it needs for the moment."""

    def exponent(time_ms: int) -> int:
        size = abs(m.truth.gauge(name, time_ms))
        return next(each for each in range(-1, 9) if size / 10**each <= _MOST)

    m.cells[address] = Cell("int16", lambda time_ms: m.truth.gauge(name, time_ms) / 10 ** exponent(time_ms))
    m.cells[factor_at] = Cell("int16", exponent)


def _floats(m: Layout) -> None:
    _chain(m, "Simulator", "Meter 213", 213, 124)
    at: Callable[[int], int] = METER_AT.__add__
    for offset in range(2, 126, 2):
        m.absent(at(offset), "float32")
    m.put(at(2), "i_total", "A")
    m.put(at(10), "v_ln_avg", "V")
    m.put(at(12), "v_l1n", "V")
    m.put(at(26), "frequency", "Hz")
    m.put(at(28), "p_total", "W")
    m.put(at(44), "q_total", "var")
    m.put(at(52), "pf_total", "1")
    m.put(at(60), "e_export", "Wh")
    m.put(at(68), "e_import", "Wh")


PRODUCTS = (
    Product("sunspec_201_204", "Simulator", "Meter 203", _integers),
    Product("sunspec_211_214", "Simulator", "Meter 213", _floats),
)
