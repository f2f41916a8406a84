"""Corrections: previewed before they are written, decided with person and reason, undone by another one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from collector import drafts
from collector.corrections import Corrections, around, correction, count_of
from collector.figures import energies
from collector.ledger import Ledger, cells, decisions
from collector.people import who
from collector.report.ledger_months import LedgerMonths
from collector.substitution import Rule, substitute
from collector.view import View
from config.hq import load_hq
from core.chain import problems
from core.errors import AnswerIsNo, ConfigError, DataError, SeirenError, UsageError
from core.metering.boundaries import Method
from core.metering.cells import content_hash
from core.metering.readings import Reading
from core.timeline import Interval, days_later, parse_local
from seiren import app
from tests.unit.collector.closings import (
    FEBRUARY,
    HOUR_MS,
    INTAKE,
    KILN,
    MARCH,
    TOKYO,
    bring,
    close,
    count,
    start,
)
from tests.unit.collector.material import HQ, folder_with

METER = "AOB-RCV-01"
MONTHS = ("2024-01", FEBRUARY, MARCH)
WRONG = HQ.replace(
    'serial: SYN-1, wh_per_count: "10", side: primary',
    'serial: SYN-1, wh_per_count: "10", side: secondary, ct: 400/5, full_scale_kw: "2000"',
)
MINUTE_MS = 60_000
AFTER_MS = 7 * MINUTE_MS
STEP_MS = 12 * HOUR_MS
"""Registers are read at 00:07 and 12:07."""
CORRECTIONS: Mapping[str, list[str]] = {
    "a substitute": [
        *("substitute", "--from", "2024-03-31T12:00", "--to", "2024-04-01", "--rule", "same_hours_last_week"),
    ],
    "a reading": ["exclude", "--at", "2024-02-01T00:07"],
    "readings over a month's end": ["exclude", "--from", "2024-01-31T22:00", "--to", "2024-02-02"],
    "the end of all": ["exclude", "--from", "2024-02-28", "--to", "2025-01-01"],
    "an index": ["enter", "--at", "2024-01-31T23:30", "--index", "520700", "--document", "photograph 7"],
    "a ratio": ["installation", "--from", "2024-02-10", "--set", "ct=600/5"],
    "a ratio for a time": [
        *("installation", "--from", "2024-01-20", "--to", "2024-02-03T12:00", "--set", "ct=600/5"),
    ],
    "an exchange": [
        *("exchange", "--at", "2024-02-10T10:30", "--serial", "SYN-9", "--document", "slip 4"),
        *("--closing", "679350", "--opening", "679350", "--set", "ct=600/5"),
    ],
}

ALIKE = ("a reading", "the end of all", "a ratio for a time")


def regular(first_ms: int, last_ms: int, *, points: Sequence[str] = (INTAKE,)) -> list[Reading]:
    """Readings from one instant to another."""
    return [
        Reading(point, at_ms, count(point, at_ms))
        for point in points
        for at_ms in range(first_ms + AFTER_MS, last_ms, STEP_MS)
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months of registers; the last ones of March are missing. Nothing is written to it."""
    made = folder_with(tmp_path_factory.mktemp("prepared"), WRONG)
    ledger = Ledger.open(made, create=True)
    bring(ledger, regular(start("2024-01") - STEP_MS, start("2024-04") - HOUR_MS))
    ledger.close()
    return made


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """The same, to write to."""
    return Path(shutil.copytree(prepared, tmp_path / "hq"))


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    opened = Ledger.open(folder)
    yield opened
    opened.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def correct(folder: Path, *arguments: str, meter: str = METER, **more: str) -> Result:
    kind, *rest = arguments
    options = {"reason": "nameplate read", "by": "sato", **more}
    named = [word for name, value in options.items() for word in (f"--{name}", value)]
    return run("correct", kind, folder, meter, *rest, *named)


def written(folder: Path, *arguments: str, meter: str = METER) -> dict[str, Any]:
    result = correct(folder, *arguments, "--yes", meter=meter, format="json")
    assert result.exit_code == 0, result.exception
    document: dict[str, Any] = json.loads(result.output)
    return document


def kwh(ledger: Ledger, folder: Path) -> dict[str, Fraction | None]:
    """The intake's energy by month."""
    found = {month: energies(ledger, load_hq(folder), month)[INTAKE].wh for month in MONTHS}
    return {month: None if wh is None else Fraction(wh, 1000) for month, wh in found.items()}


