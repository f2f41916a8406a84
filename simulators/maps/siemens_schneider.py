"""Siemens and Schneider Electric."""

from __future__ import annotations

from simulators.maps.layout import Layout, Product


def _pac3200(m: Layout) -> None:
    for address, name in ((1, "v_l1n"), (3, "v_l2n"), (5, "v_l3n")):
        m.put(address, name, "V")
    for address, name in ((13, "i_l1"), (15, "i_l2"), (17, "i_l3")):
        m.put(address, name, "A")
    for address, name in ((25, "p_l1"), (27, "p_l2"), (29, "p_l3"), (65, "p_total")):
        m.put(address, name, "W")
    m.put(31, "q_l1", "var")
    m.put(63, "s_total", "VA")
    m.put(67, "q_total", "var")
    m.put(69, "pf_total", "1")
    m.defaults("float64")  # Wh for each tariff
    m.put(801, "e_import_t1", "Wh")
    m.put(805, "e_import_t2", "Wh")
    m.put(809, "e_export_t1", "Wh")
    m.put(813, "e_export_t2", "Wh")
    m.put(817, "er_import_t1", "varh")


def _pac1600(m: Layout) -> None:
    m.defaults("uint32")
    m.put(1, "v_l1n", "V", "0.01")
    m.put(19, "p_l1", "W", "0.01", "int32")
    m.put(6687, "e_import", "kWh", "0.001")
    m.put(6689, "e_export", "kWh", "0.001")
    m.put(6691, "er_import", "kvarh", "0.001")


def _pm5xxx(m: Layout) -> None:
    m.put(2699, "e_import", "kWh")
    m.put(2701, "e_export", "kWh")
    for address, name in ((2999, "i_l1"), (3001, "i_l2"), (3003, "i_l3")):
        m.put(address, name, "A")
    m.absent(3005, "float32")  # the neutral's current: not wired
    m.put(3027, "v_l1n", "V")
    m.put(3029, "v_l2n", "V")
    m.put(3031, "v_l3n", "V")
    for address, name in ((3053, "p_l1"), (3055, "p_l2"), (3057, "p_l3"), (3059, "p_total")):
        m.put(address, name, "kW")
    m.put(3067, "q_total", "kvar")
    m.put(3109, "frequency", "Hz")
    m.defaults("int64")
    m.put(3203, "e_import", "kWh", "0.001")
    m.put(3207, "e_export", "kWh", "0.001")
    m.put(3219, "er_import", "kvarh", "0.001")
    m.put(3223, "er_export", "kvarh", "0.001")


def _iem3000(m: Layout) -> None:
    for address, name in ((0x0BB7, "i_l1"), (0x0BB9, "i_l2"), (0x0BBB, "i_l3")):
        m.put(address, name, "A")
    for address, name in ((0x0BD3, "v_l1n"), (0x0BD5, "v_l2n"), (0x0BD7, "v_l3n")):
        m.put(address, name, "V")
    m.put(0x0BF3, "p_total", "kW")
    m.put(0x0BFB, "q_total", "kvar")
    m.put(0x0C03, "s_total", "kVA")
    m.put(0x0C25, "frequency", "Hz")
    m.defaults("int64")
    m.put(0x0C83, "e_import", "kWh", "0.001")
    m.put(0x0C87, "e_export", "kWh", "0.001")
    m.put(0x0C93, "er_import", "kvarh", "0.001")
    m.put(0x0C97, "er_export", "kvarh", "0.001")


def _ion8600(m: Layout) -> None:
    m.defaults("mod10k32")
    m.put(90, "e_import", "kWh")
    m.put(92, "e_export", "kWh")
    m.put(98, "er_import", "kvarh")
    m.put(100, "er_export", "kvarh")
    m.put(183, "v_ll_avg", "V", kind="uint32")
    m.put(203, "p_total", "kW", "0.001", "int32")


PRODUCTS = (
    Product("siemens_pac2200_pac3200", "Siemens AG", "SENTRON PAC3200", _pac3200, functions=(3, 4)),
    Product("siemens_pac1600", "Siemens AG", "SENTRON PAC1600", _pac1600),
    Product("schneider_pm5xxx", "Schneider Electric", "PM5560", _pm5xxx),
    Product("schneider_iem3000", "Schneider Electric", "iEM3255", _iem3000),
    Product("schneider_ion8600", "Power Measurement", "ION8600", _ion8600),
)
