"""ABB, Janitza and those who sell the same meters."""

from __future__ import annotations

from fractions import Fraction

from simulators.maps.layout import Layout, Product


def _abb_b23(m: Layout) -> None:
    m.defaults("uint64")
    m.put(0x5000, "e_import", "kWh", "0.01")
    m.put(0x5004, "e_export", "kWh", "0.01")
    m.defaults("uint32")
    for address, name in ((0x5B00, "v_l1n"), (0x5B02, "v_l2n"), (0x5B04, "v_l3n")):
        m.put(address, name, "V", "0.1")
    for address, name in ((0x5B0C, "i_l1"), (0x5B0E, "i_l2"), (0x5B10, "i_l3")):
        m.put(address, name, "A", "0.01")
    m.absent(0x5B12, "uint32")
    m.put(0x5B14, "p_total", "W", "0.01", "int32")
    m.put(0x5B16, "p_l1", "W", "0.01", "int32")
    m.absent(0x5B18, "int32")
    m.put(0x5B2C, "frequency", "Hz", "0.01", "uint16")
    m.put(0x5B3A, "pf_total", "1", "0.001", "int16")


def _umg604(m: Layout) -> None:
    m.put(1317, "v_l1n", "V")
    m.put(1325, "i_l1", "A")
    m.put(1333, "p_l1", "W")
    m.put(1341, "q_l1", "var")
    m.put(1369, "p_total", "W")
    m.put(1371, "q_total", "var")
    m.put(1439, "frequency", "Hz")
    m.put(9851, "e_import", "Wh")
    m.put(9863, "e_export", "Wh")


def _umg96rm_e(m: Layout) -> None:
    for address, name in ((19000, "v_l1n"), (19002, "v_l2n"), (19004, "v_l3n")):
        m.put(address, name, "V")
    for address, name in ((19012, "i_l1"), (19014, "i_l2"), (19016, "i_l3")):
        m.put(address, name, "A")
    m.put(19020, "p_l1", "W")
    m.put(19026, "p_total", "W")
    m.put(19034, "s_total", "VA")
    m.put(19042, "q_total", "var")
    m.put(19044, "pf_total", "1")  # cos phi of phase 1; the same in each phase here
    m.put(19050, "frequency", "Hz")
    m.put(19068, "e_import", "Wh")
    m.put(19076, "e_export", "Wh")


def _janitza_b23(m: Layout) -> None:
    m.put(0x4A38, "v_l1n", "V")
    m.put(0x4A44, "i_l1", "A")
    m.put(0x4A52, "p_total", "W")
    m.put(0x4A6A, "frequency", "Hz")
    m.put(0x4A7C, "e_import", "Wh")
    m.put(0x4A84, "e_export", "Wh")


PRODUCTS = (
    Product("abb_b23_b24_a44", "ABB", "B23 312-100", _abb_b23, worth_wh=Fraction(10)),
    Product("janitza_umg604", "Janitza electronics GmbH", "UMG 604", _umg604),
    Product("janitza_umg96rm_e", "Janitza electronics GmbH", "UMG 96RM-E", _umg96rm_e),
    Product("janitza_b23", "Janitza electronics GmbH", "B23", _janitza_b23),
)