def decided(ledger: Ledger) -> tuple[decisions.Decision, ...]:
    with ledger.reading() as connection:
        return decisions.read(connection)


def error_of(result: Result) -> SeirenError:
    assert isinstance(result.exception, SeirenError), result.output
    return result.exception


# --------------------------------------------------------------------------------------------- previews


@pytest.mark.parametrize(
    "what", [pytest.param(each, marks=pytest.mark.slow) if each in ALIKE else each for each in CORRECTIONS]
)
def test_what_is_previewed_is_what_comes_of_it_and_undo_takes_it_back(
    folder: Path, ledger: Ledger, what: str
) -> None:
    raw, before = content_hash(ledger.cells(INTAKE)), kwh(ledger, folder)
    shown = correct(folder, *CORRECTIONS[what], format="json")
    assert shown.exit_code == 0, shown.exception
    preview = json.loads(shown.output)
    assert (preview["written"], decided(ledger)) == (False, ())
    assert kwh(ledger, folder) == before

    done = written(folder, *CORRECTIONS[what])
    assert (done["written"], done["months"]) == (True, preview["months"])
    after = kwh(ledger, folder)
    assert after != before or what in ("a reading", "readings over a month's end", "an index")
    for month in done["months"]:
        at = month["month"]
        assert _number(month["before_kwh"]) == before[at]
        assert _number(month["after_kwh"]) == after[at]
    named = {month["month"] for month in done["months"]}
    assert named, "every one of these touches a month"
    assert {month for month in MONTHS if before[month] != after[month]} <= named

    assert content_hash(ledger.cells(INTAKE)) == raw
    taken_back = written(folder, "undo", meter="1")
    assert kwh(ledger, folder) == before
    assert [each["after_kwh"] for each in taken_back["months"]] == [
        each["before_kwh"] for each in done["months"]
    ]
    if what == "a ratio":
        written(folder, "undo", meter="2")
        assert kwh(ledger, folder) == after
    assert problems(decided(ledger)) == []


