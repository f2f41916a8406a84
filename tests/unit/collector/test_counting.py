"""The count as text: YES where every reading is accounted for, else NO; beside it what was never taken."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.count_reading import CountRow, CountTable, NamedLoss, read_counts
from collector.counting import count_report
from collector.ledger import Ledger
from collector.polled import Account, accounts_of
from collector.table import Form
from config.hq import load_hq
from core.delivery.count import Count
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Gone, Inventory, encode
from core.delivery.payload import encode_payload
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    SITE,
    T0,
    TABLE,
    commit,
    data,
    folder_with,
    frame,
    head,
    minutes,
    table,
)

TOKYO = ZoneInfo("Asia/Tokyo")
DAY_MS, MINUTE_MS = 86_400_000, 60_000
GOOD = Count(
    "aoba-1",
    Lane.REGISTERS,
    "",
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


def row(count: Count, account: Account | None = None, day: str = "") -> CountRow:
    return CountRow(count.agent, count.lane, day, count, account)


def shown(*rows: CountRow, month: str = "", silent: dict[str, int | None] | None = None) -> CountTable:
    losses = tuple(
        NamedLoss(each.agent, each.lane, reason, n, T0, T0 + 19 * MINUTE_MS)
        for each in rows
        for reason, n in each.count.lost.items()
    )
    return CountTable(month, rows, (), losses, silent or {}, TOKYO)


def lines(*rows: CountRow, month: str = "", silent: dict[str, int | None] | None = None) -> list[str]:
    return count_report(shown(*rows, month=month, silent=silent), Form.TABLE).splitlines()


def test_a_count_that_closes() -> None:
    lane = replace(GOOD, lane=Lane.SAMPLES, taken=100, stored=80, lost={"disk_full": 15}, waiting=5)
    assert shown(row(GOOD), row(lane)).closes
    assert lines(row(GOOD), row(lane)) == [
        " agent   lane       taken  stored  waiting  named lost  unexplained",
        " aoba-1  registers  1,200   1,200        0           0            0",
        " aoba-1  samples      100      80        5          15            0",
        " all                1,300   1,280        5          15            0",
        " named lost 15  aoba-1 samples, 2024-02-01 00:00 - 00:19, disk_full; no energy",
        "YES  taken = stored + waiting + named lost, as far as heard",
    ]


@pytest.mark.parametrize(
    "count",
    [
        replace(GOOD, stored=1000, owed=200),
        replace(GOOD, stored=1000),
        replace(GOOD, owed_frames=3),  # frames whose readings nobody has told
    ],
    ids=["owed", "wrong", "unknown"],
)
def test_a_count_that_does_not_close(count: Count) -> None:
    assert not shown(row(GOOD), row(count)).closes
    assert "NO   not taken = stored + waiting + named lost" in lines(row(count))


def test_what_was_set_aside_is_part_of_the_sum() -> None:
    count = replace(GOOD, stored=1190, quarantined=10)
    assert shown(row(count)).closes
    assert lines(row(count))[2:] == [
        " set aside 10  aoba-1 registers, raw bytes with their reason",
        "YES  taken = stored + waiting + named lost + set aside, as far as heard",
    ]


def test_what_was_due_and_not_taken_stands_beside_the_count_with_its_reasons() -> None:
    missing = {"AOB-CEL-DC": 900, "B": 60, "C": 1, "D": 1}
    account = Account(due=2162, taken=1200, skipped=2, silent=900, stopped=60, missing=missing)
    assert lines(row(GOOD, account))[2:4] == [
        " not taken 962  aoba-1 registers, 900 device silent, 2 skipped, 60 no agent ran:",
        "                AOB-CEL-DC 900, B 60, C 1 and 1 more",
    ]
    assert lines(row(GOOD, account))[-1].startswith("YES")
    alone = Account(due=1260, taken=1200, silent=60, missing={"M": 60})
    assert " not taken 60  aoba-1 registers, device silent: M 60" in lines(row(GOOD, alone))


def test_a_silent_agent_is_named_and_its_figures_are_lower_bounds() -> None:
    found = lines(row(GOOD), month="2024-02", silent={"aoba-1": T0})
    assert found[1] == " aoba-1  registers  >= 1,200   1,200  unknown           0            0"
    assert found[-1] == "     aoba-1 silent since 2024-02-01 00:00: its own count comes when it returns"
    assert lines(row(GOOD), silent={"aoba-1": T0})[-1] == "     aoba-1 heard until 2024-02-01 00:00"


def test_for_programs() -> None:
    count = replace(GOOD, stored=1185, lost={"damaged": 15})
    account = Account(due=1300, taken=1200, silent=100)
    document = json.loads(count_report(shown(row(count, account)), Form.JSON))
    assert document["adds_up"] is True
    assert document["counts"][0]["lost"] == {"damaged": 15}
    assert document["counts"][0]["due"]["silent"] == 100
    assert document["losses"][0]["from_ms"] == T0
    header, cells = count_report(shown(row(count, account)), Form.CSV).splitlines()
    found = dict(zip(header.split(","), cells.split(","), strict=True))
    assert (found["lost"], found["due"], found["silent"]) == ("15", "1300", "100")


def test_nobody_was_heard() -> None:
    assert lines() == ["no agent has been heard yet"]
    assert lines(month="2024-02") == ["nothing was taken in 2024-02, as far as heard"]


def polled(day: str, since_ms: int, time_ms: int, **registers: object) -> dict[str, object]:
    lanes = {"registers": {"due": 0, "taken": 0, "skipped": 0, "silent": 0, "stopped": 0, **registers}}
    return {"event": "polled", "time_ms": time_ms, "since_ms": since_ms, "day": day, "lanes": lanes}


def test_of_accounts_with_one_beginning_the_latest_counts_and_others_are_added() -> None:
    told = [
        polled("2024-02-01", T0, T0 + 10, due=5, taken=5),
        polled("2024-02-01", T0, T0 + 20, due=9, taken=8, silent=1, missing={"M": 1}),
        polled("2024-02-01", T0 + 30, T0 + 40, due=2, taken=1, silent=1, missing={"M": 1, "N": 0}),
        polled("2024-02-02", T0 + DAY_MS, T0 + DAY_MS, due=1),
    ]
    for order in (told, told[::-1]):
        found = accounts_of(("a", json.dumps(each)) for each in order)
        account = found["a", Lane.REGISTERS, "2024-02-01"]
        assert (account.due, account.taken, account.silent) == (11, 9, 2)
        assert account.missing == {"M": 2, "N": 0}
        assert len(found) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"event":"polled"}',
        json.dumps(polled("2024-02-01", T0, T0, due=-1)),
        json.dumps(polled("2024-02-01", T0, T0, due="5")),
        json.dumps(polled("yesterday", T0, T0, due=5)),
        json.dumps(polled("2024-02-01", T0, T0, due=5)).replace("registers", "others"),
    ],
)
def test_an_account_of_another_form_counts_for_nothing(text: str) -> None:
    assert accounts_of([("a", text)]) == {}


def with_events(index: int, *events: dict[str, object]) -> Frame:
    payload = encode_payload((), TABLE, events)
    return Frame(AGENT, Lane.REGISTERS, EPOCH, index, len(events), TABLE.digest, payload)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Three days: each hour a frame, a loss on the second day, an account of the third."""
    made = Ledger.open(folder_with(tmp_path), create=True)
    frames = [frame(at, minutes(60 * at, 60)) for at in range(72) if at != 30]
    account = polled(
        "2024-02-03", T0 + 2 * DAY_MS, T0 + 3 * DAY_MS, due=1500, taken=1440, silent=60, missing={"M": 60}
    )
    frames.append(with_events(72, account))
    lost = Gone(EPOCH, 30, 1, 60, "damaged", None, T0 + 30 * 60 * MINUTE_MS, T0 + 31 * 60 * MINUTE_MS)
    inventory = Inventory(number="0" * 16, process=EPOCH, sequence=1, epochs=(), blocks=(), gone=(lost,))
    commit(made, table(), *(data(each) for each in frames), head(73, 72 * 60 + 1))
    commit(made, (f"seiren/v1/{SITE}/{AGENT}/registers", encode(inventory)))
    return made


