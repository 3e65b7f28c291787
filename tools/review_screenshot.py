"""Take the picture of the review page that the docs show: `make screenshot`, after `make demo`."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.video.codeccontext import VideoCodecContext
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "out" / "demo" / "review.html"
PICTURE = ROOT / "docs" / "review.png"
TICK = Fraction(1, 25)
CHROMIUM = "/usr/bin/chromium"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]


def take(page_file: Path, picture: Path) -> None:
    """Show the last finding of a page, accepted, in the light theme, and write what is seen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme="light", reduced_motion="reduce")
        page.goto(page_file.as_uri())
        page.locator("body.ready").wait_for()
        for key in ("k", "a"):
            page.keyboard.press(key)
        while page.evaluate("document.getElementById('video').seeking"):
            page.wait_for_timeout(100)
        page.wait_for_timeout(1000)  # the video shows the frame that it was sent to
        png = page.screenshot()
        browser.close()
    picture.write_bytes(few_colours(png))


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
    take(PAGE, PICTURE)
