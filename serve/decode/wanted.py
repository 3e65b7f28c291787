"""What is asked of a decoder, and what it tells of its work."""

from __future__ import annotations

from dataclasses import dataclass

from model_zoo.values import View


@dataclass(frozen=True, slots=True)
class Wanted:
    """One stream of frames that somebody wants: how they look, how often they come, how many at a time.

    With an interval of 0 every frame is delivered. Otherwise sample k is the frame nearest to k intervals after the
    first frame of the video; a frame that is nearest to several of these times is delivered once. Batches that may
    stay `on_device` are left in the GPU's memory where that is where they were painted.
    """

    view: View
    interval_seconds: float
    batch: int
    on_device: bool = False


@dataclass(slots=True)
class DecodeLog:
    """What happened while decoding; written by the decoder's thread, read when it is over."""

    frames_decoded: int = 0
    frames_analyzed: int = 0
    last_good_seconds: float | None = None
    damaged_packets: int = 0
    last_damage: str = ""
    broke_off: str | None = None
    size_change: str | None = None  # the first one, in words
    fallback: str | None = None  # why and from when on the CPU decoded what the GPU should have

    def add(self, later: DecodeLog) -> None:
        """Add what happened in a part of the file that follows."""
        self.frames_decoded += later.frames_decoded
        self.frames_analyzed += later.frames_analyzed
        self.damaged_packets += later.damaged_packets
        self.last_damage = later.last_damage or self.last_damage
        self.broke_off = self.broke_off or later.broke_off
        self.size_change = self.size_change or later.size_change
        if later.last_good_seconds is not None:
            self.last_good_seconds = later.last_good_seconds
