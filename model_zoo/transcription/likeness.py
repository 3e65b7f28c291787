"""How alike every two of many groups are, and which is nearest to each, while they are united one after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NONE = -np.inf  # how alike a group is to itself, or to one that is gone


class Likeness:
    """Tells for each group (G,) which other is `nearest`, and how alike the two are.

    Uniting two looks again only at the groups that lost their nearest by it: all pairs need not be searched each time.
    """

    def __init__(self, alike: NDArray[np.float64]) -> None:
        """Take over the likeness of all pairs, (G, G); what it says of a group and itself does not matter."""
        self._alike = alike
        np.fill_diagonal(alike, NONE)
        self._rows = np.arange(len(alike))
        self.nearest = alike.argmax(axis=1)

    @property
    def best(self) -> NDArray[np.float64]:
        """Return how alike each group is to its nearest (G,)."""
        best: NDArray[np.float64] = self._alike[self._rows, self.nearest]
        return best

    def unite(self, kept: int, gone: int, alike: NDArray[np.float64]) -> None:
        """Let one group take up another; `alike` (G,) is the likeness of the united group to every other."""
        before = self.best
        self._alike[gone] = self._alike[:, gone] = NONE
        left = self._alike[kept] > NONE
        self._alike[kept] = self._alike[:, kept] = np.where(left, alike, NONE)
        lost = (self.nearest == gone) | ((self.nearest == kept) & (self._alike[kept] < before))
        lost[kept], lost[gone] = True, False
        self.nearest[gone] = gone
        self.nearest[lost] = self._alike[lost].argmax(axis=1)
        self.nearest[self._alike[kept] > self.best] = kept
