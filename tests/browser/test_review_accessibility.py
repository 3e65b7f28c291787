"""The review page for everybody: axe-core finds nothing to complain about, in both themes and both widths."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from model_zoo.report import Report
from tests.browser.conftest import Opened, write_page

pytestmark = pytest.mark.browser
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}


@pytest.mark.parametrize(
    ("width", "theme", "dialog"),
    [
        (1280, "light", ""),
        (1280, "dark", ""),
        (390, "light", ""),
        (390, "dark", ""),
        (1280, "light", "?"),
        (390, "dark", "e"),
    ],
)
def test_axe_finds_nothing(opened: Opened, report: Report, tmp_path: Path, width: int, theme: str, dialog: str) -> None:
    opened.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    opened.page.set_viewport_size({"width": width, "height": 900})
    page = opened.open(write_page(report, tmp_path))
    for key in ("j", "a", *dialog):
        page.keyboard.press(key)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()
