"""The labels that reports may carry, by domain: what a policy may name, and what lies above what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_zoo.labels.names import shown_labels
from model_zoo.manifest import ModelSpec
from model_zoo.moderation.taxonomy import ALL_LABELS
from model_zoo.sounds.postprocess import EXPLOSION_ALONE, SILENCE
from model_zoo.toxicity.schema import LABELS

OWN_NAMESPACE = "x:"  # labels of this project, beside the names of others; any domain may report them

# domain -> the entries of its coverage that speak for a name nobody could foresee; the first that a report has counts
NAMES: Mapping[str, tuple[str, ...]] = {"faces": ("name", "person")}  # reports of earlier versions lack `name`


@dataclass(frozen=True, slots=True)
class Known:
    """A label that a domain can report."""

    level: int = 1
    parent: str | None = None


Vocabulary = Mapping[str, Known]  # by label


def vocabularies(specs: Sequence[ModelSpec]) -> dict[str, Vocabulary]:
    """Return domain -> labels; a domain that is missing reports names that nobody can foresee, such as people's."""
    return {
        "moderation": {label.name: Known(label.level, label.parent) for label in ALL_LABELS.values()},
        "toxicity": dict.fromkeys(LABELS, Known()),
        "objects": _of(specs, "objects"),
        "labels": {name: Known() for spec in specs if spec.domain == "labels" for name in shown_labels(spec)},
        "sounds": _of(specs, "sounds") | {EXPLOSION_ALONE: Known(), SILENCE: Known()},
        "shots": {"shot": Known()},
    }


def _of(specs: Sequence[ModelSpec], domain: str) -> dict[str, Known]:
    return {label: Known() for spec in specs if spec.domain == domain for label in spec.labels}
