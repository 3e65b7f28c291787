"""Read the times and kinds of all packets of a video stream by demuxing alone; nothing is decoded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from model_zoo.errors import CorruptMediaError
from serve.decode.slices import SliceTests, slice_tests
from serve.limits import check_duration
from serve.media import Media
from serve.stamp import reopen

Flags = NDArray[np.bool_]
_NO_TIME = np.iinfo(np.int64).min
_KEY, _DISPOSABLE, _HIDDEN, _DAMAGED = 1, 2, 4, 8

MOST_RATE = 500  # frames a second; times that are closer for a whole crowd of frames are not believed
CROWD = 25  # frames
MOST_REORDER = 32  # places between the order of packets and of frames: H.264 and HEVC move a frame by 16 at most
MOST_PAIRS_SHARE = 0.01  # of the frames: so many may share a time with another, as rounding makes them do
GUESSED_RATES = (1.0, 60.0)  # frames a second that are taken from the header where the times are of no use
USUAL_RATE = 25.0


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """Every packet of one video stream, in decoding order (P packets); 9 bytes a packet while it is read."""

    ticks: NDArray[np.int64]  # (P,) presentation time in units of `tick_seconds`, by the container's clock
    key: Flags  # (P,) decoding can start here
    disposable: Flags  # (P,) no other frame refers to it
    shown: Flags  # (P,) not cut away by an edit list
    tick_seconds: float
    start_seconds: float  # the container's clock at second 0
    frame_seconds: float  # usual distance of two frames
    end_seconds: float  # of the last frame
    timed: bool  # the times of the packets can be used; else frames are taken to be `frame_seconds` apart
    broke_off: str | None  # why the file ends before its header says, or its times are of no use

    def seconds(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Turn ticks of the container's clock into seconds of the presentation."""
        return ticks.astype(np.float64) * self.tick_seconds - self.start_seconds


def read_index(media: Media) -> PacketIndex:
    """Demux the whole file once. Raises MediaLimitError where the packets outlast the limit, whatever the header says.

    Packets outlast it by their times, or by their number. Raises CorruptMediaError when not one packet can be read.
    """
    video = media.facts.video
    if video is None:
        raise ValueError(f"{media.facts.name}: has no video stream to index")
    ticks, flags = array("q"), bytearray()
    broke_off = None
    with reopen(media.path, media.limits, media.stamp) as container:
        stream = container.streams[video.stream_index]
        assert isinstance(stream, VideoStream)  # noqa: S101 - narrows the type; open_media chose a video stream
        tick_seconds = float(stream.time_base or 1 / av.time_base)
        most_ticks = int((media.limits.max_duration_seconds + media.start_seconds) / tick_seconds)
        most_packets = media.limits.max_duration_seconds * MOST_RATE
        codec = stream.codec_context
        tests = slice_tests(codec.codec.canonical_name, bytes(codec.extradata or b""))
        others_last = [0] * len(container.streams)
        try:
            for packet in container.demux():
                time = packet.pts
                if packet.stream_index != video.stream_index:
                    if time is not None and time > others_last[packet.stream_index]:
                        others_last[packet.stream_index] = time
                    continue
                if packet.size == 0:
                    continue
                ticks.append(_NO_TIME if time is None else time)
                flags.append(_flags(packet, tests))
                if time is not None and time > most_ticks:
                    seconds = time * tick_seconds - media.start_seconds
                    check_duration(media.facts.name, seconds, media.limits, "by the times of its packets")
                if len(ticks) > most_packets:
                    seconds, source = len(ticks) / MOST_RATE, f"at {MOST_RATE} frames a second"
                    check_duration(media.facts.name, seconds, media.limits, source)
        except av.error.FFmpegError as error:
            broke_off = error.strerror or str(error)
        others_end = max(
            float(last * (other.time_base or 0)) for last, other in zip(others_last, container.streams, strict=True)
        )
        promise = _Promise(stream.frames, (container.duration or 0) / av.time_base)
    if not ticks:
        raise CorruptMediaError(f"{media.facts.name}: no video packet could be read; upload the file again")
    return _assemble(
        media, np.array(ticks), np.frombuffer(flags, np.uint8), tick_seconds, promise, others_end, broke_off
    )


def _flags(packet: Packet[Stream], tests: SliceTests) -> int:
    data = memoryview(packet)
    key = packet.is_keyframe and tests.can_start(data)
    disposable = packet.is_disposable or (not packet.is_keyframe and tests.is_disposable(data))
    return _KEY * key | _DISPOSABLE * disposable | _HIDDEN * packet.is_discard | _DAMAGED * packet.is_corrupt


