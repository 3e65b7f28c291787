"""Take the pictures of the review page that the docs show: `make screenshot`, after `make demo`."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.video.codeccontext import VideoCodecContext
from playwright.sync_api import ViewportSize, sync_playwright

from serve.media import Limits, open_media
from serve.review import media_source, page
from tests.review_reports import demo_report

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "out" / "demo" / "review.html"
DOCS = ROOT / "docs"
VIDEO = ROOT / "tests" / "media" / "demo.mp4"
SIZE: ViewportSize = {"width": 1280, "height": 960}
TICK = Fraction(1, 25)
CHROMIUM = "/usr/bin/chromium"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture of the docs: which keys are pressed before it is taken, and what is scrolled to."""

    name: str
    keys: tuple[str, ...] = ()
    section: str | None = None


REAL = (
    Shot("review.png", keys=("k", "a")),
    Shot("review_people.png", keys=("k",), section='[aria-labelledby="words-title"]'),
)
MADE_UP = (Shot("review_veiled.png", keys=("j",)),)  # of a report made by hand: the demo holds nothing to be blurred


def take(page_file: Path, shots: Sequence[Shot]) -> None:
    """Show a page in the light theme, and write what is seen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for shot in shots:
            tab = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
            tab.goto(page_file.as_uri())
            tab.locator("body.ready").wait_for()
            for key in shot.keys:
                tab.keyboard.press(key)
            if shot.section:
                tab.locator(shot.section).evaluate("section => section.scrollIntoView({block: 'center'})")
            while tab.evaluate("document.getElementById('video').seeking"):
                tab.wait_for_timeout(100)
            tab.wait_for_timeout(1000)  # the video shows the frame that it was sent to
            (DOCS / shot.name).write_bytes(few_colours(tab.screenshot()))
            tab.close()
        browser.close()


def made_up(folder: Path) -> Path:
    """Write the page of a report made by hand, and return where it is."""
    report, path = demo_report(VIDEO), folder / "review.html"
    source = media_source(report, open_media(VIDEO, Limits()), folder, embed=True)
    path.write_text(page(report, source), "utf-8")
    return path


def few_colours(png: bytes) -> bytes:
    """Return a PNG with a palette of 256 colours: a third of the size, and text stays sharp."""
    with av.open(io.BytesIO(png), mode="r") as container:
        frame = next(container.decode(video=0)).reformat(format="rgba")
    frame.pts, frame.time_base = 0, TICK
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=TICK)
    split, palette = graph.add("split", "2"), graph.add("palettegen", "reserve_transparent=0")
    painted, sink = graph.add("paletteuse", "dither=none"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(painted, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(painted, 0, 1)
    painted.link_to(sink)
    graph.configure()
    graph.push(frame)
    graph.push(None)
    encoder = VideoCodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = frame.width, frame.height, "pal8", TICK
    encoder.options = {"compression_level": "9", "pred": "none"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(graph.pull()), *encoder.encode(None)])


if __name__ == "__main__":
    take(PAGE, REAL)
    with tempfile.TemporaryDirectory() as place:
        take(made_up(Path(place)), MADE_UP)
