import re
from dataclasses import replace
from fractions import Fraction

from collector.report.month import ascii_text, month_report
from core.carbon.factors import FactorStatus
from core.carbon.labels import Label
from core.delivery.frames import Lane
from tests.unit.collector.report.examples import (
    count,
    electricity,
    inputs,
    sheet,
    sheet_of,
    two_sites,
    without,
)

REPORT = """\
Aoba works, February 2024                    SYNTHETIC DATA, seed 1, PROVISIONAL
CO2 162 t under target (13,938 of 14,100 t, -1.1 %)

 electricity [kWh]                      electricity and fuel             CO2 [t]
 intake AOB-RCV-01        20,952,864    scope 2  electricity 0.421         8,821
   FeNi furnace           15,311,520    scope 1  fuel                      5,117
   copper cells AC         3,318,624      coal                1,452.6 t    3,378
     copper cells DC       3,171,000      oil C                 418.2 kL   1,295
   kiln                    1,274,900      oil A                 161.4 kL     444
   utilities                 961,380                                     -------
 intake - children            86,440    total                             13,938
 0.41 %, limit 1.00 %             ok
 copper cells AC - DC        147,624
 4.45 % rectifier loss            ok

 copper 0.163 t/t                       FeNi 4.109 t/t

 how sure    time covered 100.00 %; at most 96 kWh (0.05 t) unproven
 provisional the activity is open; factor.industry_adjusted.FY2023 is not final
 by hand     8,821.156 + 5,117.083 = 13,938.239 t                         agrees
 the count   taken 723,840 = stored 723,840 + named lost 0                    ok
"""


def test_the_whole_report() -> None:
    assert month_report(sheet(), [count()]) == REPORT


def test_each_printed_figure_is_rounded_once_from_the_exact_one() -> None:
    given = sheet()
    text = month_report(given)
    emissions = [figure for figure in given.figures() if figure.kind == "emission"]
    printed = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+)$", text, re.M)]
    for figure in (*emissions, given.total):
        assert figure.value is not None
        assert int(figure.value + Fraction(1, 2)) in printed
    total = sum((figure.value for figure in emissions if figure.value is not None), Fraction(0))
    assert total == given.total.value


def test_every_line_is_plain_ascii_within_80_columns() -> None:
    given = replace(inputs(), company=Label("長い名前", "Ōmi Seiren " * 9))
    sites = tuple(
        replace(site, name=Label("青葉", "a very long name of a works " * 4)) for site in given.sites
    )
    for each in (given, replace(given, sites=sites)):
        for line in month_report(
            sheet_of(each), [count(lost=3, waiting=2, owed=1, quarantined=4)]
        ).splitlines():
            assert len(line) <= 80
            assert line.isascii()
    assert ascii_text("Ōmi 製錬") == "Omi ??"


def test_what_is_missing_is_named_and_never_zero() -> None:
    text = month_report(sheet_of(without("AOB-RCV-01", "AOB-UTL-01")))
    assert "CO2 not summed: AOB-RCV-01 (intake): no reading of its register" in text
    assert re.search(r"^ intake AOB-RCV-01 +- ", text, re.M)
    assert re.search(r"total +-$", text, re.M)
    assert "not checked: a meter is missing" in text
    assert "the unproven part has no bound" in text
    assert "by hand" not in text


def test_a_long_origin_never_cuts_the_month() -> None:
    given = sheet_of(replace(inputs(), synthetic=f"replay of {40 * 'x'}"))
    first, second, *_ = month_report(given).splitlines()
    assert first == "Aoba works, February 2024"
    assert second == f"SYNTHETIC DATA, replay of {40 * 'x'}, PROVISIONAL"


def test_over_target_and_no_target() -> None:
    assert "CO2 38 t over target (13,938 of 13,900 t, +0.3 %)" in month_report(
        sheet(target_t=Fraction(13900))
    )
    assert "CO2 on target (13,938 of 13,938 t, 0.0 %)" in month_report(sheet(target_t=Fraction(13938)))
    assert "CO2 13,938 t; no target is set" in month_report(sheet(target_t=None))


def test_the_count_names_what_is_not_stored() -> None:
    rows = [count(), count(Lane.SAMPLES, taken=100, lost=7, waiting=3)]
    text = month_report(sheet(), rows)
    assert "taken 723,940 = stored 723,930 + waiting 3 + named lost 7" in text
    assert "ok" in text.splitlines()[-1]
    open_count = month_report(sheet(), [count(taken=10, stored=9)])
    assert "FAULT" in open_count.splitlines()[-1]


def test_a_closed_month_with_final_factors_is_final() -> None:
    given = replace(inputs(), synthetic=None, closed=True, electricity=electricity(FactorStatus.FINAL))
    text = month_report(sheet_of(given))
    assert text.splitlines()[0].endswith(" FINAL")
    assert "SYNTHETIC" not in text
    assert "provisional" not in text


def test_several_sites_are_told_apart_and_summed() -> None:
    text = month_report(sheet_of(two_sites()))
    assert text.startswith("Aoba Metals, 2 sites, February 2024")
    assert re.search(r"^ Aoba works\b.*\n intake AOB-RCV-01", text, re.M)
    assert re.search(r"^ Shiomi yard\b.*\n intake SHI-RCV-01 +124,800", text, re.M)
    assert re.search(r"scope 2  electricity 0\.421 +8,874$", text, re.M)  # 8,821.156 + 52.541
    assert re.search(r"  Shiomi yard SHI-RCV-01 +53$", text, re.M)
    assert "8,873.697 + 5,117.083 = 13,990.780 t" in text
