"""Which labelled things `objects` and `labels` name, in pictures and in the shots of the demo.

    python -m benchmarks.naming_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Writes the figures to the measured.json of both domains
and into their cards. The media are few: this shows that nothing is broken, not how good the models are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measured
from benchmarks.media_sets import OWN_MEDIA, RICH_MEDIA, own_truth, rich_truth
from benchmarks.seen import predictions
from model_zoo.objects import ROLE
from model_zoo.objects.postprocess import RULE
from model_zoo.report import Segment
from serve.pipeline import Analyzer
from serve.settings import load_settings

SOURCE = "python -m benchmarks.naming_quality"
figure = partial(measured.figure, source=SOURCE, decimals=2)
DETECTOR, TAGGER = "nanodet_g_416", "efficientnet_lite0"
IMAGENET = {  # what the picture shows above all, in names of ImageNet of which any is right
    OWN_MEDIA / "images" / "coffee.jpg": {"espresso", "coffee mug", "cup"},
    OWN_MEDIA / "images" / "cat.png": {"tabby", "tiger cat", "Egyptian cat"},
    OWN_MEDIA / "images" / "two_dogs.jpg": {"Samoyed", "Great Pyrenees", "kuvasz"},
    OWN_MEDIA / "images" / "china_pagoda.jpg": {"stupa", "palace", "lakeside", "monastery"},
    OWN_MEDIA / "images" / "rocket.jpg": {"missile", "projectile"},
    RICH_MEDIA / "images" / "jockey.jpg": {"sorrel horse", "horse cart"},
    RICH_MEDIA / "images" / "baby-bear.jpg": {"teddy"},
    RICH_MEDIA / "images" / "coco_000000343934.jpg": {"moped", "motor scooter", "crash helmet"},
    RICH_MEDIA / "images" / "race.jpg": {"running shoe", "jersey"},
}


def labelled_pictures() -> dict[Path, set[str]]:
    """Return pictures and the COCO classes to be seen in each, all of them."""
    own = {OWN_MEDIA / name: set(said["objects"]) for name, said in own_truth()["images"].items() if "objects" in said}
    rich = {
        RICH_MEDIA / name: set(said.get("labels", ())) | {entry["label"] for entry in said.get("annotations", ())}
        for name, said in rich_truth()["objects"].items()
    }
    return own | rich


def named_in_pictures(analyzer: Analyzer) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the classes to be seen in each picture and those found."""
    for path, wanted in labelled_pictures().items():
        yield wanted, {segment.label for segment in segments(analyzer, path, "objects")}


def named_in_shots(analyzer: Analyzer) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the classes to be seen in each shot of the demo, and those found in its frames."""
    frames = predictions(analyzer, OWN_MEDIA / "demo.mp4")[ROLE]
    for shot in own_truth()["demo"]["segments"]:
        inside = [frame for frame in frames if shot["start_s"] <= frame.seconds < shot["end_s"]]
        yield (
            set(shot["objects"]),
            {box.label for frame in inside for box in frame.boxes if box.confidence >= RULE.open_at},
        )


def segments(analyzer: Analyzer, path: Path, domain: str) -> list[Segment]:
    """Return what a domain says of a file."""
    return list(analyzer.analyze(path).domains[domain].segments)


def agreement(seen: list[tuple[set[str], set[str]]], words: str) -> Iterator[dict[str, Any]]:
    """Yield the share of labelled classes that were found, and the number of classes that are not there."""
    labelled = sum(len(wanted) for wanted, _ in seen)
    missed = sorted(name for wanted, found in seen for name in wanted - found)
    wrong = sorted(name for wanted, found in seen for name in found - wanted)
    share = (labelled - len(missed)) / labelled
    yield figure("share of labelled classes found", share, f"{labelled} classes in {words}{_listed('missed', missed)}")
    yield figure("classes found that are not labelled", len(wrong), f"{words}{_listed('named', wrong)}")


def _listed(what: str, names: list[str]) -> str:
    counted = [f"{name} {names.count(name)} times" if names.count(name) > 1 else name for name in dict.fromkeys(names)]
    return f"; {what}: {', '.join(counted)}" if counted else ""


def tagged(analyzer: Analyzer) -> Iterator[dict[str, Any]]:
    """Yield how sure the tagger is of a right name for each picture; 0 where it says none."""
    for path, right in IMAGENET.items():
        said = {segment.label: segment.peak_confidence for segment in segments(analyzer, path, "labels")}
        names = ", ".join(f"{name} {score:.2f}" for name, score in said.items()) or "nothing"
        score = max((said[name] for name in right & set(said)), default=0.0)
        yield figure("score of a right name", score, f"{path.name}: says {names}")


def measure() -> dict[str, measured.Figures]:
    """Return the figures by domain and model."""
    with Analyzer(load_settings(domains="objects,labels")) as analyzer:
        pictures, shots = list(named_in_pictures(analyzer)), list(named_in_shots(analyzer))
        things = [
            *agreement(pictures, f"{len(pictures)} pictures"),
            *agreement(shots, f"{len(shots)} shots of the demo"),
        ]
        return {"objects": {DETECTOR: things}, "labels": {TAGGER: list(tagged(analyzer))}}


def main() -> None:
    """Measure, and write the figures down."""
    for domain, figures in measure().items():
        measured.write(domain, figures, SOURCE)
        print(measured.as_json(measured.read(domain)))


if __name__ == "__main__":
    main()
