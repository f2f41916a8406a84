"""Fuel and production from CSV: good lines in, bad lines named, nothing counted twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from collector import imports
from collector.chain_check import differences
from collector.imports.activity import Imported
from collector.ledger import Ledger, decisions
from config.hq import HqConfig, load_hq
from core.errors import DataError
from core.metering.quantities import Unit
from tests.unit.collector.material import SATO, T0, folder_with

FUEL = "date,site,process,fuel,quantity,unit,document"
PRODUCTION = "month,site,product,quantity,unit,document"
GOOD = "2024-02-01,aoba,kiln,heavy_oil_a,18.25,kL,D-1"


def import_activity(path: Path, ledger: Ledger, hq: HqConfig) -> Imported:
    return imports.import_activity(path, ledger, hq, who=SATO, now_ms=T0)


def import_production(path: Path, ledger: Ledger, hq: HqConfig) -> Imported:
    return imports.import_production(path, ledger, hq, who=SATO, now_ms=T0)


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return load_hq(folder_with(tmp_path / "hq"))


@pytest.fixture
def ledger(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "hq", create=True)
    yield opened
    opened.close()


def write(folder: Path, *lines: str, encoding: str = "utf-8", name: str = "fuel.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join((*lines, "")).encode(encoding))
    return path


def test_a_line_comes_back_with_its_source(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    done = import_activity(write(tmp_path, FUEL, "", GOOD), ledger, hq)
    assert (done.added, done.known, done.bad) == (1, 0, ())
    (line,) = ledger.fuels("2024-02")
    assert (line.date, line.quantity, line.unit) == (date(2024, 2, 1), Fraction("18.25"), Unit.KL)
    assert (line.site, line.process, line.fuel, line.document) == ("aoba", "kiln", "heavy_oil_a", "D-1")
    assert line.source == "fuel.csv:3"


def test_again_adds_nothing(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    import_activity(write(tmp_path, FUEL, GOOD), ledger, hq)
    done = import_activity(write(tmp_path, FUEL, GOOD, name="copy.csv"), ledger, hq)
    assert (done.added, done.known, done.bad) == (0, 1, ())
    assert [line.source for line in ledger.fuels("2024-02")] == ["fuel.csv:2"]


def test_an_import_is_a_decision_that_binds_its_lines(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    path = write(tmp_path, FUEL, GOOD)
    for _ in range(2):  # the second brings nothing, and decides nothing
        import_activity(path, ledger, hq)
    import_production(write(tmp_path, PRODUCTION, "2024-02,aoba,copper,3000,t,P-1", name="p.csv"), ledger, hq)
    with ledger.reading() as connection:
        fuel, production = decisions.read(connection, {"import"})
        assert differences(connection) == []
    (line,) = ledger.fuels("2024-02")
    assert (fuel.person, fuel.facts["file"]) == ("sato", "fuel.csv")
    assert fuel.facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(fuel.facts["lines"]) == [line.id]
    assert production.facts["what"] == "production"


@pytest.mark.parametrize(
    ("cells", "column", "what"),
    [
        ({"quantity": "eighteen"}, "quantity", "not a number"),
        ({"quantity": ""}, "quantity", "not a number"),
        ({"quantity": "-3"}, "quantity", "not a number"),
        ({"quantity": "1e3"}, "quantity", "not a number"),
        ({"quantity": "NaN"}, "quantity", "not a number"),
        ({"quantity": '"1,452.6"'}, "quantity", "not a number"),
        ({"quantity": "１８"}, "quantity", "not a number"),
        ({"unit": "t"}, "unit", "heavy_oil_a is not measured in t"),
        ({"unit": "kWh"}, "unit", "heavy_oil_a is not measured in kWh"),
        ({"unit": "buckets"}, "unit", "not a unit"),
        ({"fuel": "snake_oil"}, "fuel", "there is no such fuel"),
        ({"site": "elsewhere"}, "site", "there is no such site"),
        ({"process": "forge"}, "process", "there is no such process"),
        ({"date": "2024-02-30"}, "date", "there is no such day"),
        ({"date": "1 Feb"}, "date", "not a date"),
        ({"date": "02/01/2024"}, "date", "not a date"),
        ({"document": ""}, "document", "no document"),
    ],
)
def test_a_bad_line_is_named_and_the_others_go_in(
    tmp_path: Path, ledger: Ledger, hq: HqConfig, cells: dict[str, str], column: str, what: str
) -> None:
    names = FUEL.split(",")
    bad = ",".join((dict(zip(names, GOOD.split(","), strict=True)) | cells)[name] for name in names)
    other = GOOD.replace("D-1", "D-2")
    done = import_activity(write(tmp_path, FUEL, GOOD, bad, other), ledger, hq)
    (error,) = done.bad
    assert error.where == f"fuel.csv:3: {column}"
    assert what in error.what
    assert error.evidence
    assert done.added == 2
    assert len(ledger.fuels("2024-02")) == 2


def test_all_bad_lines_are_named(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    bad = [GOOD.replace("18.25", "x"), "only,three,cells", GOOD.replace("kL", "t")]
    done = import_activity(write(tmp_path, FUEL, *bad), ledger, hq)
    assert sorted(error.where for error in done.bad) == [
        "fuel.csv:2: quantity",
        "fuel.csv:3",
        "fuel.csv:4: unit",
    ]
    assert done.added == 0


def test_one_document_does_not_count_twice(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    done = import_activity(write(tmp_path, FUEL, GOOD, GOOD, GOOD.replace("18.25", "20")), ledger, hq)
    assert (done.added, [error.where for error in done.bad]) == (
        1,
        ["fuel.csv:3: document", "fuel.csv:4: document"],
    )
    changed = write(tmp_path, FUEL, GOOD.replace("18.25", "20"), name="changed.csv")
    (error,) = import_activity(changed, ledger, hq).bad
    assert "18.25 kL from fuel.csv:2, here 20 kL" in error.evidence
    assert len(ledger.fuels("2024-02")) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_encodings_of_the_office(tmp_path: Path, ledger: Ledger, hq: HqConfig, encoding: str) -> None:
    slip = GOOD.replace("D-1", "伝票①-0201")
    assert import_activity(write(tmp_path, FUEL, slip, encoding=encoding), ledger, hq).added == 1
    assert ledger.fuels("2024-02")[0].document == "伝票①-0201"


def test_dates_as_a_spreadsheet_writes_them(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    import_activity(write(tmp_path, FUEL, GOOD.replace("2024-02-01", "2024/2/1")), ledger, hq)
    assert [line.date for line in ledger.fuels("2024-02")] == [date(2024, 2, 1)]


def test_columns_may_stand_in_any_order(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    names, cells = FUEL.split(",")[::-1], GOOD.split(",")[::-1]
    done = import_activity(write(tmp_path, ",".join(names).upper(), ",".join(cells)), ledger, hq)
    assert (done.added, done.bad) == (1, ())


@pytest.mark.parametrize(
    ("content", "what", "where", "evidence"),
    [
        (b"", "columns", "fuel.csv:1", "lacking: date"),
        (b"date;site;process\n", "columns", "fuel.csv:1", "not known: date;site;process"),
        (
            FUEL.replace("unit", "einheit").encode(),
            "columns",
            "fuel.csv:1",
            "lacking: unit; not known: einheit",
        ),
        (FUEL.encode() + b",unit", "columns", "fuel.csv:1", "twice: unit"),
        (FUEL.encode() + b"\n\x81\xff\xfe", "encoding", "fuel.csv:2", "81 ff fe"),
        (FUEL.encode() + b'\n2024-02-01,"aoba', "not CSV", "fuel.csv:2", "end of data"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    tmp_path: Path, ledger: Ledger, hq: HqConfig, content: bytes, what: str, where: str, evidence: str
) -> None:
    path = tmp_path / "fuel.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        import_activity(path, ledger, hq)
    assert caught.value.where == where
    assert evidence in caught.value.evidence
    assert ledger.fuels("2024-02") == ()


def test_a_missing_file_is_named(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    with pytest.raises(DataError, match="cannot be read") as caught:
        import_activity(tmp_path / "none.csv", ledger, hq)
    assert caught.value.evidence == "No such file or directory"


def test_lines_are_counted_over_quoted_line_breaks(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    two = GOOD.replace("D-1", '"D-1\nfirst copy"')
    done = import_activity(write(tmp_path, FUEL, two, GOOD.replace("18.25", "x")), ledger, hq)
    assert [error.where for error in done.bad] == ["fuel.csv:4: quantity"]
    assert ledger.fuels("2024-02")[0].source == "fuel.csv:2"


def test_production(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    lines = [
        "2024-02,aoba,copper,9410,t,P-1",
        "2024-02,aoba,gold,1,t,P-2",
        "2024-13,aoba,copper,1,t,P-3",
        "2024-02,aoba,copper,1,kL,P-4",
        "2024-02,aoba,copper,2,t,P-1",
    ]
    path = write(tmp_path, PRODUCTION, *lines, name="production.csv")
    done = import_production(path, ledger, hq)
    assert [error.where for error in done.bad] == [
        "production.csv:3: product",
        "production.csv:4: month",
        "production.csv:5: unit",
        "production.csv:6: document",
    ]
    (line,) = ledger.production("2024-02")
    assert (line.product, line.quantity, line.unit) == ("copper", Fraction(9410), Unit.T)
    assert import_production(path, ledger, hq).known == 1
