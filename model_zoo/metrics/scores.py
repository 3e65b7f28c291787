"""How well scores tell two kinds apart: the area under the ROC curve, precision, recall, F1 and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Counts:
    """Right and wrong answers."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Return the share of the found that is right; 0 where nothing was found."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Return the share of the right that was found; 0 where nothing was to be found."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


def roc_auc(scores: Sequence[float], truths: Sequence[bool]) -> float | None:
    """Return how often a positive scores above a negative, ties counting half (Mann and Whitney, 1947).

    None where either kind is missing.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(truths, bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # (N,) from 1, the mean of those that tie
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def counts_at(scores: Sequence[float], truths: Sequence[bool], threshold: float) -> Counts:
    """Return right and wrong answers when everything from the threshold on is called positive."""
    found, positive = np.asarray(scores, np.float64) >= threshold, np.asarray(truths, bool)
    return Counts(int((found & positive).sum()), int((found & ~positive).sum()), int((~found & positive).sum()))


def calibration_error(scores: Sequence[float], truths: Sequence[bool], bins: int = 10) -> float:
    """Return how far scores (0 to 1) are from the share that is positive: the mean over even bins, by their rows.

    The expected calibration error of Naeini and others, 2015; 0 is best. 0 without rows.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(truths, np.float64)
    places = np.minimum((values * bins).astype(int), bins - 1)  # (N,)
    off = np.bincount(places, weights=values - positive, minlength=bins)  # (bins,) rows times what they are off
    return _share(float(np.abs(off).sum()), len(values))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0
