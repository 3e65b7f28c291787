"""Sounds: what is heard and when, and how loud it is. One network over AudioSet's names, and a measurement."""

from __future__ import annotations

from model_zoo.domain import Domain, Start, Summary
from model_zoo.fits import Fits, one_a_label
from model_zoo.listen import listen
from model_zoo.report import NO_SOUND, Coverage
from model_zoo.sounds.loudness import CLIPPED, LEVEL, WEIGHTED, column, dbfs, integrated_lufs, listener
from model_zoo.sounds.postprocess import event_scores, event_segments, silence_segments
from model_zoo.sounds.schema import SoundsPart
from model_zoo.values import Listener

ROLE = "events"
LEVELS = "levels"
DECODERS = {"sound_scores": event_scores}


def start(start: Start) -> tuple[Listener, ...]:
    """Name the sounds of every window, and measure every block."""
    return listen(start, ROLE, DECODERS), listener(LEVELS)


def summarize(summary: Summary) -> SoundsPart:
    """Tell when each sound was heard, and how loud the whole is."""
    events, blocks = summary.predictions.get(ROLE, ()), summary.predictions.get(LEVELS, ())
    spec = summary.models[ROLE]
    list_of_sounds = f"{len(spec.labels)} sounds of {spec.name}"
    if not blocks:
        return SoundsPart(coverage=[Coverage(label=list_of_sounds, grade="not covered", reason=NO_SOUND)])
    window_seconds = spec.sound.window_seconds if spec.sound else 0.0
    segments = event_segments(events, window_seconds, summary.heard_seconds)
    segments += silence_segments(blocks, summary.heard_seconds)
    return SoundsPart(
        segments=sorted(segments, key=lambda segment: (segment.start_seconds, segment.label)),
        loudness_lufs=integrated_lufs(column(blocks, WEIGHTED)),
        level_dbfs=dbfs(float((column(blocks, LEVEL) ** 2).mean()) ** 0.5),
        clipped_share=round(float(column(blocks, CLIPPED).mean()), 6),
        coverage=[Coverage(label=list_of_sounds, grade="trained classifier", source=f"sounds/{spec.name}")],
    )


DOMAIN = Domain(
    name="sounds",
    title="what is heard, how loud it is, and silence",
    roles={ROLE: True},
    reads=(),
    start=start,
    summarize=summarize,
    part=SoundsPart,
    fits={ROLE: Fits("sound", tuple(DECODERS), columns=one_a_label)},
)
