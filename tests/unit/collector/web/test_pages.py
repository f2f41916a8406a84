import hashlib
import json
import re
from fractions import Fraction

import httpx
import pytest

from core.delivery.frames import Lane
from core.errors import OutsideError
from tests.unit.collector.report.examples import count, sheet, sheet_of, two_sites, without
from tests.unit.collector.web.site import Element, Examples, client, read

LANGUAGES = ("ja", "en")


async def _page(address: str, statements: Examples | None = None, status: int = 200) -> Element:
    async with client(statements or Examples()) as asking:
        answer = await asking.get(address)
    assert answer.status_code == status, answer.text
    return read(answer.text)


def _digits(text: str) -> str:
    return text.replace("▲", "-").replace("\u2212", "-").replace(",", "")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_month_page_says_the_verdict_first(language: str) -> None:
    page = await _page(f"/{language}/month/2024-02")
    (heading,) = page.all("h1")
    assert (
        heading.text()
        == {
            "ja": "2月は目標を162\N{NO-BREAK SPACE}t下回った",
            "en": "February is 162\N{NO-BREAK SPACE}t under target",
        }[language]
    )
    titles = [each.text().replace("\N{NO-BREAK SPACE}", " ") for each in page.all("h2")]
    assert (
        titles[0]
        == {
            "ja": "目標14,100 tに対し13,938 t、1.1 %下回る",
            "en": "13,938 t against a target of 14,100 t: 1.1 % less",
        }[language]
    )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_table_of_sources_equals_the_statement_and_sums_exactly(language: str) -> None:
    given = sheet()
    page = await _page(f"/{language}/month/2024-02")
    shown: dict[str, str] = {}
    rows = page.by_id("sources").parent.all("tr")[1:]  # type: ignore[union-attr]  # a heading stands in its section
    for row in rows:
        for link in row.all("a"):
            shown[link.attributes["href"].rpartition("/")[2]] = _digits(link.text())
    for figure_id, text in shown.items():
        assert text == given.figure(figure_id).printed
    emissions = {figure.id for figure in given.figures() if figure.kind == "emission"}
    assert emissions | {"co2", "co2.scope1", "co2.scope2"} <= shown.keys()
    exact = sum((given.figure(each).value or Fraction(0) for each in emissions), Fraction(0))
    assert int(exact + Fraction(1, 2)) == int(shown["co2"])
    sources = (row.cells() for row in rows if row.attributes["class"] == "source")
    shares = [_digits(cells[-2].text()) for cells in sources]
    assert sum(map(Fraction, shares)) == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_number_on_the_month_page_opens_its_origin_within_five_steps(language: str) -> None:
    given = sheet()
    async with client(Examples()) as asking:
        seen: set[str] = set()
        wave = {f"/{language}/month/2024-02"}
        for _ in range(5):
            following = set()
            for address in sorted(wave - seen):
                answer = await asking.get(address)
                assert answer.status_code == 200, address
                for link in read(answer.text).all("a"):
                    target = link.attributes["href"].partition("#")[0]
                    if target.startswith(f"/{language}/figure/") and not target.endswith((".csv", ".json")):
                        following.add(target)
            seen |= wave
            wave = following
    reached = {address.rpartition("/")[2] for address in seen}
    assert reached >= {figure.id for figure in given.figures()}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("given", ["whole", "without the intake", "without sub-meters"])
async def test_every_figure_has_a_page_with_its_twins(language: str, given: str) -> None:
    gone = {
        "whole": (),
        "without the intake": ("AOB-RCV-01",),
        "without sub-meters": ("AOB-CEL-DC", "AOB-FUR-01"),
    }
    statements = Examples({"2024-02": sheet_of(without(*gone[given]))})
    async with client(statements) as asking:
        for figure in statements.sheet("2024-02").figures():
            address = f"/{language}/figure/2024-02/{figure.id}"
            answer = await asking.get(address)
            assert answer.status_code == 200, address
            page = read(answer.text)
            assert len(page.all("h1")) == 1
            if figure.printed is not None:
                assert figure.printed in _digits(page.text())
            twin = (await asking.get(f"{address}.json")).json()
            assert twin["figures"][figure.id] == figure.facts
            assert figure.id in (await asking.get(f"{address}.csv")).text


