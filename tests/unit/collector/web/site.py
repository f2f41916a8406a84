"""The application over statements of the examples, asked without a network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from html.parser import HTMLParser

import httpx

from collector.report.sheet import Sheet
from collector.web.app import create_app
from core.delivery.count import Count
from core.errors import SeirenError
from tests.unit.collector.report.examples import count, sheet

VOID = {"meta", "link", "br", "rect", "line", "circle", "img", "input"}


@dataclass
class Examples:
    """Statements by month, as an application takes them."""

    sheets: dict[str, Sheet] = field(default_factory=lambda: {"2024-02": sheet()})
    rows: tuple[Count, ...] = field(default_factory=lambda: (count(),))
    failure: SeirenError | None = None
    folder: str = "demo-out"

    def months(self) -> tuple[str, ...]:
        return tuple(sorted(self.sheets))

    def sheet(self, month: str) -> Sheet:
        if self.failure is not None:
            raise self.failure
        return self.sheets[month]

    def days(self, month: str, meter: str) -> tuple[Fraction | None, ...]:
        value = self.sheets[month].figure(f"energy.{meter}").value
        return (None,) * 29 if value is None else (Fraction(value - 28 * 1000), *(Fraction(1000),) * 28)

    def counts(self) -> tuple[Count, ...]:
        return self.rows


def client(statements: Examples, *, host: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client of the application."""
    transport = httpx.ASGITransport(create_app(statements), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> list[Element]:
        """Return this element and all below it, in source order."""
        found = [self]
        for child in self.children:
            if isinstance(child, Element):
                found += child.walk()
        return found

    def all(self, tag: str) -> list[Element]:
        return [each for each in self.walk() if each.tag == tag]

    def cells(self) -> list[Element]:
        """Return a row's cells."""
        return [each for each in self.children if isinstance(each, Element)]

    def by_id(self, name: str) -> Element:
        (found,) = (each for each in self.walk() if each.attributes.get("id") == name)
        return found

    def text(self, *, hidden: bool = True) -> str:
        """Return the text, without what only screen readers get unless `hidden`."""
        if not hidden and "vh" in self.attributes.get("class", "").split():
            return ""
        parts = (each if isinstance(each, str) else each.text(hidden=hidden) for each in self.children)
        return re.sub(r"[ \t\n]+", " ", "".join(parts)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.at = Element("page", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.at.children.append(Element(tag, {name: value or "" for name, value in attrs}, self.at))

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"<{self.at.tag}> is closed by </{tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)


def read(html: str) -> Element:
    """Return a page as elements; every element must be closed in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.at.tag == "page", f"<{reader.at.tag}> is not closed"
    return reader.at
