"""Labels: what a frame as a whole shows. One tagger over ImageNet's classes."""

from __future__ import annotations

from model_zoo.domain import Domain, Start, Summary
from model_zoo.fits import Fits, one_a_label
from model_zoo.labels.postprocess import label_segments, softmax_labels
from model_zoo.labels.schema import LabelsPart
from model_zoo.report import Coverage
from model_zoo.values import Watcher
from model_zoo.watch import watch

ROLE = "tagger"
DECODERS = {"softmax_labels": softmax_labels}


def start(start: Start) -> tuple[Watcher, ...]:
    """Tag sampled frames."""
    return (watch(start, ROLE, DECODERS),)


def summarize(summary: Summary) -> LabelsPart:
    """Tell when each label applied."""
    spec = summary.models[ROLE]
    closed_list = Coverage(
        label=f"{len(spec.labels)} classes of {spec.name}",
        grade="trained classifier",
        source=f"labels/{spec.name}",
        reason="a closed list: whatever is not on it gets the name of its nearest neighbour",
    )
    return LabelsPart(
        segments=label_segments(summary.predictions.get(ROLE, ()), summary.step_seconds, summary.duration_seconds),
        coverage=[closed_list],
    )


DOMAIN = Domain(
    name="labels",
    title="what a frame shows, by name",
    roles={ROLE: True},
    reads=(),
    start=start,
    summarize=summarize,
    part=LabelsPart,
    fits={ROLE: Fits("input", tuple(DECODERS), columns=one_a_label)},
)