def read(ledger: Ledger, folder: Path, now_ms: int, month: str = "", *, by_day: bool = False) -> CountTable:
    return read_counts(ledger, load_hq(folder), now_ms=now_ms, of_month=month, by_day=by_day)


def test_days_are_those_of_the_site_and_sum_to_the_month(ledger: Ledger, tmp_path: Path) -> None:
    found = read(ledger, tmp_path, T0 + 3 * DAY_MS, "2024-02", by_day=True)
    (whole,) = found.rows
    assert [each.day for each in found.of_days] == ["2024-02-01", "2024-02-02", "2024-02-03"]
    assert [each.count.stored for each in found.of_days] == [1440, 1380, 1441]
    assert [each.count.lost for each in found.of_days] == [{}, {"damaged": 60}, {}]
    assert (whole.count.taken, whole.count.stored) == (4321, 4261)
    assert found.closes and not found.silent
    assert found.losses == (
        NamedLoss(AGENT, Lane.REGISTERS, "damaged", 60, T0 + 1800 * MINUTE_MS, T0 + 1860 * MINUTE_MS),
    )
    assert [each.account and each.account.not_taken for each in found.of_days] == [None, None, 60]
    assert whole.account is not None and whole.account.missing == {"M": 60}
    everything = read(ledger, tmp_path, T0 + 3 * DAY_MS)
    assert [each.count for each in everything.rows] == [whole.count]
    assert read(ledger, tmp_path, T0 + 3 * DAY_MS, "2024-01").rows == ()


