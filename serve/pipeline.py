"""From one media file to one report: read this file first.

    analyzer = Analyzer(load_settings())
    report = analyzer.analyze(Path("clip.mp4"))

Models are loaded once. Every analysis opens the media, decodes its pictures and its sound once for all domains, hands
each domain its own frames and windows of sound, and lets it turn its predictions into its part of the report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

from model_zoo.domain import Domain, Loaded, Start, Summary
from model_zoo.domains import DOMAINS, by_name
from model_zoo.report import DecodeFacts, DomainPart, FrameDetail, Report, ReportedError, Run, SoundFacts
from model_zoo.values import Listener, Prediction, Watcher
from serve.decode.hearing import WantedSound, hear
from serve.decode.reading import Wanted, read
from serve.media import Media, open_media
from serve.models import Ready, load_models
from serve.settings import Settings
from serve.timing import Stages
from serve.version import VERSION

log = logging.getLogger(__name__)

ROWS_WITHOUT_MODEL = 64  # small frames, or short windows, that are used without a network
MOST_BATCH_SECONDS = 60.0  # of sound: 4 MB at 16 kHz, and some batches wait for their listener

# seconds of the media done, its duration where known, frames analyzed so far
OnProgress = Callable[[float, float | None, int], None]


def ignore_progress(seconds: float, total_seconds: float | None, frames: int) -> None:
    """Watch no progress."""


@dataclass(slots=True)
class Attempt:
    """One domain at work on one media file."""

    domain: Domain
    models: dict[str, Ready]
    watchers: tuple[Watcher, ...] = ()
    listeners: tuple[Listener, ...] = ()
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    error: ReportedError | None = None


class Analyzer(AbstractContextManager["Analyzer"]):
    """Loaded models and the workers that run them; one for the life of a process."""

    def __init__(self, settings: Settings) -> None:
        """Find, verify and load every model of the wanted domains; raises the errors of the zoo and the backends."""
        self.settings = settings
        self.domains = tuple(by_name(name) for name in settings.domains) or DOMAINS
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="infer")
        self._models = load_models(self.domains, settings, self._executor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the workers."""
        self._executor.shutdown(cancel_futures=True)

    def analyze(self, path: Path, on_progress: OnProgress = ignore_progress) -> Report:
        """Analyze one file; raises MediaError when nothing of it can be used.

        A file that breaks off gives a report of what was seen, a domain that fails an entry in `errors`; in both
        cases `complete` is false.
        """
        stages = Stages()
        with stages("open"):
            media = open_media(path, self.settings.limits())
        attempts = [self._start(domain) for domain in self.domains]
        decode = self._watch(media, attempts, stages, on_progress)
        sound = self._listen(media, attempts, stages, on_progress)
        with stages("summarize"):
            parts = _summarize(attempts, media, decode, sound, self.settings)
        errors = [attempt.error for attempt in attempts if attempt.error]
        return Report(
            reelwarden_version=VERSION,
            media=media.facts,
            decode=decode,
            sound=sound,
            domains=parts,
            complete=not (errors or decode.truncated or sound.truncated),
            errors=errors,
            run=Run(stage_seconds=stages.seconds(), wall_seconds=round(stages.wall_seconds(), 3)),
        )

    def _start(self, domain: Domain) -> Attempt:
        models = self._models[domain.name]
        attempt = Attempt(domain, models)
        with _kept(attempt):
            loaded = {role: Loaded(ready.spec, ready.placed.model) for role, ready in models.items()}
            asked = domain.start(Start(loaded, self.settings.interval_seconds))
            attempt.watchers = tuple(item for item in asked if isinstance(item, Watcher))
            attempt.listeners = tuple(item for item in asked if isinstance(item, Listener))
            attempt.predictions = {item.role: [] for item in asked}
        return attempt

    def _watch(self, media: Media, attempts: Sequence[Attempt], stages: Stages, on_progress: OnProgress) -> DecodeFacts:
        """Decode once and hand every watcher its frames."""
        places = [(attempt, watcher) for attempt in attempts for watcher in attempt.watchers]
        wanted = [
            Wanted(watcher.view, watcher.interval_seconds, self._batch_rows(attempt, watcher.role))
            for attempt, watcher in places
        ]
        frames_done = 0
        with read(media, wanted, backend=self.settings.decoder, threads=self.settings.threads) as reading:
            for index, frames in stages.waiting("decode_wait", reading):
                attempt, watcher = places[index]
                if attempt.error:
                    continue
                with stages(f"predict:{attempt.domain.name}.{watcher.role}"), _kept(attempt):
                    attempt.predictions[watcher.role].extend(watcher.predict(frames))
                frames_done += len(frames)
                on_progress(float(frames.seconds[-1]), media.facts.duration_seconds, frames_done)
        return reading.facts

    def _listen(self, media: Media, attempts: Sequence[Attempt], stages: Stages, on_progress: OnProgress) -> SoundFacts:
        """Decode the sound once and hand every listener its windows; the picture has been seen by then."""
        places = [(attempt, listener) for attempt in attempts for listener in attempt.listeners]
        wanted = [
            WantedSound(
                listener.sample_rate,
                listener.window_seconds,
                listener.hop_seconds,
                max(1, min(self._batch_rows(attempt, listener.role), int(MOST_BATCH_SECONDS / listener.hop_seconds))),
            )
            for attempt, listener in places
        ]
        with hear(media, wanted) as hearing:
            for index, windows in stages.waiting("sound_wait", hearing):
                attempt, listener = places[index]
                if attempt.error:
                    continue
                with stages(f"hear:{attempt.domain.name}.{listener.role}"), _kept(attempt):
                    attempt.predictions[listener.role].extend(listener.hear(windows))
                if media.facts.video is None:
                    on_progress(float(windows.seconds[-1]), media.facts.duration_seconds, 0)
        return hearing.facts

    def _batch_rows(self, attempt: Attempt, role: str) -> int:
        ready = attempt.models.get(role)
        return ready.spec.batch.best * self.settings.threads if ready else ROWS_WITHOUT_MODEL