def _number(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def test_a_tighter_bracket_moves_energy_by_opposite_amounts(folder: Path, ledger: Ledger) -> None:
    done = written(folder, *CORRECTIONS["an index"])
    january, february = (Fraction(each["change_kwh"]) for each in done["months"])
    assert january == -february != 0


def test_a_wrong_ratio_changes_every_month_by_exactly_that(folder: Path, ledger: Ledger) -> None:
    hq = load_hq(folder)
    bring(
        ledger,
        regular(start("2024-01") - STEP_MS, start("2024-04") + STEP_MS, points=[INTAKE, KILN]),
    )
    close(ledger, hq, FEBRUARY)
    done = json.loads(
        correct(folder, "installation", "--from", "2020-10-01", "--set", "ct=600/5", format="json").output
    )
    assert [each["month"] for each in done["months"]] == list(MONTHS)
    assert [each["activity"] for each in done["months"]] == ["open", "closed", "open"]
    for each in done["months"]:
        assert Fraction(each["after_kwh"]) == Fraction(each["before_kwh"]) * 3 / 2
        assert Fraction(each["after_t"]) - Fraction(each["before_t"]) == Fraction(each["change_t"]) > 0
    months = LedgerMonths(folder)
    closed = months.sheet(FEBRUARY).content
    written(folder, "installation", "--from", "2020-10-01", "--set", "ct=600/5")
    assert months.sheet(FEBRUARY).content == closed, "a closed month waits for a person"
    months.close()
    told = correct(folder, "installation", "--from", "2020-10-01", "--set", "ct=400/5").output
    assert "2024-02 is closed" in told


def test_where_nothing_changes_it_says_so(folder: Path) -> None:
    result = correct(folder, "installation", "--from", "2024-02-01", "--set", "accuracy_class=0.5S")
    assert "no month changes" in result.output


def test_an_exclusion_holds_for_what_comes_late(folder: Path, ledger: Ledger) -> None:
    written(folder, "exclude", "--from", "2024-02-05", "--to", "2024-02-06")
    before = kwh(ledger, folder)
    bring(ledger, [Reading(INTAKE, start(FEBRUARY) + 4 * 24 * HOUR_MS + 90_000, 9)])
    assert kwh(ledger, folder) == before


# ------------------------------------------------------------------------------------- what people write


def test_a_report_for_people(folder: Path) -> None:
    lines = correct(folder, *CORRECTIONS["a ratio"]).output.splitlines()
    assert lines[0] == f"correction of {INTAKE}, NOT WRITTEN YET"
    assert lines[1:4] == [
        "      what  ct = 600/5 from 2024-02-10",
        "      why   nameplate read",
        f"      who   sato ({who(None).account})",
    ]
    assert lines[-1] == "next  the same command with --yes writes it"
    told = correct(folder, *CORRECTIONS["a ratio"], "--yes").output.splitlines()
    assert told[0].endswith("written as decision 1")
    assert told[-1] == "next  seiren correct undo 1 takes it back"
    assert all(len(line) <= 80 and line.isascii() for line in (*lines, *told))


def test_corrections_are_listed(folder: Path) -> None:
    written(folder, *CORRECTIONS["a ratio"])
    written(folder, *CORRECTIONS["a reading"])
    written(folder, "undo", meter="1")
    told = run("correct", "list", folder).output
    assert [line for line in told.splitlines() if "UNDONE" in line] == [
        line for line in told.splitlines() if line.startswith("   1 ")
    ]
    assert "what  decision 1 undone" in told
    assert all(len(line) <= 80 and line.isascii() for line in told.splitlines())
    rows = json.loads(run("correct", "list", folder, "--format", "json").output)
    assert [(row["number"], row["in_force"]) for row in rows] == [(1, False), (2, True), (3, True)]
    assert [row["on"] for row in rows] == [METER, INTAKE, METER]
    assert run("correct", "list", folder, "--format", "csv").output.count("\n") == 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"what": "exclude", "time_ms": 0}, "the reading of 1970-01-01 09:00 is left out"),
        ({"what": "exclude", "time_ms": 61_250}, "the reading of 1970-01-01 09:01:01.250 is left out"),
        (
            {"what": "exclude", "start_ms": -32_400_000, "end_ms": 54_000_000},
            "readings are left out from 1970-01-01 to 1970-01-02",
        ),
        (
            {"what": "enter", "time_ms": 0, "count": "7.5", "reader": "sato"},
            "index 7.5 entered for 1970-01-01 09:00, read by sato",
        ),
        (
            {"what": "installation", "from_ms": 0, "to_ms": None, "set": {"side": "primary", "ct": "600/5"}},
            "ct = 600/5, side = primary from 1970-01-01 09:00",
        ),
        (
            {"what": "exchange", "at_ms": 0, "serial": "S2", "closing": "9", "opening": None, "set": {}},
            "exchanged for serial S2 at 1970-01-01 09:00; closing 9",
        ),
        (
            {
                "what": "exchange",
                "at_ms": 0,
                "serial": "S2",
                "closing": None,
                "opening": None,
                "set": {"ct": "600/5"},
            },
            "exchanged for serial S2 at 1970-01-01 09:00; no index on the slip, ct = 600/5",
        ),
        (
            {"what": "substitute", "start_ms": 0, "end_ms": 60_000, "wh": 1500, "method": "by hand"},
            "1.5 kWh from 1970-01-01 09:00 to 1970-01-01 09:01, method: by hand",
        ),
        ({"what": "undo", "number": 3}, "decision 3 undone"),
    ],
)
def test_a_correction_in_words(body: dict[str, Any], words: str) -> None:
    assert drafts.words(body, TOKYO) == words


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["exclude", "--at", "2024-02-01T00:10"], "there is no reading at that time"),
        (["exclude", "--at", "1999-01-01"], "there is no reading at that time"),
        (["exclude", "--at", "now"], "not a date or time"),
        (["exclude"], "one reading or an interval"),
        (["exclude", "--from", "2024-02-01"], "one reading or an interval"),
        (["exclude", "--from", "2024-02-01", "--to", "2024-02-01"], "the interval is empty"),
        (["enter", "--at", "2024-02-01", "--index", "seven", "--document", "x"], "not an index"),
        (["enter", "--at", "2024-02-01", "--index", "7"], "no document proves it"),
        (["enter", "--at", "1999-02-01", "--index", "7", "--document", "x"], "nothing is installed"),
        (["installation", "--from", "2024-02-01"], "nothing is changed"),
        (["installation", "--from", "2024-02-01", "--set", "ct"], "not a fact"),
        (["installation", "--from", "2024-02-01", "--set", "colour=red"], "there is no such fact"),
        (["installation", "--from", "2024-02-01", "--set", "ct=0/5"], "not the ratio"),
        (["installation", "--from", "2024-02-01", "--set", "ct=1/5", "--set", "ct=2/5"], "given twice"),
        (["exchange", "--at", "2024-02-01", "--serial", "SYN-1", "--document", "x"], "no other meter"),
        (["exchange", "--at", "2024-02-01", "--serial", "SYN-9"], "no document proves it"),
        (["substitute", "--from", "2024-02-01", "--to", "2024-02-02"], "an energy or a rule"),
        (
            ["substitute", "--from", "2024-02-01", "--to", "2024-02-02", "--kwh", "5", "--method", "x"],
            "no document proves it",
        ),
        (
            [
                *("substitute", "--from", "2024-02-01", "--to", "2024-02-02"),
                *("--kwh", "-5", "--method", "x", "--document", "x"),
            ],
            "not an energy",
        ),
        (
            ["substitute", "--from", "2023-12-01", "--to", "2023-12-02", "--rule", "same_hours_last_week"],
            "needs an energy that registers give",
        ),
        (["exclude", "--at", "2024-02-01T00:07", "--file", "none.pdf"], "file cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    prepared: Path, arguments: list[str], what: str
) -> None:
    error = error_of(correct(prepared, *arguments, "--yes"))
    assert isinstance(error, UsageError | DataError | ConfigError)
    assert what in error.what, error.render()
    ledger = Ledger.open(prepared)
    assert decided(ledger) == ()
    ledger.close()


