"""One domain at work on one media file; its failure must not cost the other domains their results."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from model_zoo.domain import Domain
from model_zoo.errors import DeviceLostError, ReelwardenError
from model_zoo.report import ReportedError
from model_zoo.values import Listener, Prediction, Watcher
from serve.models import Ready

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """One domain at work on one media file."""

    domain: Domain
    models: dict[str, Ready]
    watchers: tuple[Watcher, ...] = ()
    listeners: tuple[Listener, ...] = ()
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    error: ReportedError | None = None

    def on_gpu(self, role: str) -> bool:
        """Say whether the model of a role runs on a GPU."""
        return role in self.models and self.models[role].placed.device == "cuda"


@contextmanager
def kept(attempt: Attempt) -> Iterator[None]:
    """Turn a failure of one domain into its error entry, so that the others' results are kept.

    DeviceLostError is raised: nothing that runs after it in this process would be right.
    """
    try:
        yield
    except DeviceLostError:
        raise
    except Exception as error:
        if isinstance(error, ReelwardenError):  # foreseen: its message says it all
            log.error("domain %s failed: %s", attempt.domain.name, error)  # noqa: TRY400
        else:
            log.exception("domain %s failed", attempt.domain.name)
        attempt.error = ReportedError(domain=attempt.domain.name, type=type(error).__name__, message=str(error))
