"""Decode the sound of a file with PyAV: one pass over one stream, mono, at every rate that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Discard

from model_zoo.report import AudioFacts
from model_zoo.values import Samples, Sound
from serve.decode.mix import Mixer
from serve.limits import check_duration
from serve.media import Media
from serve.stamp import reopen

MOST_JITTER_SECONDS = 0.1  # containers round times, writers guess them; what is lost for good adds up to this
MOST_OVERLAP_SECONDS = 1.0  # times that go back further than this were put together from two clocks
_FULL_SCALE = 2.0**31


@dataclass(slots=True)
class SoundLog:
    """What happened while decoding; written by the decoder's thread, read when it is over."""

    packets: int = 0
    frames: int = 0
    heard_seconds: float = 0.0  # end of the last sound
    filled_seconds: float = 0.0
    lifted_seconds: float = 0.0  # to which the loudest channel was added
    damaged_packets: int = 0
    last_damage: str = ""
    broke_off: str | None = None
    went_back: str | None = None


def sounds(media: Media, rates: Sequence[int], log: SoundLog) -> Iterator[tuple[int, Sound]]:
    """Yield (index into `rates`, stretch of sound): for every rate one line of samples from second 0 on, without gaps.

    The times of the stream decide: where it has no sound there is silence, what lies before second 0 or twice at one
    time is dropped. Times that are off by less than MOST_JITTER_SECONDS change nothing. Damaged packets are passed over
    and counted; sound that cannot be converted ends there. Raises MediaLimitError where the sound is too long.
    """
    audio = media.facts.audio
    if audio is None or not rates:
        return
    mixer = Mixer()
    try:
        yield from _lines(media, audio, rates, mixer, log)
    except av.error.FFmpegError as error:
        log.broke_off = f"the sound cannot be converted: {error.strerror or error}"
    log.lifted_seconds = mixer.lifted_seconds


def _lines(
    media: Media, audio: AudioFacts, rates: Sequence[int], mixer: Mixer, log: SoundLog
) -> Iterator[tuple[int, Sound]]:
    lines = [_Line(rate) for rate in rates]
    kind, end_seconds = None, 0.0
    for frame, told_seconds in _decoded(media, audio, log):
        seconds = end_seconds if told_seconds is None else told_seconds
        check_duration(media.facts.name, seconds, media.limits, "by the times of its sound")
        kind_before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
        jumps = kind_before is None or abs(seconds - end_seconds) > MOST_JITTER_SECONDS
        if jumps or kind != kind_before:
            yield from _added(lines, mixer.finish())
            due_seconds = seconds if jumps else end_seconds
            _note_jump(log, end_seconds, due_seconds)
            for index, line in enumerate(lines):
                for sound in line.go_to(due_seconds):
                    yield index, sound
            end_seconds = due_seconds
        yield from _added(lines, mixer.add(frame))
        end_seconds += frame.samples / frame.sample_rate
        log.frames += 1
        log.heard_seconds = max(log.heard_seconds, end_seconds)
    yield from _added(lines, mixer.finish())
    for index, line in enumerate(lines):
        for sound in line.finish():
            yield index, sound


def _added(lines: Sequence[_Line], frames: Iterator[AudioFrame]) -> Iterator[tuple[int, Sound]]:
    for frame in frames:
        for index, line in enumerate(lines):
            for sound in line.add(frame):
                yield index, sound


class _Line:
    """The sound of a file at one rate, as it comes out: how much is given so far, how much is to be dropped."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._given = 0
        self._drop = 0
        self._resampler: AudioResampler | None = None

    def go_to(self, seconds: float) -> Iterator[Sound]:
        """Give out what the resampler holds back, then silence up to a time; sound of earlier times will be dropped."""
        yield from self.finish()
        due = round(seconds * self._rate)
        while self._given < due:  # a second at a time: a file may claim hours of it
            yield self._sound(np.zeros(min(self._rate, due - self._given), np.float32))
        self._drop = self._given - due

    def add(self, frame: AudioFrame) -> Iterator[Sound]:
        """Give out what a frame of one channel adds."""
        if self._resampler is None:
            self._resampler = AudioResampler(format="s32", layout="mono", rate=self._rate)
        yield from self._resampled(frame)

    def finish(self) -> Iterator[Sound]:
        """Give out what the resampler holds back."""
        if self._resampler is not None:
            yield from self._resampled(None)
        self._resampler = None

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Sound]:
        assert self._resampler is not None  # noqa: S101 - narrows the type; both callers have one
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray()[0]  # (S,)
            dropped = min(self._drop, len(samples))
            self._drop -= dropped
            if dropped < len(samples):
                yield self._sound((samples[dropped:] / _FULL_SCALE).astype(np.float32))

    def _sound(self, samples: Samples) -> Sound:
        sound = Sound(samples, self._rate, self._given / self._rate)
        self._given += len(samples)
        return sound


def _note_jump(log: SoundLog, end_seconds: float, seconds: float) -> None:
    log.filled_seconds += max(0.0, seconds - end_seconds)
    if log.frames and seconds < end_seconds - MOST_OVERLAP_SECONDS and log.went_back is None:
        log.went_back = (
            f"the times of the sound go back from {end_seconds:.2f} s to {seconds:.2f} s, what overlaps was not heard"
        )


def _decoded(media: Media, audio: AudioFacts, log: SoundLog) -> Iterator[tuple[AudioFrame, float | None]]:
    """Yield the frames of the stream with their seconds, None where the stream does not tell them."""
    with reopen(media.path, media.limits, media.stamp) as container:
        stream = container.streams[audio.stream_index]
        assert isinstance(stream, AudioStream)  # noqa: S101 - narrows the type; open_media chose an audio stream
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        for packet in _packets(container.demux(stream), log):
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                log.damaged_packets += 1
                log.last_damage = error.strerror or str(error)
                continue
            for frame in frames:
                yield frame, None if frame.time is None else frame.time - media.start_seconds


def _packets(packets: Iterator[Packet[AudioStream]], log: SoundLog) -> Iterator[Packet[AudioStream] | None]:
    """Pass packets on; end with None, which makes the decoder give out what it holds back."""
    try:
        for packet in packets:
            if packet.size:
                log.packets += 1
                yield packet
    except av.error.FFmpegError as error:
        log.broke_off = error.strerror or str(error)
    yield None
