"""A chain shows every change, every gap and every stranger in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chain import BEGINNING, Decision, canonical, link, problems
from core.errors import DataError


def chain(length: int = 5) -> list[Decision]:
    """A chain of so many decisions."""
    made: list[Decision] = []
    for number in range(1, length + 1):
        rest: dict[str, Any] = {
            "number": number,
            "time_ms": 1_700_000_000_000 + number,
            "person": "佐藤",
            "account": "sato@hq",
            "kind": "correction",
            "reason": "spike",
            "body": canonical({"what": "exclude", "time_ms": number}),
            "prev": made[-1].hash if made else BEGINNING,
        }
        made.append(Decision(**rest, hash=link(**rest)))
    return made


def test_a_chain_as_written_holds() -> None:
    assert problems(chain()) == []
    assert problems([]) == []


def test_the_hash_is_what_a_stranger_computes() -> None:
    each = chain(1)[0]
    fields = [1, each.time_ms, "佐藤", "sato@hq", "correction", "spike", each.body, "0" * 64]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    assert each.hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time_ms", 1),
        ("person", "someone"),
        ("account", "root@hq"),
        ("kind", "approve"),
        ("reason", ""),
        ("body", '{"time_ms":3,"what":"exclude "}'),
        ("prev", "f" * 64),
        ("hash", "f" * 64),
    ],
)
def test_a_changed_column_is_named(column: str, value: object) -> None:
    made = chain()
    made[2] = replace(made[2], **{column: value})  # type: ignore[arg-type]  # one of each type in turn
    assert 3 in {found.number for found in problems(made)}


def test_a_change_that_is_hashed_again_breaks_the_next_link() -> None:
    made = chain()
    forged = replace(made[2], reason="none")
    made[2] = replace(forged, hash=forged.due_hash)
    assert [str(found) for found in problems(made)] == [
        "decision 4: it does not follow from the one before it"
    ]


def test_what_is_left_out_twice_there_or_in_another_order_is_named() -> None:
    made = chain()
    assert [str(found) for found in problems(made[:1] + made[2:])] == ["decision 3: 2 should stand before it"]
    assert [str(found) for found in problems(made[3:])] == ["decision 4: 1 to 3 should stand before it"]
    assert problems([*made[:3], made[2], *made[3:]])
    assert problems([made[1], made[0], *made[2:]])


def test_a_body_of_another_form_is_named() -> None:
    odd = replace(chain(1)[0], body='{"what": "exclude"}')
    assert [found.what for found in problems([replace(odd, hash=odd.due_hash)])] == [
        "its body is not canonical JSON"
    ]
    none = replace(odd, body="[1]")
    assert problems([replace(none, hash=none.due_hash)])


@pytest.mark.parametrize("body", [1.5, {"a": float("nan")}, {1: "a"}, [b"x"], "\ud800"])
def test_what_has_no_one_form_is_refused(body: Any) -> None:
    with pytest.raises(DataError):
        canonical(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_JSON)
def test_canonical_text_is_read_back_and_written_the_same(body: Any) -> None:
    text = canonical(body)
    assert json.loads(text) == body
    assert canonical(json.loads(text)) == text
