"""Run the networks on texts: what the classifier says of each, and the vector that the encoder gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded
from model_zoo.errors import ManifestError
from model_zoo.toxicity.tokens import Ids, tokenizer
from model_zoo.values import Scores, Tensor

CLASSIFIER, ENCODER = "classifier", "encoder"
SCORES, LOGITS, ONE_OF, HEADS = "toxicity_scores", "toxicity_logits", "toxicity_softmax", "sentence_heads"
DECODERS = {CLASSIFIER: (SCORES, LOGITS, ONE_OF), ENCODER: (HEADS,)}

Vectors = NDArray[np.float32]  # (N, D)


def checked(role: str, loaded: Loaded) -> Loaded:
    """Return a model that can fill a role; raises ManifestError."""
    spec = loaded.spec
    if spec.decoder not in DECODERS[role]:
        allowed = " or ".join(DECODERS[role])
        raise ManifestError(f"[{spec.name}] decoder {spec.decoder!r} is not toxicity's for a {role}: {allowed}")
    tokenizer(spec, loaded.folder)  # a vocabulary that cannot be read is told of before the first text
    return loaded


def sigmoid(logits: Scores) -> Scores:
    """Turn logits into probabilities."""
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def softmax(logits: Scores) -> Scores:
    """Turn logits (N, K) of labels of which one holds into probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


PROBABILITIES: Mapping[str, Callable[[Scores], Scores]] = {SCORES: np.asarray, LOGITS: sigmoid, ONE_OF: softmax}


def label_scores(classifier: Loaded, texts: Sequence[str]) -> Scores:
    """Return the probability of each of the classifier's labels: (N, K)."""
    (name,) = classifier.spec.outputs
    found = _in_batches(classifier, texts, lambda ids, outputs: outputs[name])
    return PROBABILITIES[classifier.spec.decoder](found)


def sentence_vectors(encoder: Loaded, texts: Sequence[str]) -> Vectors:
    """Return the mean of the token vectors of each text, scaled to length 1: (N, D)."""
    (name,) = encoder.spec.outputs
    pad_id = encoder.spec.reads().pad_id

    def pooled(ids: Ids, outputs: dict[str, Tensor]) -> Tensor:
        total = (outputs[name] * (ids != pad_id)[:, :, None]).sum(axis=1)  # (N, T, D) -> (N, D)
        vectors: Tensor = total / np.linalg.norm(total, axis=1, keepdims=True)
        return vectors

    return _in_batches(encoder, texts, pooled)


def _in_batches(loaded: Loaded, texts: Sequence[str], read: Callable[[Ids, dict[str, Tensor]], Tensor]) -> Scores:
    """Run texts of like length together, so that little of a batch is padding; the result is in the texts' order."""
    spec, tokenize = loaded.spec, tokenizer(loaded.spec, loaded.folder)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    rows: list[Tensor | None] = [None] * len(texts)
    for start in range(0, len(order), spec.batch.most):
        batch = order[start : start + spec.batch.most]
        ids = tokenize([texts[index] for index in batch])
        answers = read(ids, dict(loaded.model.run({spec.reads().name: ids})))
        for index, answer in zip(batch, answers, strict=True):
            rows[index] = answer
    return np.stack([row for row in rows if row is not None]).astype(np.float32)
