"""Error rates of verification: are two pictures of the same person?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Verification:
    """How pairs were judged at one threshold."""

    same_pairs: int
    refused: int  # of the same person, called two
    other_pairs: int
    accepted: int  # of two people, called one

    @property
    def false_reject_rate(self) -> float:
        """Return the share of same pairs that were refused; 0 without any."""
        return self.refused / self.same_pairs if self.same_pairs else 0.0

    @property
    def false_accept_rate(self) -> float:
        """Return the share of other pairs that were accepted; 0 without any."""
        return self.accepted / self.other_pairs if self.other_pairs else 0.0


def verification(distances: Sequence[float], same: Sequence[bool], threshold: float) -> Verification:
    """Return how pairs are judged that count as one person up to a distance of `threshold`."""
    near, alike = np.asarray(distances, np.float64) <= threshold, np.asarray(same, bool)
    return Verification(int(alike.sum()), int((alike & ~near).sum()), int((~alike).sum()), int((~alike & near).sum()))