def test_a_correction_is_one_meters_and_has_a_reason(folder: Path) -> None:
    assert "one meter's" in error_of(correct(folder, *CORRECTIONS["a ratio"], meter="aoba")).what
    assert "is called" in error_of(correct(folder, *CORRECTIONS["a ratio"], meter="nobody")).what
    assert "reason" in error_of(correct(folder, *CORRECTIONS["a ratio"], reason=" ")).what
    assert "no correction" in error_of(correct(folder, "undo", meter="1")).what
    assert "number" in error_of(correct(folder, "undo", meter="one")).what
    written(folder, *CORRECTIONS["a ratio"])
    written(folder, "undo", meter="1")
    assert "undone already" in error_of(correct(folder, "undo", meter="1")).what


def test_only_a_reporter_may_correct(tmp_path: Path) -> None:
    made = folder_with(tmp_path / "hq", WRONG + "roles: {m.sato: [reporter], suzuki: [approver]}\n")
    ledger = Ledger.open(made, create=True)
    bring(ledger, regular(start(FEBRUARY), start(MARCH)))
    ledger.close()
    error = error_of(correct(made, *CORRECTIONS["a ratio"], "--yes", by="suzuki"))
    assert isinstance(error, AnswerIsNo)
    assert error.evidence == "reporters: m.sato"
    assert correct(made, *CORRECTIONS["a ratio"], "--yes", by="m.sato").exit_code == 0


def test_the_document_is_kept_with_its_hash(folder: Path, tmp_path: Path) -> None:
    slip = tmp_path / "slip.pdf"
    slip.write_bytes(b"slip")
    done = written(folder, *CORRECTIONS["a ratio"], "--file", str(slip))["correction"]
    assert done["document"] == "slip.pdf"
    assert done["sha256"] == sha256(b"slip").hexdigest()


@pytest.mark.parametrize(
    ("text", "held"),
    [("28350", "28350"), ("283.5 kWh", "28350"), ("1,283.5kWh", "128350"), ("0.283 MWh", "28300")],
)
def test_an_index_is_a_count_or_what_the_display_shows(
    folder: Path, ledger: Ledger, text: str, held: str
) -> None:
    hq = load_hq(folder)
    site, meter = hq.sites[0], hq.sites[0].meters[0]
    with ledger.reading() as connection:
        stood = drafts.standing(View(connection, hq), site, meter, start(FEBRUARY))
    assert drafts.index(text, stood) == count_of(held)


# ------------------------------------------------------------------------------------------ in the ledger


def test_an_entered_index_is_taken_where_nothing_was_read(folder: Path, ledger: Ledger) -> None:
    """March's last two hours are missing: an index read by hand at the month's end closes it."""
    assert kwh(ledger, folder)[MARCH] is None
    at = ("enter", "--at", "2024-04-01T00:00", "--index", "1528800", "--document", "photograph 8")
    written(folder, *at)
    with ledger.reading() as connection:
        hq = load_hq(folder)
        found = View(connection, hq).energies(hq.sites[0], Interval(start(MARCH), start("2024-04")))[INTAKE]
    assert found.wh is not None
    assert found.end.method is Method.MANUAL


