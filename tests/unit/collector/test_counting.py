"""The count as text: YES where every reading is accounted for, else NO."""

from __future__ import annotations

import json
from dataclasses import replace

from collector.counting import closes, count_report
from collector.table import Form
from core.delivery.count import Count
from core.delivery.frames import Lane

GOOD = Count(
    "aoba-1",
    Lane.REGISTERS,
    "e" * 32,
    taken=1200,
    stored=1200,
    quarantined=0,
    lost={},
    waiting=0,
    owed=0,
    extra=0,
    frames=10,
    waiting_frames=0,
    owed_frames=0,
)


def test_a_count_that_closes() -> None:
    lane = replace(GOOD, lane=Lane.SAMPLES, taken=100, stored=80, lost={"disk_full": 15}, waiting=5)
    assert closes([GOOD, GOOD, lane])
    assert count_report([GOOD, GOOD, lane], Form.TABLE).splitlines() == [
        " agent   lane       taken  stored  waiting  named lost  unexplained",
        " aoba-1  registers  2,400   2,400        0           0            0",
        " aoba-1  samples      100      80        5          15            0",
        " all                2,500   2,480        5          15            0",
        " named lost 15  aoba-1 samples, disk_full",
        "YES  taken = stored + waiting + named lost, as far as heard",
    ]


def test_a_count_that_does_not_close() -> None:
    owed = replace(GOOD, stored=1000, owed=200)
    wrong = replace(GOOD, stored=1000)
    unknown = replace(GOOD, owed_frames=3)  # frames whose readings nobody has told
    for count in (owed, wrong, unknown):
        assert not closes([GOOD, count])
        assert "NO   not taken = stored + waiting + named lost" in count_report([count], Form.TABLE)


def test_what_was_set_aside_is_part_of_the_sum() -> None:
    count = replace(GOOD, stored=1190, quarantined=10)
    assert closes([count])
    lines = count_report([count], Form.TABLE).splitlines()
    assert lines[2:] == [
        " set aside 10  aoba-1 registers, raw bytes with their reason",
        "YES  taken = stored + waiting + named lost + set aside, as far as heard",
    ]


def test_for_programs() -> None:
    count = replace(GOOD, stored=1185, lost={"damaged": 15})
    document = json.loads(count_report([count], Form.JSON))
    assert document["adds_up"] is True
    assert document["counts"][0]["lost"] == {"damaged": 15}
    header, row = count_report([count], Form.CSV).splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["lost"] == "15"


def test_nobody_was_heard() -> None:
    assert count_report([], Form.TABLE) == "no agent has been heard yet"
