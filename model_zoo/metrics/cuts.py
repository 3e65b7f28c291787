"""How well cuts are found: found and true times are matched one to one."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.metrics.scores import Counts


def cut_counts(found_seconds: Sequence[float], true_seconds: Sequence[float], tolerance_seconds: float) -> Counts:
    """Return right and wrong cuts; a found one is right within the tolerance of a true one that no other took.

    Both in time order, the first that fits is the best choice: it leaves most for those that follow.
    """
    left = sorted(true_seconds)
    right = 0
    for seconds in sorted(found_seconds):
        while left and left[0] < seconds - tolerance_seconds - 1e-9:
            left.pop(0)
        if left and left[0] <= seconds + tolerance_seconds + 1e-9:
            left.pop(0)
            right += 1
    return Counts(right, len(found_seconds) - right, len(true_seconds) - right)
