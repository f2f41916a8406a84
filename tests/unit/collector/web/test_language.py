from fractions import Fraction

import pytest

from collector.web.language import Language, preferred

JA, EN = Language.load("ja"), Language.load("en")


@pytest.mark.parametrize(
    ("value", "digits", "japanese", "english"),
    [
        (Fraction(20952864), 0, "20,952,864", "20,952,864"),
        (Fraction(-169), 0, "▲169", "\u2212169"),
        (Fraction("1.25"), 1, "1.3", "1.3"),
        (Fraction("-0.04"), 1, "0.0", "0.0"),
    ],
)
def test_numbers(value: Fraction, digits: int, japanese: str, english: str) -> None:
    assert JA.number(value, digits) == japanese
    assert EN.number(value, digits) == english


@pytest.mark.parametrize(
    ("value", "japanese", "english"),
    [(Fraction(721), "+721", "+721"), (Fraction(-169), "▲169", "\u2212169"), (Fraction(1, 3), "±0", "±0")],
)
def test_a_variance_is_always_signed(value: Fraction, japanese: str, english: str) -> None:
    assert JA.number(value, signed=True) == japanese
    assert EN.number(value, signed=True) == english


def test_dates() -> None:
    moment = "2024-03-04T08:30:00+09:00"
    assert JA.moment(moment) == "2024年3月4日（月）8:30"
    assert EN.moment(moment) == "4 Mar 2024, 08:30"
    assert (JA.month("2024-02"), EN.month("2024-02")) == ("2024年2月", "February 2024")
    assert (JA.month_alone("2024-02"), EN.month_alone("2024-02")) == ("2月", "February")
    assert (JA.clock("2024-02-01T00:00:01.377+09:00"), EN.clock("2024-02-01T00:00:00+09:00")) == (
        "0:00:01.377",
        "00:00:00",
    )


def test_a_number_stays_with_its_unit() -> None:
    text = EN.gettext("%(month)s is %(tonnes)s t under target", month="February", tonnes="162")
    assert text == "February is 162\N{NO-BREAK SPACE}t under target"


def test_plurals() -> None:
    assert EN.ngettext("%(n)s slip", "%(n)s slips", 1) == "1 slip"
    assert EN.ngettext("%(n)s slip", "%(n)s slips", 1234) == "1,234 slips"
    assert JA.ngettext("%(n)s slip", "%(n)s slips", 2) == "伝票2件"


def test_names_write_the_formula_of_the_gas() -> None:
    assert JA.name({"ja": "石炭のCO2", "en": "CO2 of coal"}) == "石炭のCO₂"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.3", "en"),
        ("ja,en;q=0.9", "ja"),
        ("en;q=0.2,ja;q=0.8", "ja"),
        ("en;q=0", "ja"),
        ("", "ja"),
        ("*;q=nonsense, de", "ja"),
    ],
)
def test_a_browser_gets_the_language_that_it_prefers(header: str, code: str) -> None:
    assert preferred(header) == code
