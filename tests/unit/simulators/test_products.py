"""The maps of the products: by hand where an encoding is a meter's own, and that all fit their words."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from core.errors import UsageError
from simulators.cells import Cell, Words, float32, mod10k
from simulators.products import PRODUCTS, product_map, product_meter, worth_wh
from simulators.truth import Truth
from tests.unit.simulators.peer import UNBALANCED, Constant

SOURCE = Constant(opening=12_345_678_901)


def words(product: str, address: int, source: Constant = SOURCE, time_ms: int = 0) -> Words:
    return product_map(product, source, UNBALANCED)[address](time_ms)


def test_an_energy_of_a_real_sdm630() -> None:
    assert float32(2127.984) == (17668, 65470)  # logged from a meter, at address 342
    assert words("eastron_sdm630", 342, Constant(opening=1_861_986)) == (17668, 65470)  # 8/7 with export


def test_an_ion_counts_in_base_ten_thousand() -> None:
    assert words("schneider_ion8600", 90) == (1234, 5678)  # 12,345,678 kWh
    assert mod10k(99_999_999, 2) == (9999, 9999)


def test_a_km50_splits_its_energy_in_gwh_and_wh() -> None:
    assert (words("omron_km50", 0x20), words("omron_km50", 0x21)) == (
        (0, 12),
        divmod(345_678_901, 65_536),
    )


def test_a_pac3200_splits_its_energy_over_two_tariffs() -> None:
    first, second = (
        struct.unpack(">d", struct.pack(">4H", *words("siemens_pac2200_pac3200", at))) for at in (801, 805)
    )
    assert first[0] + second[0] == SOURCE.opening
    assert min(first[0], second[0]) > 0


def test_an_em580_puts_the_lowest_of_four_words_first() -> None:
    low, second, third, high = words("carlo_gavazzi_em580", 0x0500)
    assert low + (second << 16) + (third << 32) + (high << 48) == SOURCE.opening


@pytest.mark.parametrize(
    ("watts", "digits", "point"),
    [(0, 0, 0), (9, 9000, 0), (12, 1200, 1), (276_543, 2765, 5), (9_999, 9999, 3)],
)
def test_a_dc_meter_moves_its_decimal_point(watts: int, digits: int, point: int) -> None:
    source = Constant(watts=watts)
    found = words("acrel_djsf1352_rn_dc", 8, source) + words("acrel_djsf1352_rn_dc", 9, source)
    assert found == (digits, point)


def test_a_sunspec_meter_is_found_by_walking_from_40000() -> None:
    cells = product_map("sunspec_201_204", SOURCE, UNBALANCED)
    flat: dict[int, int] = {}
    for address, encoder in cells.items():
        for place, word in enumerate(encoder(0)):
            assert address + place not in flat, "two values share a word"
            flat[address + place] = word
    assert (flat[40_000], flat[40_001]) == (0x5375, 0x6E53)
    at, models = 40_002, []
    while flat[at] != 0xFFFF:
        models.append((at, flat[at]))
        assert all(each in flat for each in range(at, at + 2 + flat[at + 1]))
        at += 2 + flat[at + 1]
    assert models == [(40_002, 1), (40_070, 203)]
    exponent = struct.unpack(">h", struct.pack(">H", flat[40_070 + 22]))[0]
    assert flat[40_070 + 18] == round(276_543 / 10**exponent) <= 32_767
    assert (flat[40_070 + 46] << 16) + flat[40_070 + 47] == SOURCE.opening % 2**32
    assert (flat[40_070 + 38] << 16) + flat[40_070 + 39] == SOURCE.opening // 7  # export before import


def test_power_of_another_size_has_another_power_of_ten() -> None:
    small, large = (words("sunspec_201_204", 40_092, Constant(watts=watts)) for watts in (3_000, 3_000_000))
    assert (small, large) == ((0xFFFF,), (2,))


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_two_values_share_a_word_and_each_fits(product: str) -> None:
    cells = product_map(product, SOURCE, UNBALANCED)
    end = 0
    for address, encoder in sorted(cells.items()):
        assert address >= end, f"{address} lies inside the value before it"
        found = encoder(0)
        assert found and all(0 <= word <= 0xFFFF for word in found)
        end = address + len(found) // PRODUCTS[product].step
        if isinstance(encoder, Cell):
            assert len(encoder.absent()) == encoder.words == len(found)
    assert any(isinstance(each, Cell) and each.counter for each in cells.values()) or "mitsubishi" in product


def test_a_source_counts_in_what_the_product_says() -> None:
    assert worth_wh("abb_b23_b24_a44") == 10
    assert words("abb_b23_b24_a44", 0x5000, Constant(opening=77)) == (0, 0, 0, 77)
    meter = product_meter("abb_b23_b24_a44", SOURCE, UNBALANCED)
    assert meter.identity[0] == "ABB" and meter.functions == {3}


def test_a_product_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        product_map("abacus", SOURCE, UNBALANCED)
    assert "schneider_pm5xxx" in caught.value.next


def test_the_circuit_adds_up() -> None:
    truth = Truth(SOURCE, UNBALANCED, Fraction(1))
    phases = ("l1", "l2", "l3")
    assert sum(truth.gauge(f"p_{phase}", 0) for phase in phases) == pytest.approx(SOURCE.watts)
    apparent = sum(truth.gauge(f"v_{each}n", 0) * truth.gauge(f"i_{each}", 0) for each in phases)
    assert apparent == pytest.approx(truth.gauge("s_total", 0))
    assert len({truth.gauge(f"v_{each}n", 0) for each in phases}) == 3
    assert truth.gauge("p_total", 0) ** 2 + truth.gauge("q_total", 0) ** 2 == pytest.approx(apparent**2)
    assert truth.count("e_total", 0) == truth.count("e_import", 0) + truth.count("e_export", 0)
