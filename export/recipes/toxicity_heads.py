"""Train the heads of the domain `toxicity` on labelled tweets and on sentences of our own; only coefficients are kept.

    PYTHONPATH=. python export/recipes/toxicity_heads.py --tweets davidson_sample_900.csv

The tweets (Davidson and others 2017, MIT) are those of github.com/t-davidson/hate-speech-and-offensive-language; any
part of that file will do. Two fifths of them, chosen by their number, are never trained on: they are for measuring
(`benchmarks/toxicity_quality.py`). How strongly each head is held back is chosen by cross-validation on the rest, and
so is how much of the classifier's own word is mixed into the overall head.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import platformdirs
from numpy.typing import NDArray

from model_zoo.catalog import catalog
from model_zoo.domain import Loaded
from model_zoo.manifest import ModelSpec
from model_zoo.toxicity.heads import FILE, LISTS, LOGIT_SCALE, Heads
from model_zoo.toxicity.lexicon import FILE as WORDS
from model_zoo.toxicity.networks import CLASSIFIER, ENCODER
from model_zoo.toxicity.rating import LABEL_KEYS, text_features
from model_zoo.toxicity.schema import OVERALL
from model_zoo.values import Tensors
from model_zoo.weights import WeightPlaces, ensure

SENTENCES = Path(__file__).parent / "toxicity_sentences.toml"
HARMFUL = frozenset({"hate_speech", "insult", "violence_or_threat", "harassment_or_abuse"})
KEYS = (*sorted(HARMFUL), "sexual", OVERALL)
SENTENCE_WEIGHT, TEMPLATE_WEIGHT = 2.0, 0.35  # against a tweet's 1: there are few sentences, and many templates
PENALTIES = (0.3, 1.0, 3.0)
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # of the classifier's own logit in the overall head
FOLDS, STEPS = 5, 15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text; a key that nobody labelled is in neither set."""

    text: str
    weight: float
    yes: frozenset[str]
    no: frozenset[str]
    is_tweet: bool = False


def is_held_out(number: str) -> bool:
    """Tell whether a tweet is kept for measuring."""
    return int(hashlib.sha256(number.encode()).hexdigest(), 16) % 5 < 2


def tweets(path: Path, *, held_out: bool) -> list[tuple[str, int]]:
    """Return the tweets kept for measuring, or the others, each with its class: 0 hate, 1 offensive, 2 neither."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["tweet"], int(row["class"])) for row in rows if is_held_out(row["id"]) == held_out]


def tweet_rows(path: Path) -> list[Row]:
    """Return what the labels of the tweets say: offensive ones may be insults or not, nobody knows."""
    known = {
        0: (frozenset({"hate_speech", OVERALL}), frozenset()),
        1: (frozenset({OVERALL}), frozenset({"hate_speech"})),
        2: (frozenset(), HARMFUL | {OVERALL}),
    }
    return [Row(text, 1.0, *known[label], is_tweet=True) for text, label in tweets(path, held_out=False)]


def sentence_rows() -> list[Row]:
    """Return the sentences of our own; the labels of each are complete."""
    content = tomllib.loads(SENTENCES.read_text("utf-8"))
    rows = []
    tables = (
        ("set", SENTENCE_WEIGHT, ("",)),
        ("template", TEMPLATE_WEIGHT, content["groups"]),
        ("adjective", TEMPLATE_WEIGHT, content["adjectives"]),
    )
    for table, weight, groups in tables:
        for part in content[table]:
            yes = frozenset(part["keys"])
            yes |= {OVERALL} if yes & HARMFUL else set()
            no = frozenset(KEYS) - yes - ({OVERALL} if yes == {"sexual"} else set())
            for sentence in part["sentences"]:
                rows += [Row(sentence.format(group=group), weight, yes, no) for group in groups]
    return rows


def fit(features: Floats, labels: Floats, weights: Floats, penalty: float) -> Floats:
    """Return the coefficients of a logistic regression, the last that of 1, by Newton's method."""
    padded = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    held_back = np.full(padded.shape[1], penalty)
    held_back[-1] = 1e-6
    found = np.zeros(padded.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-padded @ found))
        slope = padded.T @ (weights * (chance - labels)) + held_back * found
        curve = (padded * (weights * chance * (1 - chance))[:, None]).T @ padded + np.diag(held_back)
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    return found


def left_out(features: Floats, labels: Floats, weights: Floats, penalty: float) -> Floats:
    """Return the logit of every row from a head that was trained without it."""
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    logits = np.zeros(len(labels))
    for number in range(FOLDS):
        kept = fold != number
        found = fit(features[kept], labels[kept], weights[kept], penalty)
        logits[~kept] = features[~kept] @ found[:-1] + found[-1]
    return logits


def loss(logits: Floats, labels: Floats, weights: Floats) -> float:
    """Return the mean logarithmic loss."""
    return float((weights * np.logaddexp(0, -logits * (2 * labels - 1))).sum() / weights.sum())


