"""Hear a media file: decode its sound ahead of the reader, cut it into windows, say afterwards how it went."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType

from model_zoo.errors import CorruptMediaError
from model_zoo.report import SoundFacts
from model_zoo.values import SoundWindows
from serve.decode.ahead import ahead as run_ahead
from serve.decode.sound import SoundLog, sounds
from serve.decode.windows import Cutter, WantedSound
from serve.media import Media

__all__ = ["Hearing", "WantedSound", "hear"]

MOST_DAMAGED_SHARE = 0.1  # of the packets; fewer are bridged with silence
_GUESSED_DURATIONS = frozenset({"aac", "ac3", "mp3"})  # worked out from the bit rate, not written in the file


class Hearing:
    """The windows of one media file: enter it, iterate over (index into `wanted`, SoundWindows), then ask for `facts`.

    The sound is decoded once for all that is wanted, and resampled once for each rate.
    """

    def __init__(self, media: Media, wanted: Sequence[WantedSound], ahead: int) -> None:
        self._media, self._wanted, self._ahead = media, tuple(wanted), ahead
        self._rates = sorted({item.sample_rate for item in self._wanted})
        self._log = SoundLog()
        self._stack = ExitStack()

    def __enter__(self) -> Hearing:
        self._batches = self._stack.enter_context(run_ahead(self._windows(), self._ahead))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[tuple[int, SoundWindows]]:
        return self._batches

    def _windows(self) -> Generator[tuple[int, SoundWindows], None, None]:
        cutters = [Cutter(item) for item in self._wanted]
        for rate_index, sound in sounds(self._media, self._rates, self._log):
            for index, item in enumerate(self._wanted):
                if item.sample_rate == self._rates[rate_index]:
                    for windows in cutters[index].add(sound):
                        yield index, windows
        if self._rates and self._media.facts.kind == "audio" and not self._log.frames:
            raise CorruptMediaError(
                f"{self._media.facts.name}: {_nothing_decoded(self._log)}; upload the file again or repair it"
            )
        for index, cutter in enumerate(cutters):
            for windows in cutter.finish():
                yield index, windows

    @property
    def facts(self) -> SoundFacts:
        """How the sound was obtained; complete once the iteration is over."""
        audio, log = self._media.facts.audio, self._log
        if audio is None or not self._rates:
            reason = "there is no sound in it" if audio is None else "no sound was asked for"
            return SoundFacts(reason=reason, sample_rates=[], heard_seconds=0.0)
        broke_off = self._broke_off()
        mixed = "mono" if audio.channels == 1 else f"its {audio.channels} channels mixed to one"
        if log.lifted_seconds:
            mixed += f"; in {log.lifted_seconds:.2f} s the mix lost most of its loudest channel, which was added to it"
        return SoundFacts(
            reason=f"stream #{audio.stream_index}, {mixed}",
            sample_rates=self._rates,
            heard_seconds=round(log.heard_seconds, 6),
            filled_seconds=round(log.filled_seconds, 6),
            truncated=broke_off is not None,
            truncated_reason=broke_off,
        )

    def _broke_off(self) -> str | None:
        """Say why less was heard than the file promised, None where all was."""
        audio, log = self._media.facts.audio, self._log
        if not log.frames:
            return _nothing_decoded(log)
        if log.broke_off or log.went_back:
            return log.broke_off or log.went_back
        if log.damaged_packets > MOST_DAMAGED_SHARE * log.packets:
            return f"{log.damaged_packets:,} of {log.packets:,} packets could not be decoded: {log.last_damage}"
        facts = self._media.facts
        promised = audio.duration_seconds if audio else None
        if promised is None and facts.kind == "audio":
            promised = facts.duration_seconds
        if promised is None or facts.container in _GUESSED_DURATIONS:
            return None
        if log.heard_seconds < promised - max(1.0, 0.05 * promised):
            return f"the sound ends at {log.heard_seconds:.2f} s of the {promised:.2f} s in its header"
        return None


def hear(media: Media, wanted: Sequence[WantedSound], ahead: int = 4) -> Hearing:
    """Prepare one decode of the sound of a media file that serves all of `wanted`; without sound it has no windows.

    At most `ahead` batches wait for the reader. Iterating raises MediaLimitError where the sound is too long, and
    CorruptMediaError where a file of sound alone gives none.
    """
    return Hearing(media, wanted, ahead)


def _nothing_decoded(log: SoundLog) -> str:
    return f"not one sound could be decoded: {log.last_damage or log.broke_off or 'the stream is empty'}"
