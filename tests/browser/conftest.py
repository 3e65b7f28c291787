"""One headless Chromium for all tests, and a page that has failed when it logged an error or asked the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from model_zoo.report import Report
from serve.media import Limits, open_media
from serve.review import media_source, page
from tests.conftest import CHROMIUM, MEDIA
from tests.review_reports import demo_report

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")  # playwright leaves an event loop running, which other tests must not meet
def browser() -> Iterator[Browser]:
    """Start the browser once for a file of tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report() -> Report:
    """Return the hand-made report of the demo."""
    return demo_report(MEDIA / "demo.mp4")


def write_page(report: Report, folder: Path, *, embed: bool = False, video: str = "demo.mp4") -> Path:
    """Write the page of a report of one of the media and return where it is."""
    path = folder / "review.html"
    media = open_media(MEDIA / video, Limits())
    path.write_text(page(report, media_source(report, media, folder, embed=embed)), "utf-8")
    return path


class Opened:
    """A page that was opened from disk, and what it did that nobody should see."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> Page:
        """Open a file and wait until the video is there, or was given up."""
        self.page.goto(path.as_uri())
        expect(self.page.locator("body.ready")).to_be_visible()
        return self.page


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Return a fresh profile's page; afterwards it must have logged nothing and loaded only files and data."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(10_000)
    opened = Opened(context.new_page())
    yield opened
    context.close()
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:", "blob:"))] == []
