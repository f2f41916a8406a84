"""The first look at a message: whose it is and how large, before it may wait, and before it is parsed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from collector import messages
from collector.door import NO_SITE, Door
from collector.inbox import Inbox
from collector.ledger import Ledger
from core.delivery.frames import Lane
from core.delivery.messages import MAX_MESSAGE_BYTES, Status, encode
from core.delivery.topics import subscriptions_of_collector
from core.errors import WireError
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    LIFE,
    SITE,
    T0,
    data,
    frame,
    head,
    intake,
    minutes,
    table,
)

TOPIC = f"seiren/v1/{SITE}/{AGENT}/registers"


def door(*sites: str) -> Door:
    return Door(sites or (SITE,), lambda: T0)


def test_what_our_agents_say_is_admitted_and_remembered() -> None:
    made = door()
    assert made.admit(TOPIC, b"anything") == b"anything"
    assert made.admit(*head(1, 1)) == head(1, 1)[1]
    online = encode(Status(process=EPOCH, state="online"))
    assert made.admit(f"seiren/v1/{SITE}/{AGENT}/status", online) == online
    assert made.admit(f"seiren/v1/{SITE}/aoba-2/status", b"garbage") == b"garbage"
    assert {agent: (each.heard_ms, each.state) for (_, agent), each in made.visitors.items()} == {
        AGENT: (T0, "online"),
        "aoba-2": (None, ""),
    }


def test_a_retained_word_is_no_sign_of_life() -> None:
    made = door()
    made.admit(*head(1, 1))
    assert made.visitors[SITE, AGENT].heard_ms is None


def test_a_publisher_of_another_site_is_passed_over_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    made = door()
    foreign = data(frame(0, minutes(0, 1)), site="shiomi")
    with caplog.at_level(logging.WARNING):
        assert [made.admit(*foreign) for _ in range(3)] == [None] * 3
        assert made.admit("seiren/v1/青葉/a/registers", b"") is None
        assert made.admit("seiren/v1/" + "a" * 60_000 + "/b/registers", b"") is None
    assert (made.strangers, made.visitors) == ({"shiomi": 3, NO_SITE: 2}, {})
    assert len(caplog.records) == 2


def test_strangers_and_agents_fill_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    made = door()
    with caplog.at_level(logging.CRITICAL):
        for number in range(20_000):
            made.admit(f"seiren/v1/site-{number}/a/registers", b"")
            made.admit(f"seiren/v1/{SITE}/agent-{number}/registers", b"")
    assert (len(made.strangers), len(made.visitors)) == (100, 10_000)


def test_our_own_words_are_passed_over() -> None:
    assert door().admit("seiren/v1/collectors/hq/status", b"anything") is None


def test_what_is_too_large_is_cut_and_set_aside_by_its_size(tmp_path: Path) -> None:
    cut = door().admit(TOPIC, b"x" * 5_000_000)
    assert cut is not None and len(cut) == MAX_MESSAGE_BYTES + 1
    ledger = Ledger.open(tmp_path, create=True)
    way = intake(ledger)
    one = frame(0, minutes(0, 5))
    way.commit(way.sort([(TOPIC, cut), table(), data(one)]), LIFE)
    (aside,) = ledger.quarantined()
    assert "more than 1000000" in aside.reason or "at most 1000000" in aside.reason
    assert len(aside.raw) == 65_536
    assert [count.stored for count in ledger.counts()] == [5], "the rest goes on"


async def test_an_inbox_counts_what_it_takes_and_drops() -> None:
    inbox = Inbox(max_waiting_bytes=100, linger_s=0)
    assert [inbox.put(TOPIC, b"x" * 60) for _ in range(2)] == [True, False]
    assert (inbox.taken, inbox.dropped, inbox.waiting) == (1, 1, (1, 60))
    await inbox.take()
    assert inbox.waiting == (0, 0)


def test_a_flood_of_empty_messages_is_bounded_too() -> None:
    inbox = Inbox(max_waiting_messages=1000)
    assert sum(inbox.put(TOPIC, b"") for _ in range(5000)) == 1000


@pytest.mark.parametrize("kind", ["data", "inventory", "table", "head"])
def test_a_version_that_is_not_known_is_said_to_be_one(kind: str) -> None:
    with pytest.raises(WireError, match="a newer collector does"):
        messages.read(TOPIC, json.dumps({"v": 9, "kind": kind}).encode())


def test_a_partition_hears_its_sites_alone() -> None:
    assert subscriptions_of_collector(["aoba", "shiomi"])[-2:] == (
        "seiren/v1/aoba/+/samples",
        "seiren/v1/shiomi/+/samples",
    )
    assert {each.rpartition("/")[2] for each in subscriptions_of_collector()} == {"head", "status", *Lane}


def deflated(text: bytes) -> bytes:
    """A message as it travels deflated."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return b"\x01" + packer.compress(text) + packer.flush()


POISON = f"""
import resource, sys, zlib
from collector import messages
from core.errors import WireError
from tests.unit.collector.test_door import TOPIC, deflated

packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
bomb = b"\\x01" + b"".join(packer.compress(b"[" * 1_000_000) for _ in range(40)) + packer.flush()
hostile = [
    b"[" * 1_000_000,
    b'{{"a":' * 166_000,
    b'{{"v":1,"kind":"data","epoch":[' + b"[]," * 300_000 + b"[]]}}",
    b'{{"v":2,"kind":"data","frames":[' + b'[0,1,""],' * 100_000 + b'[0,1,""]]}}',
    b'{{"v":1,"kind":"head","lanes":{{' + b",".join(b'"k%d":1' % i for i in range(80_000)) + b"}}}}",
    b'{{"v":1,"kind":"data","epoch":' + b"9" * 900_000 + b"}}",
    bomb[:{MAX_MESSAGE_BYTES}],
    deflated(b"[" * 10_000_000),
    deflated(b" " * 10_000_000 + b"{{}}"),
    b'{{"v":1,"kind":"head","lanes":{{' + b",".join(b'"k%d":1' % i for i in range(19_000)) + b"}}}}",
    b'{{"v":2,"kind":"data","frames":[' + b"0," * 99_000 + b"0]}}",
]
def run():
    for payload in hostile:
        try:
            messages.read(TOPIC, payload)
        except WireError:
            continue
        raise SystemExit("taken: " + repr(payload[:40]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3):
    run()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_stays_flat_under_messages_made_to_fill_it() -> None:
    """A bomb of forty megabytes, endless nesting, a hundred thousand values: refused, and forgotten."""
    done = subprocess.run(
        [sys.executable, "-c", POISON],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    assert int(done.stdout) < 64, f"{done.stdout} MB more than before"
