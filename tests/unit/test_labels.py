"""Labels: a tagger's scores become readable labels over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from model_zoo import labels
from model_zoo.catalog import catalog, choose
from model_zoo.domain import Loaded, Start, Summary
from model_zoo.labels.names import READABLE, shown_labels
from model_zoo.values import Frames, Prediction, Tensors

SPEC = choose("labels", "tagger", None, catalog())
VIEW = SPEC.input.view()


class Tagger:
    """A model that gives the same scores to every frame."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        self.scores = np.zeros(len(SPEC.labels), np.float32)
        for label, score in scores.items():
            self.scores[SPEC.labels.index(label)] = score

    def run(self, tensors: Tensors) -> Tensors:
        """Answer every row alike."""
        return {SPEC.outputs[0]: np.stack([self.scores] * len(tensors[SPEC.input.name]))}


def scores_seen(scores: Mapping[str, float]) -> Mapping[str, float]:
    (watcher,) = labels.DOMAIN.start(Start({"tagger": Loaded(SPEC, Tagger(scores))}, 1.0))
    pixels = np.zeros((1, VIEW.height, VIEW.width, 3), np.uint8)
    (prediction,) = watcher.predict(Frames(pixels, np.zeros(1), VIEW, 640, 360))
    return prediction.scores


def test_only_likely_labels_are_kept_best_first() -> None:
    assert list(scores_seen({"espresso": 0.6, "cup": 0.3, "tench": 0.05})) == ["espresso", "cup"]


def test_odd_names_are_shown_readably() -> None:
    assert scores_seen({"slot": 0.6}) == {"slot machine": pytest.approx(0.6)}


def test_every_shown_name_is_unique() -> None:
    shown = shown_labels(SPEC)
    assert len(set(shown)) == len(shown) == 1000


def test_every_replaced_name_is_one_of_the_tagger_s() -> None:
    assert set(READABLE) <= set(SPEC.labels)


def test_another_tagger_keeps_its_own_names() -> None:
    own = SPEC.model_copy(update={"labels": ("kite", "slot")})
    assert shown_labels(own) == ("kite", "slot")


def test_a_label_has_segments() -> None:
    predictions = [Prediction(float(t), {"espresso": score}) for t, score in enumerate((0.1, 0.9, 0.4, 0.0, 0.0, 0.0))]
    part = labels.summarize(Summary({"tagger": predictions}, {"tagger": SPEC}, 1.0, 6.0, 640, 360, {}))
    assert [(s.label, s.start_seconds, s.end_seconds, s.frames) for s in part.segments] == [("espresso", 1, 3, 2)]