def best_cut(logits: Floats, labels: Floats, weights: Floats) -> float:
    """Return the logit at which F0.5 is best, which counts a false alarm more than a miss: it becomes 0.5."""
    order = np.argsort(-logits)
    hits, taken = np.cumsum((weights * labels)[order]), np.cumsum(weights[order])
    best = int((1.25 * hits / (taken + 0.25 * (weights * labels).sum())).argmax())
    return float((logits[order[best]] + logits[order[min(best + 1, len(order) - 1)]]) / 2)


def head(key: str, rows: Sequence[Row], features: Floats, own: Floats | None = None) -> Floats:
    """Train the head of one key on the rows that have it labelled.

    `own` are the coefficients (F + 1,) of what the classifier itself says of the key; a share of them is mixed in.
    """
    known = [number for number, row in enumerate(rows) if key in row.yes or key in row.no]
    labels = np.array([float(key in rows[number].yes) for number in known])
    weights, taken = np.array([rows[number].weight for number in known]), features[known]
    tried = {penalty: left_out(taken, labels, weights, penalty) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda penalty: loss(tried[penalty], labels, weights))
    found, logits, share = fit(taken, labels, weights, penalty), tried[penalty], 0.0
    if own is not None:
        said = taken @ own[:-1] + own[-1]
        share = best_share(logits, said, labels, np.array([rows[number].is_tweet for number in known]))
        found, logits = (1 - share) * found + share * own, (1 - share) * logits + share * said
    cut = best_cut(logits, labels, weights)
    found[-1] -= cut
    counts = f"{int(labels.sum())} of {len(labels)} rows"
    print(f"{key}: {counts}, penalty {penalty:g}, own share {share:g}, 0.5 moved by {-cut:+.2f}")
    return found


def best_share(logits: Floats, said: Floats, labels: Floats, is_tweet: NDArray[np.bool_]) -> float:
    """Return how much of what the classifier says makes the logits best, on the tweets.

    The sentences of our own are like each other, so that a head looks better on those left out than it is.
    """
    even = np.ones(int(is_tweet.sum()))
    return min(SHARES, key=lambda share: loss(((1 - share) * logits + share * said)[is_tweet], labels[is_tweet], even))


def own_overall(labels: Sequence[str], count: int) -> Floats:
    """Return the coefficients with which `count` features give the classifier's own overall logit: (count + 1,)."""
    (column,) = (number for number, label in enumerate(labels) if LABEL_KEYS.get(label) == OVERALL)
    found = np.zeros(count + 1)
    found[count - len(LISTS) - len(labels) + column] = 1 / LOGIT_SCALE
    return found


class Network:
    """A default network, run by ONNX Runtime as it is on disk."""

    def __init__(self, spec: ModelSpec) -> None:
        """Fetch and open it."""
        places = WeightPlaces(Path("/opt/ml/model"), platformdirs.user_cache_path("reelwarden"))
        self._session = onnxruntime.InferenceSession(ensure(spec, places), providers=["CPUExecutionProvider"])
        self._taken = spec.reads()

    def run(self, tensors: Tensors) -> Tensors:
        """Answer token ids; what else the network takes follows from them."""
        ids = tensors[self._taken.name]
        kept = (ids != self._taken.pad_id).astype(np.int64)
        extra = {self._taken.mask_name: kept, self._taken.types_name: np.zeros_like(ids)}
        names = [output.name for output in self._session.get_outputs()]
        given = {name: value for name, value in {**tensors, **extra}.items() if name}
        return dict(zip(names, self._session.run(names, given), strict=True))


def models() -> dict[str, Loaded]:
    """Load the two default networks."""
    specs = [spec for spec in catalog() if spec.domain == "toxicity" and spec.default]
    return {spec.role: Loaded(spec, Network(spec)) for spec in specs}


def main() -> None:
    """Train every head and write the coefficients down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, required=True)
    path = parser.parse_args().tweets
    loaded = models()
    rows = [*tweet_rows(path), *sentence_rows()]
    features = text_features([row.text for row in rows], loaded).astype(np.float64)
    own = {OVERALL: own_overall(loaded[CLASSIFIER].spec.labels, features.shape[1])}
    found = {key: head(key, rows, features, own.get(key)) for key in KEYS}
    made = Heads(
        classifier_sha256=loaded[CLASSIFIER].spec.sha256,
        encoder_sha256=loaded[ENCODER].spec.sha256,
        words_sha256=hashlib.sha256(WORDS.read_bytes()).hexdigest(),
        bias={key: round(float(values[-1]), 4) for key, values in found.items()},
        weights={key: [round(float(value), 4) for value in values[:-1]] for key, values in found.items()},
    )
    FILE.write_text(made.model_dump_json(indent=None) + "\n", "utf-8")


if __name__ == "__main__":
    main()
