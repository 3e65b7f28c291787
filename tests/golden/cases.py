"""The golden cases: which files are analyzed how, and how a result is written down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_zoo.report import Report
from model_zoo.transcription.schema import SpeechSegment
from tests.conftest import MEDIA

FOLDER = Path(__file__).resolve().parent / "results"
# Whisper computes in int8, which processors with and without VNNI round in their own ways: a comma may become a full
# stop, and what is said in one sentence two
SPOKEN = ("transcription", "toxicity")


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One file analyzed with some settings."""

    name: str
    media: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Return where its result is kept."""
        return FOLDER / f"{self.name}.json"


BODY_PARTS = {"models": "moderation.body_parts=nudenet_320n", "licences": "any", "domains": "moderation"}
CASES = (
    GoldenCase("demo", MEDIA / "demo.mp4"),
    GoldenCase("demo_body_parts", MEDIA / "demo.mp4", BODY_PARTS),
    *(GoldenCase(path.stem, path) for path in sorted((MEDIA / "images").iterdir())),
)


def golden(report: Report) -> dict[str, Any]:
    """Return what a golden result keeps: how frames were obtained, what was seen and heard, and what was said."""
    decode = report.decode
    segments = [
        {
            "domain": name,
            "label": segment.label,
            "start_seconds": round(segment.start_seconds, 3),
            "end_seconds": round(segment.end_seconds, 3),
            "peak_confidence": round(segment.peak_confidence, 3),
            "frames": segment.frames,
        }
        | ({"text": segment.text} if isinstance(segment, SpeechSegment) else {})
        for name, part in report.domains.items()
        for segment in part.segments
    ]
    return {
        "decode": {"strategy": decode.strategy, "frames_analyzed": decode.frames_analyzed},
        "segments": [segment for segment in segments if segment["domain"] not in SPOKEN],
        "spoken": [segment for segment in segments if segment["domain"] in SPOKEN],
    }


def text(result: dict[str, Any]) -> str:
    """Return a result as JSON with one finding a line, so that a diff reads as a list of findings."""
    lists = ",\n".join(f' "{key}": [{_lines(result[key])}]' for key in ("segments", "spoken"))
    return f'{{\n "decode": {json.dumps(result["decode"])},\n{lists}\n}}\n'


def _lines(segments: list[dict[str, Any]]) -> str:
    return "\n" + ",\n".join("  " + json.dumps(segment) for segment in segments) + "\n " if segments else ""