@dataclass(frozen=True, slots=True)
class _Promise:
    """What the header says of the file."""

    frames: int  # 0 where it does not say
    seconds: float


def _assemble(
    media: Media,
    ticks: NDArray[np.int64],
    flags: NDArray[np.uint8],
    tick_seconds: float,
    promise: _Promise,
    others_end: float,
    broke_off: str | None,
) -> PacketIndex:
    key = flags & _KEY != 0
    shown = (flags & _HIDDEN == 0) & _after_first_key(ticks, key)
    fault = _fault(ticks, shown, tick_seconds)
    guessed_seconds = _guessed_frame_seconds(media, tick_seconds)
    if fault is None:
        known = np.unique(ticks[shown])
        frame_seconds = float(np.median(np.diff(known))) * tick_seconds if len(known) > 1 else guessed_seconds
        clock_end = float(known[-1]) * tick_seconds + frame_seconds
    else:
        frame_seconds = guessed_seconds
        frames_seconds = int((flags & _HIDDEN == 0).sum()) * frame_seconds
        check_duration(media.facts.name, frames_seconds, media.limits, "by the number of its frames")
        clock_end = media.start_seconds + frames_seconds
        fault = f"the file's times are unusable: {fault}; its frames are taken to be {frame_seconds:.3g} s apart"
    return PacketIndex(
        ticks=ticks,
        key=key,
        disposable=flags & _DISPOSABLE != 0,
        shown=shown,
        tick_seconds=tick_seconds,
        start_seconds=media.start_seconds,
        frame_seconds=frame_seconds,
        end_seconds=clock_end - media.start_seconds,
        timed=fault is None,
        broke_off=fault
        or broke_off
        or _missing(promise, len(ticks), max(clock_end, others_end), last_is_cut=bool(flags[-1] & _DAMAGED)),
    )


def _fault(ticks: NDArray[np.int64], shown: Flags, tick_seconds: float) -> str | None:
    """Say why the times of the packets cannot be what a viewer sees, None where they can."""
    without = int((ticks == _NO_TIME).sum())
    if without or not shown.any():
        return f"{without:,} of {len(ticks):,} packets have none"
    order = np.argsort(ticks[shown], kind="stable")
    times = ticks[shown][order]  # (F,) ascending
    pairs = int((times[1:] == times[:-1]).sum())
    if (times[2:] == times[:-2]).any() or pairs > max(1, MOST_PAIRS_SHARE * len(times)):
        return f"{pairs:,} of {len(times):,} frames have the same as another"
    if int(np.abs(order - np.arange(len(order))).max()) > MOST_REORDER:
        return "they jump back"
    most_crowded = (CROWD - 1) / MOST_RATE + tick_seconds / 2
    if (np.asarray(times[CROWD - 1 :] - times[: 1 - CROWD]) * tick_seconds < most_crowded).any():
        return f"more than {MOST_RATE} frames a second"
    return None


def _guessed_frame_seconds(media: Media, tick_seconds: float) -> float:
    """Return the distance of two frames, in whole ticks, where only the header tells it, or nothing does."""
    rate = (media.facts.video.frame_rate if media.facts.video else None) or USUAL_RATE
    believed = rate if GUESSED_RATES[0] <= rate <= GUESSED_RATES[1] else USUAL_RATE
    return max(1, round(1 / (believed * tick_seconds))) * tick_seconds


def _after_first_key(ticks: NDArray[np.int64], key: Flags) -> Flags:
    """Mark the frames that can be decoded at all: neither stored nor shown before the first key frame."""
    if not key.any():
        return np.ones_like(key)
    first = int(key.argmax())
    decodable = np.arange(len(key)) >= first
    following = np.flatnonzero(key)[1:2]
    group = slice(first, int(following[0]) if len(following) else len(key))
    decodable[group] &= ticks[group] >= ticks[first]
    return decodable


def _missing(promise: _Promise, packets: int, clock_end: float, *, last_is_cut: bool) -> str | None:
    """Say what the header promised and the file does not hold."""
    if promise.frames > packets + max(2, promise.frames // 50):  # AVI counts frames that were never stored
        return f"the file holds {packets:,} of the {promise.frames:,} frames in its header"
    if clock_end < promise.seconds - max(1.0, 0.05 * promise.seconds):
        return f"the file ends at {clock_end:.2f} s of the {promise.seconds:.2f} s in its header"
    return "the last packet is cut off" if last_is_cut else None
