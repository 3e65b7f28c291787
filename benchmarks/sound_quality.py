"""How sounds are named on labelled recordings, what alarms on harmless ones, and how loudness compares with ffmpeg's.

    python -m benchmarks.sound_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Writes the figures to model_zoo/sounds/measured.json and
into the card. There is no recording of a gunshot or a scream among the media: their recall is not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av

from benchmarks import measured
from benchmarks.media_sets import RICH_MEDIA, recordings, rich_truth, sound_events, videos
from model_zoo.moderation.signals import OTHER_DOMAINS
from model_zoo.report import Segment
from model_zoo.sounds.schema import SoundsPart
from serve.pipeline import Analyzer
from serve.settings import load_settings

DOMAIN, MODEL, MEASURED_BY_RULE = "sounds", "yamnet", "loudness"
SOURCE = "python -m benchmarks.sound_quality"
figure = partial(measured.figure, source=SOURCE, decimals=2)
SPEECH, SILENCE = "Speech", "Silence"
LOUDNESS_OF = ("speech/librivox_austen_0870.wav", "audio_events/applause.flac", "audio_events/thunder.flac")
EBUR128 = "lavfi.r128.I"
MOST_NAMES = 5  # of a recording, the surest


def part_of(analyzer: Analyzer, path: Path) -> SoundsPart:
    """Return what the domain says of a file."""
    part = analyzer.analyze(path).domains[DOMAIN]
    if not isinstance(part, SoundsPart):
        raise TypeError(type(part))
    return part


def named(analyzer: Analyzer) -> list[dict[str, Any]]:
    """Return the best score of a labelled name in each recording; 0 where none is above the threshold."""
    figures = []
    for name, labels in rich_truth()["audio_events"].items():
        segments = part_of(analyzer, RICH_MEDIA / name).segments
        found = {item.label: item.peak_confidence for item in segments if item.label != SILENCE}
        surest = sorted(found.items(), key=lambda item: -item[1])[:MOST_NAMES]
        said = ", ".join(f"{label} {score:.2f}" for label, score in surest) or "nothing"
        best = max((found.get(label, 0.0) for label in labels), default=0.0)
        figures.append(figure("score of a labelled name", best, f"{Path(name).name}: says {said}"))
    return figures


def hints(analyzer: Analyzer, files: Sequence[Path], words: str) -> dict[str, Any]:
    """Return how many sounds that moderation would take as a hint are heard where there is none."""
    found = [item.label for path in files for item in part_of(analyzer, path).segments if alarming(item)]
    data = words + (f": {', '.join(sorted(set(found)))}" if found else "")
    return figure("false hints for moderation", len(found), data)


def alarming(segment: Segment) -> bool:
    """Tell whether moderation takes a sound as a hint."""
    return segment.label in OTHER_DOMAINS[DOMAIN]


def other_names(analyzer: Analyzer) -> dict[str, Any]:
    """Return the share of recordings of speech that are called speech and nothing else."""
    files = recordings()
    heard = [{item.label for item in part_of(analyzer, path).segments} - {SILENCE} for path in files]
    others = sorted(set().union(*heard) - {SPEECH})
    share = sum(labels == {SPEECH} for labels in heard) / len(files)
    data = f"{len(files)} recordings" + (f"; other names: {', '.join(others)}" if others else "")
    return figure("share of speech called Speech alone", share, data)


def loudness(analyzer: Analyzer) -> list[dict[str, Any]]:
    """Return how far the loudness of a mono recording is from that of ffmpeg's filter ebur128, in LU."""
    figures = []
    for name in LOUDNESS_OF:
        ours, theirs = part_of(analyzer, RICH_MEDIA / name).loudness_lufs, ebur128_lufs(RICH_MEDIA / name)
        if ours is None:
            raise ValueError(f"{name}: no loudness")
        data = f"{Path(name).name}: {ours:.1f} and {theirs:.1f} LUFS"
        figures.append(figure("loudness, difference from ffmpeg's ebur128 in LU", abs(ours - theirs), data))
    return figures


def ebur128_lufs(path: Path) -> float:
    """Return the integrated loudness of a file as ffmpeg's filter measures it."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        source = graph.add_abuffer(template=stream)
        meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
        graph.link_nodes(source, meter, sink).configure()
        measured_lufs = float("nan")
        for frame in [*container.decode(stream), None]:
            graph.push(frame)
            while True:
                try:
                    told = graph.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
                measured_lufs = float(told.metadata.get(EBUR128, measured_lufs))
    return measured_lufs


def measure() -> measured.Figures:
    """Return the figures by model, or by rule where no model measures."""
    with Analyzer(load_settings(domains=DOMAIN)) as analyzer:
        speech, moving, events = recordings(), videos(), sound_events()
        figures = [
            *named(analyzer),
            other_names(analyzer),
            hints(analyzer, speech, f"{len(speech)} recordings of speech"),
            hints(analyzer, events, f"{len(events)} recordings of other sounds"),
            hints(analyzer, moving, f"{len(moving)} videos of ordinary life"),
        ]
        return {MODEL: figures, MEASURED_BY_RULE: loudness(analyzer)}


def main() -> None:
    """Measure, and write the figures down."""
    measured.write(DOMAIN, measure(), SOURCE)
    print(measured.as_json(measured.read(DOMAIN)))


if __name__ == "__main__":
    main()
