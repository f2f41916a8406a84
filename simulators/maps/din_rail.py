"""Meters for the distribution board: Eastron, Gavazzi, Finder, Hager, Inepro, Lovato, Phoenix, Socomec."""

from __future__ import annotations

from simulators.maps.layout import Layout, Product


def _sdm630(m: Layout) -> None:
    for address, name in ((0x00, "v_l1n"), (0x02, "v_l2n"), (0x04, "v_l3n")):
        m.put(address, name, "V")
    m.put(0x06, "i_l1", "A")
    m.put(0x0C, "p_l1", "W")
    m.put(0x34, "p_total", "W")
    m.put(0x38, "s_total", "VA")
    m.put(0x3C, "q_total", "var")
    m.put(0x3E, "pf_total", "1")
    m.put(0x46, "frequency", "Hz")
    m.put(0x48, "e_import", "kWh")
    m.put(0x4A, "e_export", "kWh")
    m.put(0x4C, "er_import", "kvarh")
    m.put(0x4E, "er_export", "kvarh")
    m.put(0x0156, "e_total", "kWh")


def _gavazzi(m: Layout) -> None:
    """What the EM24, EM3x0 and EM580 have in common."""
    m.defaults("int32", lsw_first=True)
    m.put(0x00, "v_l1n", "V", "0.1")
    m.put(0x0C, "i_l1", "A", "0.001")
    m.put(0x28, "p_total", "W", "0.1")


def _em24(m: Layout) -> None:
    _gavazzi(m)
    m.put(0x12, "p_l1", "W", "0.1")
    m.put(0x35, "pf_total", "1", "0.001", "int16")
    m.put(0x37, "frequency", "Hz", "0.1", "int16")
    m.put(0x42, "e_import", "kWh", "0.1")
    m.put(0x5C, "e_export", "kWh", "0.1")


def _em340(m: Layout) -> None:
    _gavazzi(m)
    m.put(0x12, "p_l1", "W", "0.1")
    m.put(0x2A, "s_total", "VA", "0.1")
    m.put(0x2C, "q_total", "var", "0.1")
    m.put(0x31, "pf_total", "1", "0.001", "int16")
    m.put(0x33, "frequency", "Hz", "0.1", "int16")
    m.put(0x34, "e_import", "kWh", "0.1")
    m.put(0x4E, "e_export", "kWh", "0.1")


def _em580(m: Layout) -> None:
    _gavazzi(m)
    m.put(0x2C, "q_total", "var", "0.1")
    m.put(0x33, "frequency", "Hz", "0.1", "int16")
    m.put(0x0500, "e_import", "kWh", "0.001", "int64")
    m.put(0x051C, "e_export", "kWh", "0.001", "int64")


def _eem(m: Layout) -> None:
    m.defaults("float32", lsw_first=True)
    for address, name in ((0x8006, "v_l1n"), (0x8008, "v_l2n"), (0x800A, "v_l3n")):
        m.put(address, name, "V")
    m.put(0x800C, "frequency", "Hz")
    m.put(0x800E, "i_l1", "A")
    m.put(0x8016, "p_total", "W")
    m.put(0x8100, "e_import", "Wh")
    m.put(0x8106, "e_export", "Wh")


def _diris(m: Layout) -> None:
    """What the Diris A10 and A14 have in common."""
    m.defaults("uint32")
    for address, name in ((0xC558, "v_l1n"), (0xC55A, "v_l2n"), (0xC55C, "v_l3n")):
        m.put(address, name, "V", "0.01")
    m.put(0xC55E, "frequency", "Hz", "0.01")
    m.put(0xC560, "i_l1", "A", "0.001")
    m.put(0xC568, "p_total", "W", "10", "int32")
    m.put(0xC56A, "q_total", "var", "10", "int32")


def _diris_a14(m: Layout) -> None:
    _diris(m)
    m.put(0xC702, "e_import", "kWh", "0.01")
    m.put(0xC708, "e_export", "kWh", "0.01")


def _diris_a10(m: Layout) -> None:
    _diris(m)
    m.put(0xC65C, "e_import", "kWh")
    m.put(0xC662, "e_export", "kWh")