@contextmanager
def _kept(attempt: Attempt) -> Iterator[None]:
    """Turn a failure of one domain into its error entry, so that the others' results are kept."""
    try:
        yield
    except Exception as error:
        log.exception("domain %s failed", attempt.domain.name)
        attempt.error = ReportedError(domain=attempt.domain.name, type=type(error).__name__, message=str(error))


def _summarize(
    attempts: Sequence[Attempt], media: Media, decode: DecodeFacts, sound: SoundFacts, settings: Settings
) -> dict[str, DomainPart]:
    """Return the parts of the domains that did not fail, in the order of the domains."""
    parts: dict[str, DomainPart] = {}
    video = media.facts.video
    for attempt in _readers_last(attempts):
        if attempt.error:
            continue
        with _kept(attempt):
            part = attempt.domain.summarize(
                Summary(
                    predictions=attempt.predictions,
                    models={role: ready.spec for role, ready in attempt.models.items()},
                    interval_seconds=settings.interval_seconds,
                    duration_seconds=decode.analyzed_seconds,
                    width=video.width if video else 0,
                    height=video.height if video else 0,
                    parts=parts,
                    heard_seconds=sound.heard_seconds,
                )
            )
            detail = _frame_details(attempt.predictions) if settings.frame_detail else None
            facts = [ready.facts(role) for role, ready in attempt.models.items()]
            parts[attempt.domain.name] = part.model_copy(update={"models": facts, "frames": detail})
    return {attempt.domain.name: parts[attempt.domain.name] for attempt in attempts if attempt.domain.name in parts}


def _readers_last(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Order the attempts so that a domain comes after the domains it reads."""
    waiting = list(attempts)
    ordered: list[Attempt] = []
    names = {attempt.domain.name for attempt in attempts}
    while waiting:
        done = {attempt.domain.name for attempt in ordered}
        ready = [attempt for attempt in waiting if set(attempt.domain.reads) & names <= done]
        ordered += ready
        waiting = [attempt for attempt in waiting if attempt not in ready]
    return ordered


def _frame_details(predictions: Mapping[str, Sequence[Prediction]]) -> list[FrameDetail]:
    """Return what each watcher and listener said of each frame and window, in time order."""
    details = [
        FrameDetail(
            role=role,
            seconds=prediction.seconds,
            scores={label: round(score, 4) for label, score in prediction.scores.items()},
            boxes=[asdict(box) for box in prediction.boxes],
        )
        for role, rows in predictions.items()
        for prediction in rows
    ]
    return sorted(details, key=lambda detail: (detail.seconds, detail.role))
