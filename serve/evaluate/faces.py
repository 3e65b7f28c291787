"""Error rates of telling people apart: faces/NAME/*.jpg, a folder for each person, every two pictures compared."""

from __future__ import annotations

from pathlib import Path

from model_zoo.faces.gallery import pair_distances
from model_zoo.metrics.verification import verification
from serve.evaluate.task import Figure, Task, counted, settings_of
from serve.gallery import build
from serve.settings import Settings

DOMAIN = "faces"


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return false rejects and false accepts at the domain's threshold, and what could not be compared."""
    left_out: list[Path] = []
    gallery = build(folder, settings_of(DOMAIN, settings), lambda picture, *_: left_out.append(picture))
    pairs = pair_distances(gallery)
    threshold = gallery.facts().threshold
    same = [one.name == other.name for one, other, _ in pairs]
    found = verification([distance for _, _, distance in pairs], same, threshold)
    model, facts = gallery.embedder, gallery.facts()
    people = f"{counted(facts.pictures, 'picture')} of {counted(facts.names, 'person', 'people')}, at {threshold:g}"
    pictures = facts.pictures + len(left_out)
    return [
        Figure(
            model,
            "false reject rate",
            found.false_reject_rate,
            f"{counted(found.same_pairs, 'pair')} of one person; {people}",
        ),
        Figure(
            model,
            "false accept rate",
            found.false_accept_rate,
            f"{counted(found.other_pairs, 'pair')} of two people; {people}",
        ),
        Figure(model, "share of pictures without one good face", len(left_out) / pictures, f"{pictures} pictures"),
    ]


TASK = Task("faces", DOMAIN, measure)
