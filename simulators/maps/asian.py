"""Acrel, Mitsubishi Electric and Omron."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from simulators.cells import Cell
from simulators.maps.layout import Layout, Product

_DIGITS = 9_999
GWH = 10**9
"""[Wh]"""


def _adw300(m: Layout) -> None:
    m.put(20, "v_l1n", "V", "0.1", "uint16")
    m.put(26, "i_l1", "A", "0.01", "uint16")
    m.defaults("int32")
    m.put(30, "p_l1", "W")
    m.put(36, "p_total", "W")
    m.put(62, "e_import", "kWh", "0.01")
    m.put(64, "e_export", "kWh", "0.01")


def _djsf1352(m: Layout) -> None:
    """A DC meter that shows four digits, and the place of the decimal point in the register behind them."""
    for address, name, kind in ((0, "v_dc", "uint16"), (2, "i_dc", "int16"), (8, "p_total", "int16")):
        digits, point = _floating(lambda time_ms, name=name: m.truth.gauge(name, time_ms))  # type: ignore[misc]  # bound early
        m.cells[address] = Cell(kind, digits)
        m.cells[address + 1] = Cell("uint16", point)
    m.put(12, "e_import", "Wh", kind="uint32")
    m.put(14, "e_export", "Wh", kind="uint32")


def _floating(value: Callable[[int], float]) -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Return digits and decimal point of a value: value = digits × 10^(point − 3)."""

    def point(time_ms: int) -> int:
        number, place = abs(value(time_ms)), 0
        while number / 10 ** (place - 3) > _DIGITS:
            place += 1
        return place

    return lambda time_ms: value(time_ms) / 10 ** (point(time_ms) - 3), point


def _km_n1(m: Layout) -> None:
    m.defaults("int32")
    m.put(0x0000, "v_l1n", "V", "0.1")
    m.put(0x0006, "i_l1", "A", "0.001")
    m.put(0x000C, "pf_total", "1", "0.01")
    m.put(0x000E, "frequency", "Hz", "0.1")
    m.put(0x0010, "p_total", "W", "0.1")
    m.put(0x0012, "q_total", "var", "0.1")
    m.put(0x0200, "e_import", "Wh")
    m.put(0x0202, "e_export", "Wh")
    m.put(0x0204, "er_export", "varh")  # leading
    m.put(0x0206, "er_import", "varh")  # lagging
    m.put(0x0220, "e_import", "kWh")
    m.put(0x0222, "e_export", "kWh")
    m.put(0x0224, "er_export", "kvarh")
    m.put(0x0226, "er_import", "kvarh")


def _km50(m: Layout) -> None:
    """Its addresses number values of two registers each, up to ten of them in one request."""
    m.defaults("int32")
    m.put(0x00, "v_l1n", "V", "0.1")
    m.put(0x03, "i_l1", "A", "0.001")
    m.put(0x06, "pf_total", "1", "0.01")
    m.put(0x07, "frequency", "Hz", "0.1")
    m.put(0x08, "p_total", "W", "0.1")
    m.put(0x0A, "q_total", "var", "0.1")
    m.put(0x0C, "e_import", "kWh", "0.1")
    m.part(0x20, "e_import", lambda wh: wh // GWH)
    m.part(0x21, "e_import", lambda wh: wh % GWH)


def _me96ssra(m: Layout) -> None:
    """All values for a multiplying factor of 1."""
    m.defaults("int16")
    m.put(768, "i_l1", "A", kind="uint16")
    m.put(778, "v_ll_avg", "V", "0.1", "uint16")
    m.put(782, "v_l1n", "V", "0.1", "uint16")
    m.put(789, "pf_total", "1", "0.001")
    m.put(790, "frequency", "Hz", "0.1", "uint16")
    m.put(791, "p_l1", "kW", "0.1")
    m.put(794, "p_total", "kW", "0.1")
    m.put(802, "q_total", "kvar", "0.1")


PRODUCTS = (
    Product("acrel_adw300", "Acrel", "ADW300", _adw300, worth_wh=Fraction(10)),
    Product("acrel_djsf1352_rn_dc", "Acrel", "DJSF1352-RN", _djsf1352),
    Product("omron_km_n1_km_n2", "OMRON", "KM-N1-FLK", _km_n1),
    Product("omron_km50", "OMRON", "KM50-C1-FLK", _km50, max_registers=20, step=2),
    Product("mitsubishi_me96ssra_mb", "Mitsubishi Electric", "ME96SSRA-MB", _me96ssra),
)
