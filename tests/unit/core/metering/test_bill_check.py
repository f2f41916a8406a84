"""Bills beside their meter: agree and differ only where it is proven, since when, which days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from core.metering.bill_check import Beside, DayLoad, Outcome, Reconciled, reconcile
from core.metering.bills import Bill, billed_values
from core.metering.counters import build_counter, counter_spec
from core.metering.energy import energy
from core.metering.installations import Installation, Side
from core.metering.readings import Reading
from core.metering.sources import Origin
from core.timeline import Interval, days

TOKYO = ZoneInfo("Asia/Tokyo")
POINT = "AOB-RCV-01.active_energy_import"
WEEKDAY_WH, SUNDAY_WH = 24_000_000, 12_000_000


def bill(first: date, last: date, kwh: str, document: str = "B-1") -> Bill:
    return Bill(POINT, "Tohoku", "", first, last, Decimal(kwh), None, None, document, "", "bills.csv:2")


def usual(day: date) -> int:
    return SUNDAY_WH if day.weekday() == 6 else WEEKDAY_WH


def beside(
    one: Bill, load: Callable[[date], int] = usual, *, accuracy: str | None = "0.5S", late_ms: int = 0
) -> Beside:
    """What a register with one reading a midnight, or some time after it, has beside a bill."""
    whole = one.interval(TOKYO)
    bounds = days(whole, TOKYO)
    dates = [one.first_day + timedelta(days=index) for index in range(len(bounds) - 1)]
    counts = [0]
    for day in dates:
        counts.append(counts[-1] + load(day))
    readings = [
        Reading(POINT, time_ms + late_ms, count) for time_ms, count in zip(bounds, counts, strict=True)
    ]
    if late_ms:
        readings.insert(0, Reading(POINT, bounds[0] - late_ms, 0))
        readings.append(Reading(POINT, bounds[-1] + 2 * late_ms, counts[-1] + load(dates[-1])))
    installed = Installation(
        POINT, 0, None, "S", Fraction(1), Fraction(1), Side.PRIMARY, Fraction(1), accuracy_class=accuracy
    )
    counter = build_counter(readings, counter_spec(POINT, [installed]))
    told = energy(counter, [installed], whole)
    return Beside(one, told, tuple(DayLoad(day, load(day), Origin.MEASURED) for day in dates))


JANUARY, FEBRUARY = (date(2024, 1, 1), date(2024, 1, 31)), (date(2024, 2, 1), date(2024, 2, 29))
MARCH = date(2024, 3, 1), date(2024, 3, 31)


def kwh(first: date, last: date, share: Fraction = Fraction(1)) -> str:
    wh = sum(usual(first + timedelta(days=index)) for index in range((last - first).days + 1))
    return str(int(wh * share) // 1000)


def one(what: Beside) -> Reconciled:
    (told,) = reconcile([what])
    return told


def test_a_bill_within_the_class_agrees_and_one_beyond_it_differs() -> None:
    within = one(beside(bill(*FEBRUARY, kwh(*FEBRUARY, Fraction(1004, 1000)))))
    assert (within.outcome, within.since) == (Outcome.AGREE, None)
    beyond = one(beside(bill(*FEBRUARY, kwh(*FEBRUARY, Fraction(1006, 1000)))))
    assert beyond.outcome is Outcome.DIFFER
    assert beyond.difference_wh is not None and beyond.difference_wh < 0
    assert beyond.since == date(2024, 2, 1)


def test_the_papers_last_digit_is_allowed_for() -> None:
    assert bill(*FEBRUARY, "648000").rounding_wh == 500
    assert bill(*FEBRUARY, "648000.0").rounding_wh == 50


def test_what_brackets_leave_open_is_never_called_agreement_or_difference() -> None:
    sure = beside(bill(*FEBRUARY, kwh(*FEBRUARY)))
    open_ = beside(bill(*FEBRUARY, kwh(*FEBRUARY)), late_ms=6 * 3_600_000)
    assert one(sure).outcome is Outcome.AGREE
    told = one(open_)
    assert told.outcome is Outcome.CANNOT_TELL
    assert told.unproven_wh and told.tolerance_wh and told.unproven_wh > told.tolerance_wh
    assert "too much open" in told.why
    assert open_.energy.wh is not None
    met = bill(*FEBRUARY, f"{Decimal(open_.energy.wh) / 1000:f}")
    told = one(beside(met, late_ms=6 * 3_600_000))
    assert told.outcome is Outcome.CANNOT_TELL
    assert told.difference_wh == 0
    far = one(beside(bill(*FEBRUARY, kwh(*FEBRUARY, Fraction(2))), late_ms=6 * 3_600_000))
    assert far.outcome is Outcome.DIFFER  # whatever the brackets hide, it is more than that


def test_without_a_class_nothing_is_told() -> None:
    told = one(beside(bill(*FEBRUARY, kwh(*FEBRUARY)), accuracy=None))
    assert told.outcome is Outcome.CANNOT_TELL and "class" in told.why


def test_without_energy_it_is_said_what_is_missing() -> None:
    known = beside(bill(*FEBRUARY, kwh(*FEBRUARY)))
    other = beside(bill(*MARCH, kwh(*MARCH)))
    installed = known.energy.installations
    counter = build_counter([], counter_spec(POINT, installed))
    nothing = energy(counter, installed, other.bill.interval(TOKYO))
    told = one(Beside(other.bill, nothing, other.days))
    assert told.outcome is Outcome.CANNOT_TELL and "no reading" in told.why


def test_odd_days_that_explain_the_difference_date_it() -> None:
    def stuck(day: date) -> int:
        return 0 if date(2024, 2, 14) <= day <= date(2024, 2, 18) else usual(day)

    good = beside(bill(*JANUARY, kwh(*JANUARY), "B-0"))
    told = reconcile([good, beside(bill(*FEBRUARY, kwh(*FEBRUARY)), stuck)])[1]
    assert told.outcome is Outcome.DIFFER
    assert [odd.day.day for odd in told.odd_days] == [14, 15, 16, 17, 18]
    assert {odd.why for odd in told.odd_days} == {"low"}
    assert told.since == date(2024, 2, 14)
    assert told.explained_wh == 4 * WEEKDAY_WH + SUNDAY_WH


def test_a_wrong_ratio_is_since_its_first_day_over_all_bills_that_follow() -> None:
    def wrong(day: date) -> int:
        return usual(day) * 2 // 3 if day >= date(2024, 2, 10) else usual(day)

    bills = [
        beside(bill(*JANUARY, kwh(*JANUARY), "B-0"), wrong),
        beside(bill(*FEBRUARY, kwh(*FEBRUARY), "B-1"), wrong),
        beside(bill(*MARCH, kwh(*MARCH), "B-2"), wrong),
    ]
    told = reconcile(bills)
    assert [each.outcome for each in told] == [Outcome.AGREE, Outcome.DIFFER, Outcome.DIFFER]
    assert [each.since for each in told] == [None, date(2024, 2, 10), date(2024, 2, 10)]
    assert len(told[2].odd_days) == 31


def test_another_direction_is_another_difference() -> None:
    low = beside(bill(*JANUARY, kwh(*JANUARY, Fraction(2)), "B-0"))
    high = beside(bill(*FEBRUARY, kwh(*FEBRUARY, Fraction(1, 2)), "B-1"))
    assert [each.since for each in reconcile([low, high])] == [date(2024, 1, 1), date(2024, 2, 1)]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=40),
    st.decimals(min_value=0, max_value=10**7, places=3),
)
def test_parts_of_a_bill_add_up_to_it(loads: list[int | None], billed_kwh: Decimal) -> None:
    one = bill(*JANUARY, f"{billed_kwh:f}")
    parts = [(Interval(index * 86_400_000, (index + 1) * 86_400_000), wh) for index, wh in enumerate(loads)]
    values = billed_values(one, parts)
    assert sum(value.wh for value in values) == billed_kwh * 1000
    assert all(value.origin is Origin.BILLED for value in values)


def test_a_bill_follows_the_meters_profile_and_without_one_time() -> None:
    one = bill(*JANUARY, "1000")
    day = 86_400_000
    parts: list[tuple[Interval, int | None]] = [(Interval(0, day), 100), (Interval(day, 2 * day), 300)]
    assert [value.wh for value in billed_values(one, parts)] == [250_000, 750_000]
    assert [value.wh for value in billed_values(one, [(each, None) for each, _ in parts])] == [500_000] * 2
    half_known: list[tuple[Interval, int | None]] = [(Interval(0, day), 100), (Interval(day, 3 * day), None)]
    assert [value.wh for value in billed_values(one, half_known)] == [333_333, 666_667]


def test_a_bills_days_are_local_and_both_billed() -> None:
    assert bill(*FEBRUARY, "1").interval(TOKYO).duration_ms == 29 * 86_400_000
    assert bill(*FEBRUARY, "1").interval(TOKYO).start_ms == 1_706_713_200_000
