"""Moderation: nudity in all detail that the models give, and weak evidence for the rest of the taxonomy.

Two classifiers look at whole frames and must agree; a body-part detector, where the user adds one, says what is
seen and where; other domains lend what they saw. How the pieces combine: findings.py.
"""

from __future__ import annotations

from model_zoo.domain import Domain, Start, Summary
from model_zoo.fits import Fits
from model_zoo.manifest import ModelSpec
from model_zoo.moderation.coverage import coverage
from model_zoo.moderation.findings import content_types, segments
from model_zoo.moderation.postprocess import NSFWJS_LABELS, OPENNSFW_LABELS, nsfwjs, nudenet, opennsfw
from model_zoo.moderation.schema import ModerationPart
from model_zoo.values import Watcher
from model_zoo.watch import watch

ROLES = {"nsfw_score": True, "nsfw_classes": True, "body_parts": False}
DECODERS = {"opennsfw": opennsfw, "nsfwjs": nsfwjs, "nudenet": nudenet}


def start(start: Start) -> tuple[Watcher, ...]:
    """Look at sampled frames with every model at hand."""
    return tuple(watch(start, role, DECODERS) for role in ROLES if role in start.models)


def summarize(summary: Summary) -> ModerationPart:
    """Turn scores, boxes and what other domains saw into labels of the taxonomy."""
    return ModerationPart(
        segments=segments(summary),
        content_types=content_types(summary),
        coverage=coverage(summary.models, summary.parts),
    )


def _columns(spec: ModelSpec) -> int:
    lengths = {"opennsfw": len(OPENNSFW_LABELS), "nsfwjs": len(NSFWJS_LABELS), "nudenet": 4 + len(spec.labels)}
    return lengths[spec.decoder]


DOMAIN = Domain(
    name="moderation",
    title="labels of the Rekognition moderation taxonomy, with evidence and coverage",
    roles=ROLES,
    reads=("objects", "labels", "sounds", "text", "toxicity"),
    start=start,
    summarize=summarize,
    part=ModerationPart,
    fits=dict.fromkeys(ROLES, Fits("input", tuple(DECODERS), columns=_columns)),
)
