"""What WCAG 2.2 AA asks of these pages and can be read off their source and stylesheet."""

import re
from fractions import Fraction
from importlib import resources
from itertools import pairwise

import pytest

from tests.unit.collector.report.examples import count, sheet, sheet_of, without
from tests.unit.collector.web.site import Element, Examples, client, read

CSS = (resources.files("collector.web") / "static/seiren.css").read_text(encoding="utf-8")
PAGES = (
    "month/2024-02",
    "figure/2024-02/co2",
    "figure/2024-02/co2.scope2",
    "figure/2024-02/co2.scope1",
    "figure/2024-02/intensity.copper",
    "figure/2024-02/target.month",
    "figure/2024-02/none",
)


def _statements() -> Examples:
    return Examples(
        {"2024-01": sheet_of(without("AOB-RCV-01")), "2024-02": sheet()}, (count(), count(lost=1))
    )


@pytest.mark.parametrize("address", [f"/{code}/{page}" for code in ("ja", "en") for page in PAGES])
async def test_structure(address: str) -> None:
    async with client(_statements()) as asking:
        page = read((await asking.get(address)).text)
    (html,) = page.all("html")
    assert html.attributes["lang"] == address[1:3]
    (main,) = page.all("main")
    assert len(page.all("h1")) == 1 and page.all("h1")[0] in main.walk()
    first = page.all("body")[0].all("a")[0]
    assert first.attributes["href"] == f"#{main.attributes['id']}"  # a way past the navigation
    for nav in page.all("nav"):
        assert nav.attributes["aria-label"]
    ids = [each.attributes["id"] for each in page.walk() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for section in page.all("section"):
        title = page.by_id(section.attributes["aria-labelledby"])
        assert title.tag == "h2" and title.text()
    levels = [int(each.tag[1]) for each in main.walk() if re.fullmatch("h[1-6]", each.tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("address", [f"/{code}/{page}" for code in ("ja", "en") for page in PAGES])
async def test_tables_links_and_drawings(address: str) -> None:
    async with client(_statements()) as asking:
        page = read((await asking.get(address)).text)
    for table in page.all("table"):
        for row in table.all("tr"):
            heads = [cell for cell in row.cells() if cell.tag == "th"]
            assert heads, row.text()
            assert all(cell.attributes["scope"] in ("row", "col") for cell in heads)
    for link in page.all("a"):
        assert link.text()
    for drawing in page.all("svg"):
        said = drawing.attributes.get("role") == "img" and drawing.all("title")
        assert said or drawing.attributes.get("aria-hidden") == "true"
    for each in page.walk():
        assert "style" not in each.attributes  # the policy would drop it
        assert each.tag not in ("script", "style", "iframe", "form")
        assert not any(name.startswith("on") for name in each.attributes)


@pytest.mark.parametrize(
    ("target", "words"), [(14_100, ("162 under", "162 下回る")), (13_900, ("38 over", "38 上回る"))]
)
async def test_signs_are_words_for_a_screen_reader(target: int, words: tuple[str, str]) -> None:
    async with client(Examples({"2024-02": sheet(target_t=Fraction(target))})) as asking:
        for code, word in zip(("en", "ja"), words, strict=True):
            page = read((await asking.get(f"/{code}/month/2024-02")).text)
            hidden: list[Element] = [each for each in page.walk() if each.attributes.get("class") == "vh"]
            assert word in [each.text() for each in hidden]


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TOKENS = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", CSS))


@pytest.mark.parametrize("ground", ["#ffffff", TOKENS["--wash"], TOKENS["--warn-bg"]])
@pytest.mark.parametrize("text", ["--ink", "--ink2", "--good", "--bad"])
def test_text_stands_out(text: str, ground: str) -> None:
    assert _contrast(TOKENS[text], ground) >= 4.5


@pytest.mark.parametrize("mark", ["--ac", "--py", "--good", "--bad"])
def test_marks_stand_out(mark: str) -> None:
    assert _contrast(TOKENS[mark], "#ffffff") >= 3


def test_only_known_colours_carry_text_and_no_text_is_tiny() -> None:
    assert set(re.findall(r"(?<![\w-])(?:color|fill): ([^;}]+)", CSS)) <= {
        *(f"var({name})" for name in ("--ink", "--ink2", "--ac", "--py", "--good", "--bad")),
        "inherit",
        "currentColor",
        "#fff",
    }
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\d+ )?([\d.]+)px", CSS)]
    assert min(sizes) >= 11


def test_the_stylesheet_asks_nobody_else() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
