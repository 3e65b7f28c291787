"""The heads: one logistic regression per key over what both networks and the word list say of a text.

They are trained by export/recipes/toxicity_heads.py and hold for the two networks named in their file only.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model_zoo.toxicity.networks import sigmoid
from model_zoo.values import Scores

FILE = Path(__file__).parent / "heads.json"
LISTS = (
    "profanity", "hate_speech", "reclaimed", "sexual", "insult", "violence_or_threat", "harassment_or_abuse",
)  # fmt: skip
_MOST_LOGIT, LOGIT_SCALE = 6.0, 0.6  # a larger feature is held back less in training
_VECTOR_SCALE = 0.8


class Heads(BaseModel):
    """The coefficients of every head, and what they were trained with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classifier_sha256: str
    encoder_sha256: str
    words_sha256: str
    bias: dict[str, float]  # key -> coefficient of 1
    weights: dict[str, list[float]]  # key -> coefficients of the features, in their order

    def scores(self, features: NDArray[np.float32]) -> dict[str, Scores]:
        """Return the probability of every key the heads know, and the overall one: (N,) each."""
        return {
            key: sigmoid(features @ np.array(self.weights[key], np.float32) + np.float32(self.bias[key]))
            for key in self.weights
        }


@cache
def heads() -> Heads:
    """Read the coefficients."""
    return Heads.model_validate_json(FILE.read_bytes())


def features(labels: Scores, vectors: NDArray[np.float32], listed: Scores) -> NDArray[np.float32]:
    """Join what is known of N texts: classifier (N, K), encoder (N, D) and the strengths of `LISTS` (N, L)."""
    sure = np.clip(labels, 1e-6, 1 - 1e-6)
    logits = np.clip(np.log(sure / (1 - sure)), -_MOST_LOGIT, _MOST_LOGIT) * LOGIT_SCALE
    return np.concatenate([vectors * _VECTOR_SCALE, logits, listed], axis=1).astype(np.float32)
