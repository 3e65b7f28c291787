"""The order in which a person reads what was found in a picture."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.text.schema import TextSegment


def read_order(segments: Sequence[TextSegment]) -> str:
    """Return what a picture says, from line to line, and in a line from left to right."""
    lines: list[list[TextSegment]] = []
    for segment in sorted(segments, key=_middle):
        if lines and _middle(segment) < lines[-1][0].points[0].box.y2:
            lines[-1].append(segment)
        else:
            lines.append([segment])
    ordered = [sorted(line, key=lambda segment: segment.points[0].box.x1) for line in lines]
    return " ".join(segment.label for line in ordered for segment in line)


def _middle(segment: TextSegment) -> float:
    box = segment.points[0].box
    return (box.y1 + box.y2) / 2
