"""How well is on-screen text read? Character error rates on labelled pictures, and what is read where there is none.

    python -m benchmarks.text_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Writes model_zoo/text/measured.json and the table in
the domain's card, so that no figure is typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measured
from benchmarks.measured import figure
from benchmarks.media_sets import OWN_MEDIA, RICH_MEDIA
from model_zoo.ops.text import distance_within, edit_distance
from model_zoo.text.order import read_order
from model_zoo.text.schema import TextSegment
from serve.pipeline import Analyzer
from serve.settings import load_settings

DOMAIN = "text"
PICTURES = OWN_MEDIA / "images"
WITHOUT_TEXT = ("astronaut.jpg", "cameraman.png", "cat.png", "china_pagoda.jpg", "coffee.jpg", "flower.jpg")
WITHOUT_TEXT += ("rocket.jpg", "two_dogs.jpg")
WHOLE_TEXT = {"ocr/phototest.tif": "ocr/phototest.gold.txt"}  # the others' references are parts of what is to be read
SOURCE = "python -m benchmarks.text_quality"


def error_rate(references: Sequence[str], text: str) -> float:
    """Return the edits per character that turn the nearest stretches of the text into the references."""
    edits = sum(distance_within(_plain(reference), _plain(text)) for reference in references)
    return edits / sum(len(_plain(reference)) for reference in references)


def whole_error_rate(reference: str, text: str) -> float:
    """Return the edits per character of the reference that turn the whole text into it."""
    return edit_distance(_plain(reference), _plain(text)) / len(_plain(reference))


def _plain(text: str) -> str:
    return " ".join(text.split())


def measure(analyzer: Analyzer) -> dict[str, list[dict[str, Any]]]:
    """Return the figures by model."""

    def said(path: Path) -> str:
        part = analyzer.analyze(path).domains[DOMAIN]
        return read_order([segment for segment in part.segments if isinstance(segment, TextSegment)])

    rates = []
    truth = json.loads((RICH_MEDIA / "ground_truth.json").read_text("utf-8"))["ocr"]
    pictures = [name for name in truth if not name.startswith("video/")]
    for name in pictures:
        text = said(RICH_MEDIA / name)
        whole = WHOLE_TEXT.get(name)
        rate = (
            whole_error_rate((RICH_MEDIA / whole).read_text("utf-8"), text) if whole else error_rate(truth[name], text)
        )
        rates.append(figure("character error rate", rate, name, source=SOURCE))
    invented = sum(bool(said(PICTURES / name)) for name in WITHOUT_TEXT)
    data = f"{len(WITHOUT_TEXT)} photographs without writing"
    return {
        "ppocr_v4_det": [figure("photographs in which text was read", invented, data, source=SOURCE)],
        "ppocr_v4_rec": rates,
    }


def main() -> None:
    """Measure, and write the figures down."""
    with Analyzer(load_settings(domains=DOMAIN)) as analyzer:
        measured.write(DOMAIN, measure(analyzer), SOURCE)
    print(measured.as_json(measured.read(DOMAIN)))


if __name__ == "__main__":
    main()
