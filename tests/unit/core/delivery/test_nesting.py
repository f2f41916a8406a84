"""Depth is told from brackets alone: strings hide theirs, and nothing is built to find out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery.nesting import MAX_DEPTH, MAX_KEYS, MAX_VALUES, refusal

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.text(max_size=8) | st.sampled_from(['"', "\\", '[{"', "]]]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(VALUES, st.integers(0, MAX_DEPTH))
def test_any_json_is_as_deep_as_it_is(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value]
    assert bool(refusal(json.dumps(value).encode())) is (depth(value) > MAX_DEPTH)
    assert bool(refusal(json.dumps(value, ensure_ascii=False).encode())) is (depth(value) > MAX_DEPTH)


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b'{"a":' * 200_000, b"[{" * 30 + b"}]" * 30, b"][", b"[", b'"[' + b"[" * 30],
    ids=["open", "objects", "mixed", "crossed", "torn", "unended string"],
)
def test_what_no_parser_should_see(data: bytes) -> None:
    assert "deep" in refusal(data)


@pytest.mark.parametrize("data", [b"", b"hello", b'"' + b"[" * 1000 + b'"', b"[]" * 90_000])
def test_what_is_flat(data: bytes) -> None:
    assert not refusal(data)


def test_what_holds_too_much() -> None:
    most = b"[" + b",".join([b"0"] * MAX_VALUES) + b"]"
    assert refusal(most) == ""
    assert "values" in refusal(b"[0," + most[1:])
    assert "keys" in refusal(b"{" + b",".join(b'"%d":0' % key for key in range(MAX_KEYS + 1)) + b"}")
    assert refusal(b'["' + b",[]" * 300_000 + b'"]') == ""