async def test_a_boundary_is_shown_with_both_readings_time_method_and_width() -> None:
    page = await _page("/ja/figure/2024-02/co2.scope2")
    text = page.text()
    for proof in (
        "61,204,417",
        "61,204,418",
        "23:59:58.412",
        "0:00:01.377",
        "内挿（切捨て）",
        "1 カウント = 48 kWh",
        "400/5 A",
    ):
        assert proof in text
    titles = [each.text() for each in page.all("title")[1:]]
    assert titles[0] == "0:00:00 は 61,204,417（23:59:58.412）と 61,204,418（0:00:01.377）の間"


async def test_days_are_drawn_told_and_tabled() -> None:
    page = await _page("/en/figure/2024-02/energy.AOB-RCV-01")
    assert "the 29 days add up to the month, off by 0 Wh" in page.text()
    wide, narrow = (each for each in page.all("svg") if "day-bars" in each.attributes.get("class", ""))
    assert len(wide.all("rect")) == len(narrow.all("rect")) == 29
    assert len(page.all("details")[0].all("tr")) == 30


async def test_the_statement_is_given_byte_for_byte_and_named_by_its_digest() -> None:
    given = sheet()
    async with client(Examples()) as asking:
        answer = await asking.get("/ja/month/2024-02.json")
        page = await asking.get("/ja/month/2024-02")
        table = await asking.get("/ja/month/2024-02.csv")
    assert answer.content == given.content
    assert hashlib.sha256(answer.content).hexdigest()[:16] in page.text
    assert "co2.scope2" in table.text
    assert "attachment" in table.headers["content-disposition"]


async def test_what_is_missing_replaces_the_sum_in_both_languages() -> None:
    statements = Examples({"2024-02": sheet_of(without("AOB-RCV-01", "AOB-UTL-01"))})
    japanese = await _page("/ja/month/2024-02", statements)
    assert japanese.all("h1")[0].text() == "2月は合計できない：受電点 (AOB-RCV-01)"
    english = await _page("/en/month/2024-02", statements)
    assert (
        english.all("h1")[0].text()
        == "February is not summed: AOB-RCV-01 (intake): no reading of its register"
    )
    row = english.by_id("sources").parent.all("tr")[-1]  # type: ignore[union-attr]  # a heading stands in its section
    assert "missing" in row.text()
    assert not re.search(r"\b0\b", row.text())
    assert "Intake cannot be checked" in english.text() or "intake cannot be checked" in english.text()


async def test_several_sites_are_told_apart() -> None:
    page = await _page("/ja/month/2024-02", Examples({"2024-02": sheet_of(two_sites())}))
    assert "青葉製錬所 受電点と構成計量は一致" in page.text()
    section = page.by_id("sources").parent
    assert section is not None
    rows = [[cell.text() for cell in row.cells()] for row in section.all("tr")]
    assert [row[:2] for row in rows[1:4]] == [
        ["スコープ2\N{IDEOGRAPHIC SPACE}購入電力", "21,077,664"],
        ["青葉製錬所", "20,952,864"],
        ["汐見ヤード", "124,800"],
    ]
    assert (await _page("/ja/figure/2024-02/co2.scope2", Examples({"2024-02": sheet_of(two_sites())}))).all(
        "dl"
    )


async def test_no_target_is_said_with_where_to_put_it() -> None:
    page = await _page("/en/month/2024-02", Examples({"2024-02": sheet(target_t=None)}))
    assert page.all("h1")[0].text().startswith("February made 13,938")
    assert "hq.yaml" in page.text()


async def test_an_empty_ledger_shows_what_brings_the_first_reading() -> None:
    for language, heading in (("ja", "計測値はまだありません"), ("en", "No reading yet")):
        page = await _page(f"/{language}/", Examples({}))
        assert page.all("h1")[0].text() == heading
        assert "seiren collector run demo-out" in page.text()
        assert "seiren import activity" in page.text()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/en/month/2023-12", "December 2023: no reading yet"),
        ("/en/month/2024-13", "2024-13 is no month"),
        ("/en/figure/2024-02/co2.scope9", "The statement of 2024-02 has no figure co2.scope9"),
        ("/en/nothing", "There is no such page"),
        ("/ja/month/2023-12", "2023年12月の計測値はまだありません"),
        ("/fr/month/2024-02", "このページはありません"),
    ],
)
async def test_what_is_not_there_is_said_with_a_way_on(address: str, said: str) -> None:
    page = await _page(address, status=404)
    assert page.all("h1")[0].text() == said
    assert [link for link in page.all("a") if "/month/2024-02" in link.attributes["href"]]


