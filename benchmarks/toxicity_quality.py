"""How well is toxic language told? Both networks with the word list, against the classifier alone.

    python -m benchmarks.toxicity_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Nothing that is measured here was trained on: two fifths
of the tweets are kept out of training, the Wikipedia comments and the sentences of toxicity_cases.toml altogether.
Writes model_zoo/toxicity/measured.json, benchmarks/toxicity_failures.json, and both into the domain's card.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import figure as figure_of
from benchmarks.media_sets import RICH_MEDIA
from benchmarks.toxicity_policy import not_allowed
from export.recipes.toxicity_heads import HARMFUL, tweets
from model_zoo import toxicity
from model_zoo.domain import Loaded
from model_zoo.metrics.scores import calibration_error, counts_at, roc_auc
from model_zoo.toxicity.networks import CLASSIFIER, ENCODER, label_scores
from model_zoo.toxicity.passages import FLAGGED
from model_zoo.toxicity.rating import LABEL_KEYS, rate
from model_zoo.toxicity.schema import KEYS, LABELS, OVERALL
from serve.models import load_models
from serve.pipeline import Analyzer
from serve.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "model_zoo" / "toxicity" / "measured.json"
CARD = ROOT / "model_zoo" / "toxicity" / "README.md"
FAILURES = ROOT / "benchmarks" / "toxicity_failures.json"
CASES = ROOT / "benchmarks" / "toxicity_cases.toml"
SOURCE = "python -m benchmarks.toxicity_quality"
figure = partial(figure_of, source=SOURCE, decimals=3)
BLOCK = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)", re.DOTALL)
COVERED = tuple(key for key in LABELS if key != "graphic")
COMMENT_LABELS = {"toxic": OVERALL, "obscene": "profanity", "insult": "insult"}  # the others have under 5 positives

Place = tuple[str, str]  # metric and dataset
Scores = list[dict[str, float]]  # per text: key -> 0..1, the overall one too


@dataclass(frozen=True, slots=True)
class Set:
    """Texts of one source and, by key, which of them are it."""

    name: str
    texts: list[str]
    truth: dict[str, list[bool]] = field(default_factory=dict)


def sets() -> list[Set]:
    """Return everything that has labels."""
    held_out = tweets(RICH_MEDIA / "text" / "davidson_sample_900.csv", held_out=True)
    with (RICH_MEDIA / "text" / "jigsaw_sample_101.csv").open(encoding="utf-8", newline="") as file:
        comments = list(csv.DictReader(file))
    return [
        Set(
            f"Davidson, {len(held_out)} tweets not trained on",
            [text for text, _ in held_out],
            {"hate_speech": [label == 0 for _, label in held_out], OVERALL: [label != 2 for _, label in held_out]},
        ),
        Set(
            f"Jigsaw, {len(comments)} comments",
            [row["comment_text"] for row in comments],
            {key: [row[label] == "1" for row in comments] for label, key in COMMENT_LABELS.items()},
        ),
        cases("case", "own sentences"),
        cases("fresh", "own sentences, written last"),
    ]


def cases(table: str, name: str) -> Set:
    """Return our own sentences of one table."""
    content = tomllib.loads(CASES.read_text("utf-8"))[table]
    rows = [(sentence, set(part["keys"])) for part in content for sentence in part["sentences"]]
    truth = {key: [key in keys for _, keys in rows] for key in KEYS if key in COVERED}
    truth[OVERALL] = [bool(keys & HARMFUL) for _, keys in rows]
    return Set(f"{name} ({len(rows)})", [sentence for sentence, _ in rows], truth)


def harmless() -> dict[str, list[str]]:
    """Return harmless texts by what they are."""
    return {"harmless sentences about identities": identities(), "sentences of old novels": prose()}


def identities() -> list[str]:
    """Return harmless sentences about every identity."""
    content = tomllib.loads(CASES.read_text("utf-8"))
    return [text.format(group=group) for text in content["identity_sentences"] for group in content["identities"]]


def prose() -> list[str]:
    """Return harmless sentences of the kind that novels are made of."""
    found: list[str] = tomllib.loads(CASES.read_text("utf-8"))["prose"]
    return found


def disguised() -> list[str]:
    """Return the insults that are written in disguise."""
    content = tomllib.loads(CASES.read_text("utf-8"))
    parts = [*content["case"], *content["fresh"]]
    return [sentence for part in parts if part.get("disguised") for sentence in part["sentences"]]


def together(texts: Sequence[str], loaded: Mapping[str, Loaded]) -> Scores:
    """Return what the domain says."""
    return [{**rating.scores, OVERALL: rating.toxicity} for rating in rate(texts, loaded)]


def alone(texts: Sequence[str], loaded: Mapping[str, Loaded]) -> Scores:
    """Return what the classifier says of the texts as they are."""
    labels = [LABEL_KEYS[label] for label in loaded[CLASSIFIER].spec.labels]
    return [dict(zip(labels, map(float, row), strict=True)) for row in label_scores(loaded[CLASSIFIER], texts)]


def figures(
    known: Sequence[Set], said: Mapping[str, Scores], calm: Mapping[str, Scores], hidden: Scores
) -> list[dict[str, Any]]:
    """Return AUC and F1 of every key and set, how calibrated the whole is, and false alarms on what is harmless."""
    found = []
    for texts in known:
        for key, truth in texts.truth.items():
            if any(key in row for row in said[texts.name]):
                values = [row[key] for row in said[texts.name]]
                count = f"{texts.name}, {sum(truth)} are it"
                found.append(figure(f"{key}: AUC", roc_auc(values, truth) or 0.0, count))
                found.append(figure(f"{key}: F1 at {FLAGGED}", counts_at(values, truth, FLAGGED).f1, count))
                if key == OVERALL:
                    found.append(figure(f"{key}: calibration error", calibration_error(values, truth), count))
    for what, rows in calm.items():
        for key in (OVERALL, "hate_speech"):
            share = float(np.mean([row[key] >= FLAGGED for row in rows]))
            found.append(figure(f"{key}: false alarms", share, f"{len(rows)} {what}"))
    share = float(np.mean([row["insult"] >= FLAGGED for row in hidden]))
    return [*found, figure("insult: recall", share, f"{len(hidden)} insults in disguise")]


def policy_figures(
    known: Sequence[Set], harmless: Mapping[str, Sequence[str]], analyzer: Analyzer
) -> list[dict[str, Any]]:
    """Return how many toxic texts the default policy does not allow, and how many that are not."""
    found = []
    for texts in known:
        caught = np.array(not_allowed(texts.texts, analyzer))
        for metric, chosen in (
            ("recall", np.array(texts.truth[OVERALL])),
            ("false alarms", ~np.array(texts.truth[OVERALL])),
        ):
            which = "are it" if metric == "recall" else "are not"
            dataset = f"{texts.name}, {int(chosen.sum())} {which}"
            found.append(figure(f"{OVERALL}: {metric} of the default policy", float(caught[chosen].mean()), dataset))
    for what, rows in harmless.items():
        share = float(np.mean(not_allowed(rows, analyzer)))
        found.append(figure(f"{OVERALL}: false alarms of the default policy", share, f"{len(rows)} {what}"))
    return found


def failures(known: Set, said: Scores) -> dict[str, dict[str, list[str]]]:
    """Return what was missed and what was no such thing, by key, of our own sentences."""
    found: dict[str, dict[str, list[str]]] = {}
    for key, truth in known.truth.items():
        rows = list(zip(known.texts, [row[key] >= FLAGGED for row in said], truth, strict=True))
        found[key] = {
            "missed": [text for text, flagged, is_it in rows if is_it and not flagged],
            "false alarms": [text for text, flagged, is_it in rows if flagged and not is_it],
        }
    return found


def measure() -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, list[str]]]]:
    """Return the figures by model, and the failures on the sentences that were written last."""
    settings, known = load_settings(domains=toxicity.DOMAIN.name), sets()
    with ThreadPoolExecutor(settings.threads) as executor:
        ready = load_models([toxicity.DOMAIN], settings, executor)[toxicity.DOMAIN.name]
        measured, wrong = _measured(known, {role: model.loaded() for role, model in ready.items()})
        name = ready[ENCODER].spec.name
    with Analyzer(settings) as analyzer:
        measured[name] += policy_figures(known, harmless(), analyzer)
    return measured, wrong


def _measured(
    known: Sequence[Set], loaded: Mapping[str, Loaded]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, list[str]]]]:
    measured = {}
    for role, say in ((CLASSIFIER, alone), (ENCODER, together)):
        said = {texts.name: say(texts.texts, loaded) for texts in known}
        calm = {what: say(texts, loaded) for what, texts in harmless().items()}
        measured[loaded[role].spec.name] = figures(known, said, calm, say(disguised(), loaded))
    return measured, failures(known[-1], said[known[-1].name])


def block() -> str:
    """Return the figures and failures as Markdown."""
    measured, wrong = json.loads(MEASURED.read_text("utf-8")), json.loads(FAILURES.read_text("utf-8"))
    before, after = ({(row["metric"], row["dataset"]): row["value"] for row in rows} for rows in measured.values())
    lines = ["", "| key: metric | data | classifier alone | together |", "| --- | --- | ---: | ---: |"]
    for (metric, dataset), value in after.items():
        old = before.get((metric, dataset))
        lines.append(f"| {metric} | {dataset} | {'-' if old is None else f'{old:g}'} | {value:g} |")
    lines += ["", f"Together is worse than the classifier alone in {'; '.join(_worse(before, after))}."]
    lines += ["", "Wrong on the sentences written last:", ""]
    for key, kinds in wrong.items():
        for kind, texts in kinds.items():
            lines += [f"- {key}, {kind}: " + "; ".join(f"*{text}*" for text in texts)] if texts else []
    return "\n".join([*lines, "", ""])


def _worse(before: Mapping[Place, float], after: Mapping[Place, float]) -> Iterator[str]:
    """Yield what the classifier alone does better, in words."""
    for (metric, dataset), value in after.items():
        old = before.get((metric, dataset), value)
        if value > old if metric.endswith(("error", "alarms")) else value < old:
            yield f"{metric} on {dataset} ({old:g} alone, {value:g} together)"


def card() -> str:
    """Return the domain's card with what was measured."""
    return BLOCK.sub(lambda _: block(), CARD.read_text("utf-8"))


def as_json(content: Mapping[str, Any]) -> str:
    """Return what is written to a file of results."""
    return json.dumps(content, indent=1) + "\n"


def main() -> None:
    """Measure, and write the figures down."""
    measured, wrong = measure()
    MEASURED.write_text(as_json(measured), "utf-8")
    FAILURES.write_text(as_json(wrong), "utf-8")
    CARD.write_text(card(), "utf-8")
    print(block())


if __name__ == "__main__":
    main()
