"""No sentence of the pages is left untranslated, and no translation is left over."""

import io
import re
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.unit.collector.report.examples import count, sheet, sheet_of, without
from tests.unit.collector.web.site import Element, Examples, client, read

WEB = Path(str(resources.files("collector.web")))
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {
    "_": None,
    "t": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
OUTSIDE_CATALOGUES = {
    # the same in every language: units, symbols, formats, commands, and endonyms
    *("CO₂", "kWh", "kWh/t", "t", "t/t", "%", "Δ", "CT", "VT", "CSV", "JSON"),
}


def _used() -> Catalog:
    catalog = Catalog()
    for _, _, message, _, context in extract_from_dir(
        str(WEB),
        method_map=METHODS,
        options_map={"templates/**.html": {"trimmed": "true"}},
        keywords=KEYWORDS,
    ):
        catalog.add(message, context=context)
    return catalog


def _japanese() -> Catalog:
    content = (WEB / "locales/ja/LC_MESSAGES/messages.po").read_bytes()
    return read_po(io.BytesIO(content), locale="ja")


def _key(message: Message) -> tuple[object, object]:
    return message.id, message.context


def test_the_japanese_catalogue_holds_exactly_the_sentences_in_use() -> None:
    used = {_key(message) for message in _used() if message.id}
    known = {_key(message) for message in _japanese() if message.id}
    assert used - known == set()
    assert known - used == set()


def test_every_sentence_is_translated_with_the_same_values() -> None:
    for message in _japanese():
        if not message.id:
            continue
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        assert not message.fuzzy
        for text in texts:
            assert text, message.id
            named = [set(re.findall(r"%\((\w+)\)s", each)) for each in (*originals, text)]
            assert named[-1] == set().union(*named[:-1]), message.id


@pytest.mark.parametrize("template", sorted((WEB / "templates").glob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_text_of_their_own(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.S)
    source = re.sub(r"<(code|pre)>.*?</\1>", " ", source, flags=re.S)
    source = re.sub(r"<[^>]*>", " ", source)
    words = set(re.findall(r"[^\W\d_][\w/₂]*|%", source))
    assert words <= OUTSIDE_CATALOGUES


def _texts(element: Element) -> list[str]:
    if element.tag in ("code", "pre", "style") or element.attributes.get("lang") == "en":
        return []
    own = [text.strip() for text in element.children if isinstance(text, str) and text.strip()]
    own += [element.attributes[name] for name in ("aria-label", "title", "alt") if name in element.attributes]
    return own + [text for child in element.children if isinstance(child, Element) for text in _texts(child)]


async def test_japanese_pages_speak_japanese() -> None:
    given = {"2024-01": sheet_of(without("AOB-UTL-01")), "2024-02": sheet()}
    ids = {re.escape(figure.id) for figure in sheet().figures()}
    data = "|".join(
        (
            *sorted(ids, key=len, reverse=True),
            r"[A-Z]{3}-[A-Z]{3}-(\d\d|DC)(\.\w+)?",
            r"SYN-[\w-]+",
            r"(fuel|production)\.csv:\d+",
            r"seed \d|seiren\.method/\d|SHA-256 [0-9a-f]+|siemens_pac3200|aoba-\d|demo-out",
            r"hq\.yaml|targets|seiren web|seiren collector run",
            r"Japan Mining Industry Association, action plan, FY2023|table \(2\), column FY2023",
            r"Manual for calculation and reporting, Ver 6\.0|table 1",
            r"400/5 A|66000/110 V|0\.5S|[A-Z]重油|Seiren|CSV|JSON|CT|VT|CO₂",
            r"Wh|kWh|kWh/t|kg/kWh|t/t|t/kL|kL",
        )
    )
    async with client(Examples(given, (count(), count(lost=3)))) as asking:
        addresses = [
            "/ja/month/2024-01",
            "/ja/month/2024-02",
            "/ja/month/2030-01",
            "/ja/nothing",
            "/ja/figure/2024-02/x",
        ]
        addresses += [f"/ja/figure/2024-02/{figure.id}" for figure in sheet().figures()]
        for address in addresses:
            for text in _texts(read((await asking.get(address)).text)):
                left = re.sub(rf"(?<![A-Za-z])({data})(?![A-Za-z])", " ", text)
                assert not re.search(r"[A-Za-z]{2,}", left), (address, text)