def test_whoever_says_nothing_up_to_the_end_is_silent(ledger: Ledger, tmp_path: Path) -> None:
    newest_ms = T0 + 3 * DAY_MS - MINUTE_MS
    for now_ms, month in (
        (T0 + 4 * DAY_MS, "2024-02"),
        (T0 + 400 * DAY_MS, "2024-02"),
        (T0 + 4 * DAY_MS, ""),
    ):
        assert read(ledger, tmp_path, now_ms, month).silent == {AGENT: newest_ms}


def test_what_was_due_on_a_day_on_which_nothing_came_has_a_row(ledger: Ledger, tmp_path: Path) -> None:
    account = polled("2024-02-05", T0 + 4 * DAY_MS, T0 + 5 * DAY_MS, due=1440, stopped=1440)
    commit(ledger, data(with_events(73, account)))
    found = read(ledger, tmp_path, T0 + 5 * DAY_MS, "2024-02", by_day=True)
    last = found.of_days[-1]
    assert (last.day, last.count.taken, last.account and last.account.stopped) == ("2024-02-05", 0, 1440)


PAGE = Path(__file__).parents[3] / "docs/delivery.md"
SCREEN = re.compile(r"<!-- count: february -->\n```\n(.*?)```", re.S)


def february() -> str:
    """A SYNTHETIC month with something of everything."""
    missing = Account(due=222_720, taken=221_760, silent=960, missing={"AOB-CEL-DC": 960})
    samples = replace(GOOD, lane=Lane.SAMPLES, taken=3_820_411, stored=3_819_699, lost={"disk_full": 712})
    table = CountTable(
        "2024-02",
        (
            row(replace(GOOD, taken=400_896, stored=400_896)),
            row(samples),
            row(replace(GOOD, agent="aoba-2", taken=221_760, stored=221_760), missing),
            row(replace(GOOD, agent="shiomi-1", taken=44_395, stored=44_395)),
        ),
        (),
        (
            NamedLoss(
                "aoba-1", Lane.SAMPLES, "disk_full", 712, T0 + 14_522 * MINUTE_MS, T0 + 14_541 * MINUTE_MS
            ),
        ),
        {"shiomi-1": T0 + 41_620 * MINUTE_MS},
        TOKYO,
    )
    return f"$ seiren count 2024-02\n{count_report(table, Form.TABLE)}\n"


if os.environ.get("SEIREN_REWRITE_PAGES"):
    PAGE.write_text(
        SCREEN.sub(lambda _: f"<!-- count: february -->\n```\n{february()}```", PAGE.read_text("utf-8")),
        encoding="utf-8",
    )


def test_the_page_shows_what_is_printed() -> None:
    (shown_there,) = SCREEN.findall(PAGE.read_text(encoding="utf-8"))
    assert shown_there == february()
    assert all(len(line) <= 80 and line.isascii() for line in shown_there.splitlines())
