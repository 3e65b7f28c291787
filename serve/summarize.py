"""From the predictions of every domain to the parts of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from model_zoo.domain import Options, Stops, Summary
from model_zoo.ops.boxes import box_shares
from model_zoo.report import NO_PICTURE, NO_SOUND, Coverage, DecodeFacts, DomainPart, FrameBox, FrameDetail, SoundFacts
from model_zoo.values import Prediction
from serve.attempt import Attempt, kept
from serve.media import Media
from serve.settings import Settings


def summarize(
    attempts: Sequence[Attempt],
    media: Media,
    decode: DecodeFacts,
    sound: SoundFacts,
    settings: Settings,
    options: Options,
    stops: Stops,
    *,
    cut_short: bool = False,
) -> dict[str, DomainPart]:
    """Return the parts of the domains that did not fail, in the order of the domains.

    `stops` is asked by those who run models on text, and remembers that they had to stop. `cut_short` says that the
    analysis was stopped before, so that what was not seen may be there all the same.
    """
    parts: dict[str, DomainPart] = {}
    video = media.facts.video
    frames_missing = decode.truncated or cut_short
    for attempt in _readers_last(attempts):
        if attempt.error:
            continue
        with kept(attempt):
            part = attempt.domain.summarize(
                Summary(
                    predictions=attempt.predictions,
                    models={role: ready.spec for role, ready in attempt.models.items()},
                    interval_seconds=settings.interval_seconds,
                    duration_seconds=decode.analyzed_seconds,
                    width=video.width if video else 0,
                    height=video.height if video else 0,
                    parts=parts,
                    heard_seconds=sound.heard_seconds,
                    options=options,
                    loaded={role: ready.loaded() for role, ready in attempt.models.items()},
                    texts=media.texts,
                    stops=stops,
                    step_seconds=settings.interval_seconds if frames_missing else inf,
                )
            )
            size = (video.width, video.height) if video else (0, 0)
            more = {
                "models": [ready.facts(role) for role, ready in attempt.models.items()],
                "coverage": part.coverage
                if any(attempt.predictions.values()) or not (attempt.watchers or attempt.listeners)
                else _uncovered(part.coverage, attempt, cut_short=cut_short),
                "frames": _frame_details(attempt.predictions, size) if settings.frame_detail else None,
            }
            parts[attempt.domain.name] = part.model_copy(update=more)
    return {attempt.domain.name: parts[attempt.domain.name] for attempt in attempts if attempt.domain.name in parts}


def _readers_last(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Order the attempts so that a domain comes after the domains it reads."""
    waiting = list(attempts)
    ordered: list[Attempt] = []
    names = {attempt.domain.name for attempt in attempts}
    while waiting:
        done = {attempt.domain.name for attempt in ordered}
        ready = [attempt for attempt in waiting if set(attempt.domain.reads) & names <= done]
        ordered += ready
        waiting = [attempt for attempt in waiting if attempt not in ready]
    return ordered


def _uncovered(coverage: Sequence[Coverage], attempt: Attempt, *, cut_short: bool) -> list[Coverage]:
    """Return the coverage when a domain was given nothing to look at or listen to: it speaks for no label."""
    missing = NO_PICTURE if attempt.watchers else NO_SOUND
    reason = "the analysis ended before it" if cut_short else missing
    nothing = {"grade": "not covered", "source": None, "reason": reason}
    own = f"{attempt.domain.name}/"
    return [
        entry.model_copy(update=nothing)
        if cut_short or (entry.grade != "not covered" and (entry.source is None or own in entry.source))
        else entry
        for entry in coverage
    ]


def _frame_details(predictions: Mapping[str, Sequence[Prediction]], size: tuple[int, int]) -> list[FrameDetail]:
    """Return what each watcher and listener said, in time order; `size` is the upright frame's, in pixels."""
    details = [
        FrameDetail(
            role=role,
            seconds=round(prediction.seconds, 6),
            scores={label: round(score, 4) for label, score in prediction.scores.items()},
            boxes=[
                FrameBox(label=box.label, confidence=round(box.confidence, 4), box=box_shares(box, *size))
                for box in prediction.boxes
            ],
        )
        for role, rows in predictions.items()
        for prediction in rows
        if prediction.scores or prediction.boxes
    ]
    return sorted(details, key=lambda detail: (detail.seconds, detail.role))
