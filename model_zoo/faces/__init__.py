"""Faces: where they are, which of them are one person's, and who of a gallery that is."""

from __future__ import annotations

from model_zoo.domain import Domain, Options, Start, Summary
from model_zoo.faces.detection import LABEL, faces_of_inputs
from model_zoo.faces.detectors import DETECTORS
from model_zoo.faces.embedders import EMBEDDERS, embedder_of
from model_zoo.faces.looking import VIEW, finder, recogniser
from model_zoo.faces.postprocess import groups, named, persons, segments, sightings, tracks
from model_zoo.faces.schema import FacesPart
from model_zoo.fits import Fits
from model_zoo.manifest import ModelSpec
from model_zoo.ops.time import ends_by_time, most_missed_seconds
from model_zoo.ops.tracks import link
from model_zoo.report import Coverage
from model_zoo.values import Watcher

DECODERS = dict.fromkeys(DETECTORS, faces_of_inputs)

ROLE = "detector"
EMBEDDER = "embedder"


def start(start: Start) -> tuple[Watcher, ...]:
    """Look for faces in sampled frames, larger than the detector's own input; embed them if that is allowed."""
    detector, embedder = start.models[ROLE], start.models[EMBEDDER]
    look = recogniser(detector, embedder) if start.options.biometrics else finder(detector)
    return (Watcher(ROLE, VIEW, start.interval_seconds, look),)


def summarize(summary: Summary) -> FacesPart:
    """Follow faces between cuts, group them to people over the whole media, and name those of the gallery."""
    predictions = summary.predictions.get(ROLE, ())
    rows = {prediction.seconds: prediction for prediction in predictions}
    shots = summary.parts["shots"].segments if "shots" in summary.parts else []
    cuts = [shot.start_seconds for shot in shots[1:]]
    embedder = embedder_of(summary.models[EMBEDDER])
    ends = ends_by_time(predictions, summary.step_seconds, summary.duration_seconds)
    missed_seconds = most_missed_seconds(predictions, summary.interval_seconds)
    seen = sightings(link(predictions, ends, missed_seconds, cuts), rows, embedder)
    found = groups(seen, embedder)
    people = persons(found, named(found, summary), seen, rows, ends, summary)
    gallery = summary.options.gallery
    return FacesPart(
        segments=segments(predictions, seen, people, summary),
        tracks=tracks(seen, people, ends, summary),
        people=people,
        faces=sum(len(prediction.boxes) for prediction in predictions),
        recognisable_faces=sum(quality.recognisable for sighting in seen for quality in sighting.qualities),
        biometrics=summary.options.biometrics,
        gallery=gallery.facts() if gallery else None,
        coverage=_coverage(summary.models[ROLE], summary.models[EMBEDDER], summary.options),
    )


def _coverage(detector: ModelSpec, embedder: ModelSpec, options: Options) -> list[Coverage]:
    faces = Coverage(label=LABEL, grade="trained detector", source=f"faces/{detector.name}")
    if not options.biometrics:
        off = "biometrics are switched off"
        return [faces, *(Coverage(label=label, grade="not covered", reason=off) for label in ("person", "name"))]
    source, reason = f"faces/{embedder.name}", "faces that are alike enough; not proof of who somebody is"
    persons = Coverage(label="person", grade="trained classifier", source=source, reason=reason)
    if options.gallery is None:
        return [faces, persons, Coverage(label="name", grade="not covered", reason="no gallery was given")]
    known = "the people of the gallery, nobody else"
    return [faces, persons, Coverage(label="name", grade="trained classifier", source=source, reason=known)]


DOMAIN = Domain(
    name="faces",
    title="faces, people known again, names from a gallery",
    roles={ROLE: True, EMBEDDER: True},
    reads=("shots",),
    start=start,
    summarize=summarize,
    part=FacesPart,
    fits={ROLE: Fits("input", tuple(DETECTORS)), EMBEDDER: Fits("input", tuple(EMBEDDERS))},
)
