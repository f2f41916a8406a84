"""Headquarters' pages in a real browser: they ask nothing of anybody else, and hold on paper and phone."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import BrowserContext, Page, sync_playwright

from collector.web.app import create_app
from core.delivery.frames import Lane
from tests.unit.collector.report.examples import count, sheet
from tests.unit.collector.web.site import Examples

pytestmark = pytest.mark.timeout(120)

ADDRESSES = {
    "month": "month/2024-02",
    "scope2": "figure/2024-02/co2.scope2",
    "intensity": "figure/2024-02/intensity.ferronickel",
    "slips": "figure/2024-02/co2.scope1.aoba.coal",
    "unknown": "figure/2024-02/co2.scope9",
}
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Elsewhere:
    """A proxy that stands for the rest of the world: it serves nobody and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection:
                self.asked.append(connection.recv(200).decode("latin-1").partition("\r\n")[0])

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the pages are served."""
    months = {"2024-01": sheet(), "2024-02": sheet()}
    rows = (count(), count(Lane.SAMPLES, taken=3_820_411, lost=712))
    config = uvicorn.Config(create_app(Examples(months, rows)), log_level="error")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    proxy = Elsewhere()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def browser(chromium: Path, address: str, elsewhere: Elsewhere) -> Iterator[BrowserContext]:
    """Chromium, for whose pages everything but their own server lies behind the proxy."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        own = address.removeprefix("http://")
        yield running.new_context(
            proxy={"server": f"127.0.0.1:{elsewhere.port}", "bypass": f"<-loopback>,{own}"}
        )
        running.close()


@pytest.fixture
def page(browser: BrowserContext, address: str) -> Iterator[Page]:
    """A page whose messages and requests are watched."""
    opened = browser.new_page()
    said: list[str] = []
    foreign: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("request", lambda asked: None if asked.url.startswith(address) else foreign.append(asked.url))
    yield opened
    opened.close()
    assert [text for text in said if "404" not in text] == []  # a broken policy would be told here
    assert foreign == []


@pytest.fixture(scope="module")
def artifacts() -> Path:
    """Where pictures are kept, outside the tree."""
    folder = Path(os.environ.get("SEIREN_ARTIFACTS") or Path.home() / ".cache/seiren/artifacts") / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_no_page_asks_anything_of_anybody_else(page: Page, address: str, elsewhere: Elsewhere) -> None:
    page.goto(f"{address}/")
    assert "/month/2024-02" in page.url
    for code in ("ja", "en"):
        for path in ADDRESSES.values():
            page.goto(f"{address}/{code}/{path}")
    page.wait_for_timeout(300)
    assert elsewhere.asked == []


def test_the_proxy_would_have_noticed(browser: BrowserContext, elsewhere: Elsewhere) -> None:
    before = len(elsewhere.asked)
    foreign = browser.new_page()
    foreign.set_content('<img src="http://elsewhere.example/pixel.png">')
    foreign.wait_for_timeout(300)
    foreign.close()
    assert [asked for asked in elsewhere.asked[before:] if "elsewhere.example" in asked]
    del elsewhere.asked[before:]


@pytest.mark.parametrize("code", ["ja", "en"])
@pytest.mark.parametrize("width", [1280, 400, 320])
def test_pages_fit_their_width(page: Page, address: str, artifacts: Path, code: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name, path in ADDRESSES.items():
        page.goto(f"{address}/{code}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width != 320 and (name in ("month", "scope2") or code == "en"):
            page.screenshot(path=artifacts / f"{name}-{code}-{width}.png", full_page=True)


@pytest.mark.parametrize("code", ["ja", "en"])
def test_the_month_prints_on_two_pages_of_a4(page: Page, address: str, artifacts: Path, code: str) -> None:
    page.goto(f"{address}/{code}/month/2024-02")
    paper = page.pdf(path=artifacts / f"month-{code}.pdf", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) <= 2
    page.emulate_media(media="print")
    for hidden in ("nav.main", "nav.aside", ".stepper a"):
        assert not any(each.is_visible() for each in page.locator(hidden).all())


def test_the_way_down_goes_by_links_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/en/month/2024-02")
    page.locator("table.sources tr.total a").click()
    page.locator(".steps a", has_text="8,821").first.click()
    assert "61,204,417" in page.inner_text("main")
    page.get_by_role("link", name="日本語").click()
    assert page.url.endswith("/ja/figure/2024-02/co2.scope2")
    assert "境界検針値" in page.inner_text("main")
    page.locator(".trail a").first.click()
    assert page.url.endswith("/ja/month/2024-02")


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(page: Page, address: str) -> None:
    page.goto(f"{address}/en/month/2024-02")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"document.querySelector('main').contains({focused})")
    assert page.evaluate(f"getComputedStyle({focused}).outlineWidth") == "3px"


@pytest.mark.parametrize("width", [1280, 400])
def test_links_are_large_enough_to_hit(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/en/month/2024-02")
    small = page.evaluate(
        "[...document.querySelectorAll('main a')].map(a => [a.textContent, a.getBoundingClientRect()])"
        ".filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([text]) => text)"
    )
    assert small == []


def test_the_phone_keeps_every_fact_of_the_verdict(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(f"{address}/en/month/2024-02")
    verdict = page.inner_text("table.verdict")
    for fact in ("13,938", "target 14,100", "\u2212162", "\u22121.1"):
        assert fact in verdict