async def test_a_failure_is_said_with_what_where_and_next() -> None:
    failure = OutsideError(
        "the ledger is locked", where="ledger.sqlite", evidence="busy", next="wait a minute"
    )
    page = await _page("/en/month/2024-02", Examples(failure=failure), status=503)
    for text in ("the ledger is locked", "ledger.sqlite", "busy", "wait a minute"):
        assert text in page.text()


async def test_a_fault_of_ours_is_a_page_too() -> None:
    class Broken(Examples):
        def counts(self) -> tuple[()]:
            raise ZeroDivisionError

    page = await _page("/en/month/2024-02", Broken(), status=500)
    assert page.all("h1")[0].text() == "This page could not be made"


async def test_the_front_door_goes_to_the_newest_month_in_the_browsers_language() -> None:
    newer = sheet()
    statements = Examples({"2024-01": sheet(), "2024-02": newer})
    async with client(statements) as asking:
        for accepted, code in (
            ("en-GB,en;q=0.9,ja;q=0.1", "en"),
            ("ja,en;q=0.5", "ja"),
            ("fr", "ja"),
            ("", "ja"),
        ):
            front = await asking.get("/", headers={"accept-language": accepted})
            assert (front.status_code, front.headers["location"]) == (303, f"/{code}/")
            home = await asking.get(f"/{code}/")
            assert home.headers["location"] == f"/{code}/month/2024-02"


async def test_months_are_stepped_and_languages_changed_in_place() -> None:
    page = await _page("/en/month/2024-02", Examples({"2024-01": sheet(), "2024-02": sheet()}))
    addresses = {link.attributes["href"]: link for link in page.all("a")}
    assert addresses["/en/month/2024-01"].attributes["rel"] == "prev"
    other = addresses["/ja/month/2024-02"]
    assert (other.attributes["lang"], other.text()) == ("ja", "日本語")


async def test_the_count_shows_lanes_and_names_what_is_not_stored() -> None:
    rows = (count(), count(Lane.SAMPLES, taken=1000, lost=7, waiting=3, quarantined=2, owed=1))
    page = await _page("/en/month/2024-02", Examples(rows=rows))
    section = page.by_id("count").parent
    assert section is not None
    text = section.text()
    assert "723,840" in text
    assert "7 lost: the agent's disk was full, 2 set aside in quarantine, 1 not accounted for yet" in text
    closed = await _page("/en/month/2024-02", Examples(rows=(count(taken=10, stored=9),)))
    assert closed.by_id("count").text() == "The count does not add up: look at the table"


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/en/month/2024-02",
        "/ja/figure/2024-02/co2",
        "/en/none",
        "/en/month/2024-02.csv",
        "/static/seiren.css",
    ],
)
async def test_headers_let_nothing_in_from_elsewhere(address: str) -> None:
    async with client(Examples()) as asking:
        answer = await asking.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["rebound.example", "192.0.2.1", "seiren"])
async def test_other_names_than_loopback_are_refused(host: str) -> None:
    async with client(Examples(), host=host) as asking:
        assert (await asking.get("/en/month/2024-02")).status_code == 400


async def test_pages_are_read_only() -> None:
    async with client(Examples()) as asking:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = await asking.request(method, "/en/month/2024-02")
            assert answer.status_code == 405
        assert (await asking.head("/en/month/2024-02")).status_code == 200


async def test_text_from_the_ledger_cannot_become_markup() -> None:
    document = json.loads(sheet().content)
    document["figures"]["energy.AOB-RCV-01"]["label"]["en"] = "<script>alert(1)</script>"
    document["company"]["en"] = '"><img src=x onerror=alert(1)>'
    changed = type(sheet()).parse(json.dumps(document).encode())
    async with client(Examples({"2024-02": changed})) as asking:
        for address in ("/en/month/2024-02", "/en/figure/2024-02/co2", "/en/figure/2024-02/%3Cscript%3E"):
            page = read((await asking.get(address)).text)
            assert not page.all("script") and not page.all("img")


async def test_static_files_do_not_lead_out_of_their_folder() -> None:
    async with client(Examples()) as asking:
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
            answer: httpx.Response = await asking.get(path)
            assert answer.status_code == 404
