"""How good are the answers? `reelwarden evaluate` on the labelled media at hand; the figures go into the model cards.

    python -m benchmarks.quality [FOLDER ...]

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Without arguments every labelled folder is measured, else
those named: speech, faces, objects, text, shots. The media are few: the figures show that nothing is broken, not how
good a model is.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import measured
from benchmarks.media_sets import OWN_MEDIA, RICH_MEDIA
from serve.cli_evaluate import by_model
from serve.evaluate import Figure, evaluate
from serve.settings import load_settings

SOURCE = "python -m benchmarks.quality"
PEOPLE = {  # one photograph each; crops of one would be too easy
    "obama": ("faces/obama.jpg", "faces/obama3.jpg"),
    "biden": ("faces/biden.jpg", "faces/biden2.jpg"),
    "hopper": ("faces/grace_hopper.jpg",),
}
OWN_PEOPLE = {
    "screencast_man": ("faces/screencast_man_a.jpg", "faces/screencast_man_b.jpg"),
    "astronaut": ("images/astronaut.jpg",),
}
WHOLE_TEXTS = {"ocr/phototest.tif": "ocr/phototest.gold.txt"}  # of the others only a part of the text is labelled


def lay_out(folder: Path) -> None:
    """Lay the labelled media out as `reelwarden evaluate` wants them; files are linked, not copied."""
    truth = json.loads((RICH_MEDIA / "ground_truth.json").read_text("utf-8"))
    _speech(folder / "speech", truth["speech"])
    for name, pictures in PEOPLE.items():
        _link(folder / "faces" / name, [RICH_MEDIA / picture for picture in pictures])
    for name, pictures in OWN_PEOPLE.items():
        _link(folder / "faces" / name, [OWN_MEDIA / picture for picture in pictures])
    _objects(folder / "objects", truth["objects"])
    _texts(folder / "text")
    _shots(folder / "shots")


def _speech(folder: Path, truth: Mapping[str, Any]) -> None:
    for name, said in truth.items():
        (path,) = _link(folder, [RICH_MEDIA / name])
        path.with_suffix(".txt").write_text(said["text"], "utf-8")
        if "alt" in said:
            path.with_suffix(".2.txt").write_text(said["alt"], "utf-8")


def _objects(folder: Path, truth: Mapping[str, Any]) -> None:
    """Write those pictures that have boxes as COCO does."""
    boxed = {name: said for name, said in truth.items() if "annotations" in said}
    labels = sorted({entry["label"] for said in boxed.values() for entry in said["annotations"]})
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels)],
    }
    for number, (name, said) in enumerate(boxed.items()):
        _link(folder / "images", [RICH_MEDIA / name])
        size = {"width": said["width"], "height": said["height"]}
        document["images"].append({"id": number, "file_name": Path(name).name, **size})
        document["annotations"] += [
            {
                "image_id": number,
                "category_id": labels.index(entry["label"]),
                "bbox": entry["bbox_xywh"],
                "iscrowd": entry["iscrowd"],
            }
            for entry in said["annotations"]
        ]
    (folder / "annotations.json").write_text(json.dumps(document), "utf-8")


def _texts(folder: Path) -> None:
    for name, text in WHOLE_TEXTS.items():
        (path,) = _link(folder, [RICH_MEDIA / name])
        path.with_suffix(".txt").write_text((RICH_MEDIA / text).read_text("utf-8"), "utf-8")


def _shots(folder: Path) -> None:
    reel = json.loads((RICH_MEDIA / "video" / "demo_reel.json").read_text("utf-8"))
    own = json.loads((OWN_MEDIA / "ground_truth.json").read_text("utf-8"))["demo"]
    for media, cuts in ((RICH_MEDIA / "video" / "demo_reel.mp4", reel["cuts"]), (OWN_MEDIA / "demo.mp4", own["cuts"])):
        (path,) = _link(folder, [media])
        path.with_suffix(".txt").write_text("".join(f"{cut['time_s']}\n" for cut in cuts), "utf-8")


def _link(folder: Path, files: Iterable[Path]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    links = [folder / file.name for file in files]
    for link, file in zip(links, files, strict=True):
        link.symlink_to(file.resolve())
    return links


def measure(wanted: Iterable[str] = ()) -> dict[str, list[Figure]]:
    """Return the figures by domain, of the wanted labelled folders or of all."""
    found: dict[str, list[Figure]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place:
        lay_out(Path(place))
        for task, figure in evaluate(Path(place), load_settings(), tuple(wanted)):
            found[task.domain].append(figure)
    return dict(found)


def main() -> None:
    """Measure, and write the figures down."""
    for domain, figures in measure(sys.argv[1:]).items():
        measured.write(domain, by_model(figures, SOURCE), SOURCE)
        for figure in figures:
            print(f"{domain}: {figure.metric} {figure.value:.4f} ({figure.dataset})")


if __name__ == "__main__":
    main()
