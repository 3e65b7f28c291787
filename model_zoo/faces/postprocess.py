"""From the faces of frames to tracks, people and the times they were seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Summary
from model_zoo.faces.embedders import Embedder
from model_zoo.faces.gallery import matches
from model_zoo.faces.grouping import Group, group_of, people
from model_zoo.faces.looking import quality_of
from model_zoo.faces.quality import Quality
from model_zoo.faces.schema import BestFace, FacePoint, FaceSegment, FaceTrack, GalleryMatch, Person, Point
from model_zoo.faces.second_look import LEAST_MEAN
from model_zoo.ops.boxes import box_shares
from model_zoo.ops.time import SpanRule, box_series, segment_fields, spans, within
from model_zoo.ops.tracks import Track
from model_zoo.values import Prediction, Span

RULE = SpanRule(open_at=LEAST_MEAN, close_below=LEAST_MEAN, hold_seconds=1.5, merge_gap_seconds=2.0)

Rows = Mapping[float, Prediction]  # by time
Ends = Mapping[float, float]  # until when each sample speaks, by its time


@dataclass(frozen=True, slots=True)
class Sighting:
    """One track as numbers."""

    track: Track
    qualities: tuple[Quality, ...]
    embeddings: NDArray[np.float32]  # (M, D), not a number where a face was not embedded; (M, 0) without biometrics


def sightings(linked: Sequence[Track], rows: Rows, embedder: Embedder) -> list[Sighting]:
    """Part tracks where somebody else takes the same place, and return all in order of appearance."""
    parted = [part for track in linked for part in _parted(track, rows, embedder)]
    ordered = sorted(parted, key=lambda track: (track.seconds[0], track.boxes[0].x1))
    return [
        Sighting(
            track,
            tuple(quality_of(row) for row in _rows(track, rows, "quality")),
            np.array(list(_rows(track, rows, "embedding")), np.float32),
        )
        for track in ordered
    ]


def groups(seen: Sequence[Sighting], embedder: Embedder) -> list[Group]:
    """Return the people, in order of appearance; a track without a recognisable face belongs to nobody."""
    known = [
        group_of(number, sighting.track.seconds, sighting.embeddings[embedded])
        for number, sighting in enumerate(seen)
        if (embedded := _embedded(sighting.embeddings)).any()
    ]
    return sorted(people(known, embedder.same_person), key=lambda group: min(group.tracks))


def persons(
    found: Sequence[Group],
    named: Sequence[GalleryMatch | None],
    seen: Sequence[Sighting],
    rows: Rows,
    ends: Ends,
    summary: Summary,
) -> list[Person]:
    """Return what the report says of each person."""
    answers = []
    for number, (group, match) in enumerate(zip(found, named, strict=True), 1):
        seconds = sorted(group.frames)
        answers.append(
            Person(
                id=f"person-{number}",
                match=match,
                first_seen_seconds=round(seconds[0], 6),
                last_seen_seconds=round(ends[seconds[-1]], 6),
                seconds_on_screen=round(sum(ends[second] - second for second in seconds), 6),
                faces=len(seconds),
                tracks=sorted(group.tracks),
                best=_best([seen[track] for track in sorted(group.tracks)], rows, (summary.width, summary.height)),
            )
        )
    return answers


def tracks(seen: Sequence[Sighting], found: Sequence[Person], ends: Ends, summary: Summary) -> list[FaceTrack]:
    """Return what the report says of each track."""
    owners = {track: person.id for person in found for track in person.tracks}
    size = summary.width, summary.height
    return [
        FaceTrack(
            track=number,
            person=owners.get(number),
            points=[
                FacePoint(
                    seconds=round(seconds, 6),
                    confidence=round(box.confidence, 4),
                    box=box_shares(box, *size),
                    recognisable=quality.recognisable,
                )
                for seconds, box, quality in zip(
                    sighting.track.seconds, sighting.track.boxes, sighting.qualities, strict=True
                )
            ],
            **segment_fields(_span(sighting.track, ends)),
        )
        for number, sighting in enumerate(seen)
    ]


def segments(
    predictions: Sequence[Prediction], seen: Sequence[Sighting], found: Sequence[Person], summary: Summary
) -> list[FaceSegment]:
    """Return when any face, and when each person was to be seen, in time order."""
    times = summary.step_seconds, summary.duration_seconds
    seconds, series = box_series(predictions)
    answers = [
        FaceSegment(
            label=label,
            peak_count=max(len(prediction.boxes) for prediction in predictions[within(seconds, span)]),
            **segment_fields(span),
        )
        for label, scores in series.items()
        for span in spans(seconds, scores, RULE, *times)
    ]
    places = {second: row for row, second in enumerate(seconds.tolist())}
    for person in found:
        scores = np.zeros(len(seconds), np.float32)
        for number in person.tracks:
            track = seen[number].track
            for second, box in zip(track.seconds, track.boxes, strict=True):
                scores[places[second]] = box.confidence
        label = person.match.name if person.match else person.id
        answers += [
            FaceSegment(label=label, peak_count=1, person=person.id, **segment_fields(span))
            for span in spans(seconds, scores, RULE, *times)
        ]
    return sorted(answers, key=lambda segment: (segment.start_seconds, segment.person or "", segment.label))


def named(found: Sequence[Group], summary: Summary) -> list[GalleryMatch | None]:
    """Return who each person is, where a gallery was given."""
    gallery = summary.options.gallery
    return matches(found, gallery) if gallery else [None] * len(found)


def _parted(track: Track, rows: Rows, embedder: Embedder) -> Iterator[Track]:
    """Yield the stretches of a track that show one person each."""
    embeddings = np.array(list(_rows(track, rows, "embedding")), np.float32)
    starts, total, count = [0], np.zeros(embeddings.shape[1]), 0
    for index in np.flatnonzero(_embedded(embeddings)).tolist():
        if count and np.linalg.norm(total / count - embeddings[index]) > embedder.another_face:
            starts.append(index)
            total, count = np.zeros(embeddings.shape[1]), 0
        total, count = total + embeddings[index], count + 1
    for start, end in zip(starts, [*starts[1:], len(track.seconds)], strict=True):
        yield Track(track.label, track.seconds[start:end], track.boxes[start:end], track.rows[start:end])


def _rows(track: Track, rows: Rows, name: str) -> Iterator[NDArray[np.floating]]:
    """Yield the row of an array for each face of a track; an empty one where there is no such array."""
    for seconds, row in zip(track.seconds, track.rows, strict=True):
        arrays = rows[seconds].arrays
        yield arrays[name][row] if name in arrays else np.empty(0)


def _embedded(embeddings: NDArray[np.floating]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = ~np.isnan(embeddings).any(axis=1) & (embeddings.shape[1] > 0)
    return known


def _span(track: Track, ends: Ends) -> Span:
    confidences = [box.confidence for box in track.boxes]
    peak = int(np.argmax(confidences))
    return Span(
        start_seconds=track.seconds[0],
        end_seconds=ends[track.seconds[-1]],
        peak_seconds=track.seconds[peak],
        peak=confidences[peak],
        mean=float(np.mean(confidences)),
        frames=len(track.boxes),
    )


def _best(seen: Sequence[Sighting], rows: Rows, size: tuple[int, int]) -> BestFace:
    """Return the face of a person that shows most."""
    candidates = [
        (quality.worth * box.confidence, sighting.track, index, quality)
        for sighting in seen
        for index, (box, quality) in enumerate(zip(sighting.track.boxes, sighting.qualities, strict=True))
    ]
    _, track, index, quality = max(candidates, key=lambda candidate: candidate[0])
    seconds, box = track.seconds[index], track.boxes[index]
    shares = rows[seconds].arrays["points"][track.rows[index]] / np.array(size)
    return BestFace(
        seconds=round(seconds, 6),
        confidence=round(box.confidence, 4),
        box=box_shares(box, *size),
        landmarks=[Point(x=round(x, 4), y=round(y, 4)) for x, y in shares.tolist()],
        **{name: round(value, 1) for name, value in asdict(quality).items()},
    )
