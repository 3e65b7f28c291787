"""What one caller wants of an analysis, beyond what the settings say, and when it should end early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_zoo.errors import UsageError
from serve.settings import Settings

if TYPE_CHECKING:  # the server reads requests before it has loaded what domains need
    from model_zoo.domain import Domain

# says why the analysis should end now, None as long as it should not; asked between batches, so it must be quick
Stop = Callable[[], str | None]


def never_stop() -> str | None:
    """Let the analysis come to its end."""
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What differs from the settings for one media file; None is as set."""

    domains: tuple[str, ...] | None = None  # some of the loaded ones
    interval_seconds: float | None = None
    frame_detail: bool | None = None
    policy: str | None = None  # `default` is the project's, `none` gives no verdict
    decode_threads: int | None = None  # fewer than `threads` where several files are decoded at once

    def settings(self, settings: Settings) -> Settings:
        """Return the settings of this analysis."""
        given = {
            "interval_seconds": self.interval_seconds,
            "frame_detail": self.frame_detail,
            "policy": self.policy,
        }
        return settings.model_copy(update={name: value for name, value in given.items() if value is not None})

    def chosen(self, loaded: Sequence[Domain]) -> tuple[Domain, ...]:
        """Return the wanted ones of the loaded domains; raises UsageError for one that is not loaded."""
        if self.domains is None:
            return tuple(loaded)
        names = [domain.name for domain in loaded]
        if not self.domains or set(self.domains) - set(names):
            wanted = ",".join(self.domains)
            raise UsageError(f"domains={wanted[:200]!r}: choose some of {', '.join(names)}")
        return tuple(domain for domain in loaded if domain.name in self.domains)


AS_SET = Asked()
