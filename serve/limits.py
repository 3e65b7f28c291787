"""What is accepted of media, and the errors for what is not."""

from __future__ import annotations

from dataclasses import dataclass

from model_zoo.errors import MediaLimitError
from serve.shown import shown


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest media that is accepted. Checked on the header before anything is decoded, times also on packets."""

    max_bytes: int = 20_000_000_000
    max_pixels: int = 8192 * 4320
    max_side: int = 8192
    max_side_ratio: float = 50.0  # longer side over shorter: a 8192x2 strip would be scaled up to gigabytes
    max_duration_seconds: float = 14_400.0
    max_text_bytes: int = 20_000_000
    max_texts: int = 100_000


def check_bytes(name: str, size: int, limits: Limits) -> None:
    """Raise MediaLimitError for a file of too many bytes."""
    if size > limits.max_bytes:
        raise MediaLimitError(
            f"{shown(name)}: {size:,} bytes are over the limit of {limits.max_bytes:,}; "
            "cut the file, or raise max_bytes (REELWARDEN_MAX_BYTES)"
        )


def check_picture(name: str, width: int, height: int, limits: Limits) -> None:
    """Raise MediaLimitError for a picture with too long a side, too many pixels or too odd a shape."""
    if max(width, height) > limits.max_side:
        raise MediaLimitError(
            f"{shown(name)}: {width}x{height} pixels, a side is over the limit of {limits.max_side}; "
            "scale it down, or raise max_side (REELWARDEN_MAX_SIDE)"
        )
    if width * height > limits.max_pixels:
        raise MediaLimitError(
            f"{shown(name)}: {width}x{height} are {width * height:,} pixels, over the limit of {limits.max_pixels:,}; "
            "scale it down, or raise max_pixels (REELWARDEN_MAX_PIXELS)"
        )
    if min(width, height) > 0 and max(width, height) / min(width, height) > limits.max_side_ratio:
        raise MediaLimitError(
            f"{shown(name)}: {width}x{height} pixels, "
            f"a side over {limits.max_side_ratio:g} times the other; crop it first"
        )


def check_duration(name: str, seconds: float | None, limits: Limits, source: str) -> None:
    """Raise MediaLimitError for media that is too long; `source` says who claims the duration."""
    if seconds is not None and seconds > limits.max_duration_seconds:
        raise MediaLimitError(
            f"{shown(name)}: {seconds:,.1f} s long ({source}), over the limit of {limits.max_duration_seconds:,.1f} s; "
            "cut it, or raise max_duration_seconds (REELWARDEN_MAX_DURATION_SECONDS)"
        )
