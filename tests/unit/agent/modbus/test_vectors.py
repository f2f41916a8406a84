"""Telegraf's own byte vectors: every one becomes the value that Telegraf expects."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest

from agent.counts import count_of_float
from agent.modbus.decode import decode_text, decode_value
from agent.modbus.plan import RegisterPoint
from config.profile import ByteOrder, Place, ValueType, WordOrder

FILE = Path(__file__).parents[3] / "data" / "modbus" / "telegraf_decode_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]

MSW, LSW = WordOrder.MSW_FIRST, WordOrder.LSW_FIRST
BIG, LITTLE = ByteOrder.BIG, ByteOrder.LITTLE
ORDERS: Final = {
    "AB": (MSW, BIG),
    "BA": (MSW, LITTLE),
    "ABCD": (MSW, BIG),
    "CDAB": (LSW, BIG),
    "BADC": (MSW, LITTLE),
    "DCBA": (LSW, LITTLE),
    "ABCDEFGH": (MSW, BIG),
    "GHEFCDAB": (LSW, BIG),
    "BADCFEHG": (MSW, LITTLE),
    "HGFEDCBA": (LSW, LITTLE),
}
"""Telegraf's letters: A is the most significant byte of the value."""
TYPES: Final = {
    "BIT": ValueType.BIT,
    "INT8H": ValueType.INT8_HIGH,
    "INT8L": ValueType.INT8_LOW,
    "UINT8H": ValueType.UINT8_HIGH,
    "UINT8L": ValueType.UINT8_LOW,
    "FLOAT16-IEEE": ValueType.FLOAT16,
    "FLOAT32-IEEE": ValueType.FLOAT32,
    "FLOAT64-IEEE": ValueType.FLOAT64,
}
SIGNED = {1: ValueType.INT16, 2: ValueType.INT32, 4: ValueType.INT64}
TRUNCATED: Final = frozenset({"register11_uint8L-scale_.1", "register13_int8H-scale_.1"})
"""Of these Telegraf drops the digits behind the point, as its field has the register's own type; a count
times an exact scale keeps them here."""
ROUNDED: Final = frozenset(
    {"register190_to_register193_hgfedcba_uint64", "register210_to_register213_ghefcdab_uint64"}
)
"""These Telegraf scales by 1.0 in a float64, which cannot hold the number; it is kept exactly here."""


def kind_of(vector: dict[str, Any]) -> ValueType:
    """The type; Telegraf's FIXED is a signed number of as many registers as there are."""
    name: str = vector["data_type"]
    return SIGNED[vector["quantity"]] if name == "FIXED" else TYPES.get(name) or ValueType(name.lower())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_has_the_value_that_telegraf_expects(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["bytes_hex"])
    word_order, byte_order = ORDERS[vector["byte_order"]]
    if vector["data_type"] == "STRING":
        assert decode_text(raw, byte_order) == vector["expected"]
        return
    kind = kind_of(vector)
    place = Place(vector["address"][0], kind, 1)
    value = decode_value(RegisterPoint("p", (place,), word_order, byte_order, bit=vector["bit"]), raw)
    assert value is not None
    single = kind is ValueType.FLOAT32
    count = count_of_float(value, single=single) if isinstance(value, float) else value
    assert count is not None
    scaled = Fraction(count) * Fraction(str(vector["scale"] or 1))
    expected = Fraction(str(vector["expected"]))
    if vector["name"] in TRUNCATED:
        assert scaled != expected
        assert int(scaled) == expected
    elif vector["name"] in ROUNDED:
        assert scaled != expected
        assert float(scaled) == float(expected)
    elif single:  # Telegraf scales in 32 bits; ours is the register's shortest decimal, scaled exactly
        assert scaled == pytest.approx(expected, rel=2**-23)
    else:
        assert scaled == expected


def test_no_vector_is_left_out() -> None:
    assert len(VECTORS) == 29
    assert {vector["byte_order"] for vector in VECTORS} <= set(ORDERS)