def _diris_b30(m: Layout) -> None:
    m.defaults("uint32")
    m.put(0x480C, "v_l1n", "V", "0.01")
    m.put(0x481A, "i_l1", "A", "0.001")
    m.put(0x482C, "p_total", "W", kind="int32")
    m.put(0x4D83, "e_import", "kWh")
    m.put(0x4D86, "e_export", "kWh")


def _ecr380d(m: Layout) -> None:
    m.defaults("uint32")
    m.put(0xB000, "v_l1n", "V", "0.01", "uint16")
    m.put(0xB006, "frequency", "Hz", "0.01", "uint16")
    m.put(0xB011, "p_total", "W", "10", "int32")
    m.put(0xB013, "q_total", "var", "10", "int32")
    m.put(0xB060, "e_import", "kWh")
    m.put(0xB064, "e_export", "kWh")


def _dmg610(m: Layout) -> None:
    m.put(0x0001, "v_l1n", "V", "0.01", "uint32")
    m.put(0x0007, "i_l1", "A", "0.0001", "uint32")
    m.put(0x0031, "frequency", "Hz", "0.001", "uint32")
    m.put(0x0039, "p_total", "W", "0.01", "int32")
    m.put(0x003B, "q_total", "var", "0.01", "int32")
    m.defaults("uint64")
    m.put(0x1B1F, "e_import", "kWh", "0.01")
    m.put(0x1B23, "e_export", "kWh", "0.01")
    m.put(0x1B27, "er_import", "kvarh", "0.01")
    m.put(0x1B2B, "er_export", "kvarh", "0.01")


def _finder_7m38(m: Layout) -> None:
    m.put(2500, "v_l1n", "V")
    m.put(2516, "i_l1", "A")
    m.put(2536, "p_total", "W")
    m.put(2544, "q_total", "var")
    m.put(2560, "pf_total", "1")
    m.put(2584, "frequency", "Hz")
    m.put(2752, "e_import", "Wh")
    m.put(2754, "er_import", "varh")
    m.put(2756, "e_export", "Wh")
    m.put(2758, "er_export", "varh")


def _pro380(m: Layout) -> None:
    for address, name in ((0x5002, "v_l1n"), (0x5004, "v_l2n"), (0x5006, "v_l3n")):
        m.put(address, name, "V")
    m.put(0x5008, "frequency", "Hz")
    m.put(0x500C, "i_l1", "A")
    m.put(0x5012, "p_total", "kW")
    m.put(0x501A, "q_total", "kvar")
    m.put(0x502A, "pf_total", "1")
    m.put(0x600C, "e_import", "kWh")
    m.put(0x6018, "e_export", "kWh")


PRODUCTS = (
    Product("eastron_sdm630", "Eastron", "SDM630 Modbus V2", _sdm630, functions=(4,)),
    Product("carlo_gavazzi_em24_rtu", "Carlo Gavazzi", "EM24 DIN", _em24, functions=(4,)),
    Product("carlo_gavazzi_em330_em340_em24e1", "Carlo Gavazzi", "EM340", _em340, functions=(3, 4)),
    Product("carlo_gavazzi_em580", "Carlo Gavazzi", "EM580", _em580, functions=(3, 4)),
    Product("phoenix_contact_eem", "Phoenix Contact", "EEM-MA371", _eem),
    Product("socomec_diris_a14", "Socomec", "Diris A14", _diris_a14),
    Product("socomec_diris_a10", "Socomec", "Diris A10", _diris_a10),
    Product("socomec_diris_b30", "Socomec", "Diris B30", _diris_b30),
    Product("hager_ecr380d", "Hager", "ECR380D", _ecr380d),
    Product("lovato_dmg610", "Lovato Electric", "DMG610", _dmg610, functions=(4,)),
    Product("finder_7m38", "Finder", "7M.38", _finder_7m38, functions=(4,)),
    Product("inepro_wago_kdk_0x5000_family", "Inepro Metering", "PRO380-Mod", _pro380),
)
