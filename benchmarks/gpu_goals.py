"""The goals of the GPU path, and which of them a run of gpu_check met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Results = Mapping[str, Any]

LEAST_DECODE_SHARE = 0.8  # of what the engines do when nothing is done with their surfaces
LEAST_COPY_SHARE = 0.6  # of the card's own copies, for the painting kernel
LEAST_BARE_SHARE = 0.9  # of the same session run without us
LEAST_PIPELINE_SHARE = 0.85  # of the time that goes into the slowest stage
MOST_KEPT_BYTES = 64 << 20  # more than before, after the same work is done once more


def goals(results: Results) -> list[dict[str, Any]]:
    """Return every goal with what was found; a section that failed or did not run meets nothing."""
    return [
        _goal("kernel parity with its twin, of 255", results, _parity, most=2),
        _goal("decoding, share of bare engines", results, _decode_share, least=LEAST_DECODE_SHARE),
        _goal("painting, share of the card's copy", results, _copy_share, least=LEAST_COPY_SHARE),
        _goal("inference, share of the bare session", results, _bare_share, least=LEAST_BARE_SHARE),
        _goal("pipeline, share of its slowest stage", results, _pipeline_share, least=LEAST_PIPELINE_SHARE),
        _goal("bytes kept by a second run", results, _kept, most=MOST_KEPT_BYTES),
        _goal("bytes kept by videos of other sizes", results, _kept_by_sizes, most=MOST_KEPT_BYTES),
    ]


def in_words(goal: Mapping[str, Any]) -> str:
    """Return a goal as one line."""
    bound = f"at least {goal['least']:g}" if "least" in goal else f"at most {goal['most']:g}"
    found = "not measured" if goal["found"] is None else f"{goal['found']:g}"
    return f"{'met   ' if goal['met'] else 'MISSED'} {goal['goal']}: {found}, {bound}"


def _goal(
    goal: str,
    results: Results,
    read: Callable[[Results], float],
    *,
    least: float | None = None,
    most: float | None = None,
) -> dict[str, Any]:
    try:
        found = read(results)
    except (KeyError, TypeError, ValueError):
        found = None
    met = found is not None and (least is None or found >= least) and (most is None or found <= most)
    bound = {"least": least} if least is not None else {"most": most}
    return {"goal": goal, "found": found, **bound, "met": met}


def _parity(results: Results) -> float:
    return float(max(results["kernel_parity"]["largest_difference"].values()))


def _decode_share(results: Results) -> float:
    """Return the share of the codec that comes off worst, at the number of sessions that decodes most."""
    rows = [row for row in results["decode"] if "share_of_engines" in row]
    best = [
        max((row for row in rows if row["codec"] == codec), key=lambda row: float(row["engines_frames_per_second"]))
        for codec in {row["codec"] for row in rows}
    ]
    return min(float(row["share_of_engines"]) for row in best)


def _copy_share(results: Results) -> float:
    return float(results["kernel_speed"]["share_of_copy"])


def _bare_share(results: Results) -> float:
    """Return the worst share of all models, at the largest batch."""
    rows = results["inference"]
    largest = max(row["batch"] for row in rows)
    return min(float(row["share_of_bare"]) for row in rows if row["batch"] == largest)


def _pipeline_share(results: Results) -> float:
    return float(results["pipeline"]["share_of_slowest_stage"])


def _kept(results: Results) -> float:
    return float(results["memory"]["bytes_kept_by_a_second_run"])


def _kept_by_sizes(results: Results) -> float:
    return float(results["memory"]["bytes_kept_by_other_sizes"])
