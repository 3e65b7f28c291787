"""Go on with the CPU, from the last good time, where the GPU fails in the middle of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_zoo.values import Frames
from serve.decode import cpu, nvdec
from serve.decode.nvdec import Nvdec
from serve.decode.wanted import DecodeLog, Wanted
from serve.media import Media
from serve.sampling import Plan


def frames(
    media: Media, wanted: Sequence[Wanted], plan: Plan, log: DecodeLog, threads: int, found: Nvdec
) -> Iterator[tuple[int, Frames]]:
    """Yield the batches of the GPU's decoder and, whatever goes wrong with it, those that are left from the CPU's.

    No frame is given twice or left out. Raises what the CPU's decoder raises.
    """
    given: list[float | None] = [None] * len(wanted)
    try:
        for asker, batch in nvdec.frames(media, wanted, plan, log, found):
            given[asker] = float(batch.seconds[-1])
            yield asker, batch
    except Exception as error:  # noqa: BLE001 - a decoder may fail in any way; said in the log, and so in the report
        log.fallback = _said(error, given)
        log.broke_off = None
    else:
        return
    left = plan.after([None if seconds is None else _ticks(media, plan, seconds) for seconds in given])
    yield from cpu.frames(media, wanted, left, log, threads)


def _ticks(media: Media, plan: Plan, seconds: float) -> int:
    return round((seconds + media.start_seconds) / plan.tick_seconds)


def _said(error: Exception, given: Sequence[float | None]) -> str:
    """Say in one line what went wrong, and from when on the CPU decodes."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    good = [seconds for seconds in given if seconds is not None]
    since = f"from {max(good):.2f} s on" if good else "from the beginning"
    return f"decoded on the CPU {since}, as the GPU could not: {first}"
