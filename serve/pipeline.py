"""From one media file to one report: read this file first.

    analyzer = Analyzer(load_settings())
    report = analyzer.analyze(Path("clip.mp4"))

Models are loaded once. Every analysis opens the media, decodes its pictures and its sound once for all domains, hands
each domain its own frames and windows of sound, and lets it turn its predictions into its part of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from model_zoo.domain import Domain, Options, Start
from model_zoo.domains import DOMAINS, by_name
from model_zoo.report import DecodeFacts, Report, Run, SoundFacts
from model_zoo.values import Listener, Watcher
from serve.attempt import Attempt, kept
from serve.decode.hearing import WantedSound, hear
from serve.decode.reading import Wanted, read
from serve.gallery import find_gallery
from serve.media import Media, open_media
from serve.models import load_models
from serve.policy import decide, find_policy
from serve.settings import Settings
from serve.summarize import summarize
from serve.timing import Stages
from serve.version import VERSION

ROWS_WITHOUT_MODEL = 64  # small frames, or short windows, that are used without a network
MOST_BATCH_PIXELS = 8_000_000  # of frames: large views come in fewer rows, as several batches wait at once
MOST_BATCH_SECONDS = 60.0  # of sound: 4 MB at 16 kHz, and some batches wait for their listener

# seconds of the media done, its duration where known, frames analyzed so far
OnProgress = Callable[[float, float | None, int], None]


def ignore_progress(seconds: float, total_seconds: float | None, frames: int) -> None:
    """Watch no progress."""


class Analyzer(AbstractContextManager["Analyzer"]):
    """Loaded models and the workers that run them; one for the life of a process."""

    def __init__(self, settings: Settings) -> None:
        """Find, verify and load every model of the wanted domains; raises the errors of the zoo and the backends."""
        self.settings = settings
        self.domains = tuple(by_name(name) for name in settings.domains) or DOMAINS
        self._policy = find_policy(settings)
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="infer")
        self._models = load_models(self.domains, settings, self._executor)
        self._options = Options(settings.biometrics, find_gallery(settings, self._models))

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
            parts = summarize(attempts, media, decode, sound, self.settings, self._options)
        errors = [attempt.error for attempt in attempts if attempt.error]
        report = Report(
            reelwarden_version=VERSION,
            media=media.facts,
            decode=decode,
            sound=sound,
            domains=parts,
            complete=not (errors or decode.truncated or sound.truncated),
            errors=errors,
            run=Run(stage_seconds=stages.seconds(), wall_seconds=round(stages.wall_seconds(), 3)),
        )
        verdict = decide(report, self._policy) if self._policy else None
        return report.model_copy(update={"verdict": verdict})

    def _start(self, domain: Domain) -> Attempt:
        models = self._models[domain.name]
        attempt = Attempt(domain, models)
        with kept(attempt):
            loaded = {role: ready.loaded() for role, ready in models.items()}
            asked = domain.start(Start(loaded, self.settings.interval_seconds, self._options))
            attempt.watchers = tuple(item for item in asked if isinstance(item, Watcher))
            attempt.listeners = tuple(item for item in asked if isinstance(item, Listener))
            attempt.predictions = {item.role: [] for item in asked}
        return attempt

    def _watch(self, media: Media, attempts: Sequence[Attempt], stages: Stages, on_progress: OnProgress) -> DecodeFacts:
        """Decode once and hand every watcher its frames."""
        places = [(attempt, watcher) for attempt in attempts for watcher in attempt.watchers]
        wanted = [
            Wanted(watcher.view, watcher.interval_seconds, self._frame_rows(attempt, watcher))
            for attempt, watcher in places
        ]
        frames_done = 0
        with read(media, wanted, backend=self.settings.decoder, threads=self.settings.threads) as reading:
            for index, frames in stages.waiting("decode_wait", reading):
                attempt, watcher = places[index]
                if attempt.error:
                    continue
                with stages(f"predict:{attempt.domain.name}.{watcher.role}"), kept(attempt):
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
                with stages(f"hear:{attempt.domain.name}.{listener.role}"), kept(attempt):
                    attempt.predictions[listener.role].extend(listener.hear(windows))
                if media.facts.video is None:
                    on_progress(float(windows.seconds[-1]), media.facts.duration_seconds, 0)
        return hearing.facts

    def _frame_rows(self, attempt: Attempt, watcher: Watcher) -> int:
        rows = self._batch_rows(attempt, watcher.role)
        return max(1, min(rows, MOST_BATCH_PIXELS // (watcher.view.width * watcher.view.height)))

    def _batch_rows(self, attempt: Attempt, role: str) -> int:
        ready = attempt.models.get(role)
        return ready.spec.batch.best * self.settings.threads if ready else ROWS_WITHOUT_MODEL
