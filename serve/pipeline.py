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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType

from model_zoo.domain import Domain, Options, Start
from model_zoo.domains import DOMAINS, by_name
from model_zoo.report import DecodeFacts, Report, ReportedError, Run, SoundFacts
from model_zoo.values import Frames, Listener, Prediction, Watcher
from serve.album import Album
from serve.asked import AS_SET, Asked, Stop, never_stop
from serve.attempt import Attempt, kept
from serve.decode.choose import check_setting
from serve.decode.hearing import WantedSound, hear
from serve.decode.reading import Wanted, read
from serve.gallery import find_gallery
from serve.in_flight import ON_CPU, ON_GPU, InFlight
from serve.media import Media, open_media
from serve.models import Wrap, check_language, load_models, unwrapped
from serve.policy import find_policy, verdict_of
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


@dataclass(slots=True)
class _Work:
    """One analysis under way."""

    media: Media
    attempts: Sequence[Attempt]
    stages: Stages
    on_progress: OnProgress
    stop: Stop
    decode_threads: int
    stopped: list[ReportedError] = field(default_factory=list)
    beside: Attempt | None = None  # sees the frames, too, and says nothing
    frames_seen: int = 0
    seen_seconds: float = 0.0

    def note(self, seen: _Seen) -> None:
        """Keep what was predicted for a batch, and tell of the progress."""
        seen.attempt.predictions[seen.role].extend(seen.predictions)
        self.frames_seen += seen.frames
        self.seen_seconds = max(self.seen_seconds, seen.last_seconds)
        self.on_progress(self.seen_seconds, self.media.facts.duration_seconds, self.frames_seen)

    def stops(self, how_far: str) -> bool:
        """Say whether the analysis must end here, and remember how far it came, and why."""
        reason = None if self.stopped else self.stop()
        if reason:
            self.stopped.append(ReportedError(type="Stopped", message=f"{how_far} only: {reason}"))
        return bool(self.stopped)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was predicted for a batch of frames."""

    attempt: Attempt
    role: str
    predictions: Sequence[Prediction]
    frames: int
    last_seconds: float


def _look(work: _Work, attempt: Attempt, watcher: Watcher, frames: Frames) -> _Seen:
    predictions: Sequence[Prediction] = ()
    if not attempt.error:
        with work.stages(f"predict:{attempt.domain.name}.{watcher.role}"), kept(attempt):
            predictions = watcher.predict(frames)
    return _Seen(attempt, watcher.role, predictions, len(frames), float(frames.seconds[-1]))


class Analyzer(AbstractContextManager["Analyzer"]):
    """Loaded models and the workers that run them; one for the life of a process."""

    def __init__(self, settings: Settings, wrap: Wrap = unwrapped) -> None:
        """Find, verify and load every model of the wanted domains; raises the errors of the zoo and the backends.

        `wrap` may put something in front of every model, such as what joins the rows of several requests.
        """
        self.settings = settings
        self.domains = tuple(by_name(name) for name in settings.domains) or DOMAINS
        check_setting(settings.decoder)
        self._policy = find_policy(settings)
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="infer")
        self._models = load_models(self.domains, settings, self._executor, wrap)
        check_language(settings.language, self._models)
        self._options = Options(
            settings.biometrics,
            find_gallery(settings, self._models),
            settings.speakers,
            settings.language,
            settings.beam_size,
        )
        self._start_once()

    def _start_once(self) -> None:
        """Open every domain once, so that what it cannot use is told now; raises its error."""
        for domain in self.domains:
            loaded = {role: ready.loaded() for role, ready in self._models[domain.name].items()}
            domain.start(Start(loaded, self.settings.interval_seconds, self._options))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the workers."""
        self._executor.shutdown(cancel_futures=True)

    def analyze(
        self,
        path: Path,
        on_progress: OnProgress = ignore_progress,
        asked: Asked = AS_SET,
        stop: Stop = never_stop,
        album: Album | None = None,
    ) -> Report:
        """Analyze one file; raises MediaError when nothing of it can be used, UsageError for a domain not loaded.

        A file that breaks off gives a report of what was seen, a domain that fails or an early end an entry in
        `errors`; in all cases `complete` is false. An `album` keeps pictures of the frames that are looked at. May be
        called by several threads.
        """
        stages, settings = Stages(), asked.settings(self.settings)
        domains = asked.chosen(self.domains)
        with stages("open"):
            media = open_media(path, settings.limits())
        attempts = [self._start(domain, settings) for domain in domains]
        work = _Work(media, attempts, stages, on_progress, stop, asked.decode_threads or settings.threads)
        if album and any(attempt.watchers for attempt in attempts):
            work.beside = album.attempt(media, settings.interval_seconds)
        decode = self._watch(work)
        sound = self._listen(work)
        with stages("summarize"):
            cut_short = bool(work.stopped)
            parts = summarize(attempts, media, decode, sound, settings, self._options, work.stops, cut_short=cut_short)
        errors = [attempt.error for attempt in attempts if attempt.error] + work.stopped
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
        policy = self._policy if asked.policy is None else find_policy(settings)
        return report.model_copy(update={"verdict": verdict_of(report, policy)})

    def _start(self, domain: Domain, settings: Settings) -> Attempt:
        models = self._models[domain.name]
        attempt = Attempt(domain, models)
        with kept(attempt):
            loaded = {role: ready.loaded() for role, ready in models.items()}
            asked = domain.start(Start(loaded, settings.interval_seconds, self._options))
            attempt.watchers = tuple(item for item in asked if isinstance(item, Watcher))
            attempt.listeners = tuple(item for item in asked if isinstance(item, Listener))
            attempt.predictions = {item.role: [] for item in asked}
        return attempt

    def _watch(self, work: _Work) -> DecodeFacts:
        """Decode once and hand every watcher its frames."""
        watching = [*work.attempts, *filter(None, [work.beside])]
        places = [(attempt, watcher) for attempt in watching for watcher in attempt.watchers]
        wanted = self._wanted(places)
        at_once = ON_GPU if any(attempt.on_gpu(watcher.role) for attempt, watcher in places) else ON_CPU
        with (
            InFlight[_Seen](at_once) as in_flight,
            read(work.media, wanted, backend=self.settings.decoder, threads=work.decode_threads) as reading,
        ):
            for index, frames in work.stages.waiting("decode_wait", reading):
                if work.stops(f"pictures analyzed up to {work.seen_seconds:.2f} s"):
                    break
                attempt, watcher = places[index]
                if attempt.error:
                    continue
                in_order = None if watcher.rows_only else index
                for seen in in_flight.begin(partial(_look, work, attempt, watcher, frames), in_order):
                    work.note(seen)
            for seen in in_flight.rest():
                work.note(seen)
        facts = reading.facts
        return facts.model_copy(update={"analyzed_seconds": work.seen_seconds}) if work.stopped else facts

    def watching(self) -> list[tuple[Wanted, Watcher]]:
        """Return the frames that all domains together ask for, and who looks at them."""
        attempts = [self._start(domain, self.settings) for domain in self.domains]
        places = [(attempt, watcher) for attempt in attempts for watcher in attempt.watchers]
        return list(zip(self._wanted(places), [watcher for _, watcher in places], strict=True))

    def _wanted(self, places: Sequence[tuple[Attempt, Watcher]]) -> list[Wanted]:
        return [
            Wanted(
                watcher.view,
                watcher.interval_seconds,
                self._frame_rows(attempt, watcher),
                on_device=watcher.rows_only and attempt.on_gpu(watcher.role),
            )
            for attempt, watcher in places
        ]

    def _listen(self, work: _Work) -> SoundFacts:
        """Decode the sound once and hand every listener its windows; the picture has been seen by then."""
        places = [(attempt, listener) for attempt in work.attempts for listener in attempt.listeners]
        wanted = [
            WantedSound(
                listener.sample_rate,
                listener.window_seconds,
                listener.hop_seconds,
                max(1, min(self._batch_rows(attempt, listener.role), int(MOST_BATCH_SECONDS / listener.hop_seconds))),
            )
            for attempt, listener in places
        ]
        media, stages = work.media, work.stages
        heard_seconds = 0.0
        hearing = hear(media, [] if work.stopped else wanted)
        if media.facts.audio is None or not places:
            return hearing.facts
        with hearing:
            for index, windows in stages.waiting("sound_wait", hearing):
                if work.stops(f"sound analyzed up to {heard_seconds:.2f} s"):
                    break
                attempt, listener = places[index]
                if attempt.error:
                    continue
                with stages(f"hear:{attempt.domain.name}.{listener.role}"), kept(attempt):
                    attempt.predictions[listener.role].extend(listener.hear(windows))
                heard_seconds = max(heard_seconds, float(windows.seconds[-1]) + listener.hop_seconds)
                if media.facts.video is None:
                    work.on_progress(heard_seconds, media.facts.duration_seconds, 0)
        for attempt, listener in places:
            if not attempt.error:
                with stages(f"hear:{attempt.domain.name}.{listener.role}"), kept(attempt):
                    attempt.predictions[listener.role].extend(listener.finish())
        facts = hearing.facts
        return facts.model_copy(update={"heard_seconds": heard_seconds}) if work.stopped else facts

    def _frame_rows(self, attempt: Attempt, watcher: Watcher) -> int:
        rows = self._batch_rows(attempt, watcher.role)
        return max(1, min(rows, MOST_BATCH_PIXELS // (watcher.view.width * watcher.view.height)))

    def _batch_rows(self, attempt: Attempt, role: str) -> int:
        ready = attempt.models.get(role)
        return ready.spec.batch.best * self.settings.threads if ready else ROWS_WITHOUT_MODEL