def test_what_was_entered_beyond_all_readings_is_seen_from_there(folder: Path, ledger: Ledger) -> None:
    written(folder, "enter", "--at", "2024-05-01", "--index", "1600000", "--document", "x")
    hq = load_hq(folder)
    with ledger.reading() as connection:
        found = Corrections.in_force(connection).of(hq.sites[0].meters[0])
        near = around(connection, INTAKE, Interval(start("2024-04"), start("2024-04") + HOUR_MS), found)
    assert [cell.readings[-1][0] for cell in near] == [
        start("2024-04") - STEP_MS + AFTER_MS,
        start("2024-05"),
    ]


def test_around_goes_on_over_what_is_left_out(folder: Path, ledger: Ledger) -> None:
    written(folder, "exclude", "--from", "2024-02-01", "--to", "2024-02-11")
    hq = load_hq(folder)
    within = Interval(start(FEBRUARY) + 24 * HOUR_MS, start(FEBRUARY) + 48 * HOUR_MS)
    with ledger.reading() as connection:
        found = Corrections.in_force(connection).of(hq.sites[0].meters[0])
        near = around(connection, INTAKE, within, found)
        assert cells.around(connection, INTAKE, within) != near
    times = [time_ms for cell in near for time_ms, _, _ in cell.readings]
    first, last = start(FEBRUARY) - STEP_MS, start(FEBRUARY) + 240 * HOUR_MS
    assert times == [first + AFTER_MS, last + AFTER_MS]


def test_what_is_in_force_follows_from_the_chain_alone() -> None:
    exclude = {"what": "exclude", "point": INTAKE, "time_ms": 5}

    def undo(number: int) -> dict[str, Any]:
        return {"what": "undo", "number": number}

    def in_force(*bodies: Mapping[str, object]) -> list[int]:
        history = Corrections(enumerate(bodies, 1))
        return [number for number, _ in enumerate(bodies, 1) if number not in history.undone]

    assert in_force(exclude, undo(1)) == [2]
    assert in_force(exclude, undo(1), undo(2)) == [1, 3]
    assert in_force(exclude, undo(1), undo(2), undo(3)) == [2, 4]
    assert in_force(exclude, exclude, undo(1)) == [2, 3]
    with pytest.raises(DataError, match="names no correction"):
        Corrections([(1, undo(1))])
    with pytest.raises(DataError, match="names no correction"):
        Corrections([(1, exclude)]).also(undo(7))


@pytest.mark.parametrize(
    "body",
    [{"what": "guess"}, {"what": "exclude"}, {"what": "enter", "time_ms": 5}, {"what": "installation"}],
)
def test_a_body_that_is_not_whole_is_named(body: dict[str, object]) -> None:
    with pytest.raises(DataError) as told:
        correction(body, INTAKE, 7)
    assert told.value.where == "decision 7"


# --------------------------------------------------------------------------------------------- the rules


def test_rules_take_what_registers_gave(folder: Path, ledger: Ledger) -> None:
    hq = load_hq(folder)
    site, meter = hq.sites[0], hq.sites[0].meters[0]
    per_hour = 700 * 10 * 80
    asked = Interval(start("2024-04") - STEP_MS, start("2024-04"))
    with ledger.reading() as connection:
        view = View(connection, hq)
        assert substitute(view, site, meter, asked, Rule.SAME_HOURS_LAST_WEEK) == 12 * per_hour
        assert substitute(view, site, meter, asked, Rule.MEAN_OF_LAST_7_DAYS) == 12 * per_hour


def test_no_rule_rests_on_a_substitute(folder: Path) -> None:
    by_hand = ("--kwh", "5", "--method", "pump hours", "--document", "log 7")
    written(folder, "substitute", "--from", "2024-03-31T12:00", "--to", "2024-04-01", *by_hand)
    week_later = ("--from", "2024-04-07T12:00", "--to", "2024-04-08", "--rule", "same_hours_last_week")
    error = error_of(correct(folder, "substitute", *week_later))
    assert error.evidence.endswith("it is substituted")


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("2024-03-31T12:00", "2024-03-24T12:00"),  # the clock was changed that night
        ("2024-04-01T00:00", "2024-03-25T00:00"),
        ("2024-10-27T12:00", "2024-10-20T12:00"),
        ("2024-02-29T08:30", "2024-02-22T08:30"),
    ],
)
def test_a_week_before_is_the_same_local_time(text: str, earlier: str) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    assert days_later(parse_local(text, zone), zone, -7) == parse_local(earlier, zone)
    assert days_later(parse_local(text, TOKYO), TOKYO, -7) == parse_local(earlier, TOKYO)
