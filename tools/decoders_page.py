"""Write docs/decoders.md: which decoder is chosen for each clip of the optional test media, on each kind of GPU."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from model_zoo.errors import MediaError
from serve.decode.choose import Choice, choose
from serve.decode.engines import engine_count
from serve.decode.index import read_index
from serve.decode.nvdec import Nvdec
from serve.decode.paint import GpuPainter
from serve.decode.sessions import Sessions
from serve.devices import Gpu
from serve.limits import Limits
from serve.media import Media, open_media
from serve.sampling import Plan, make_plan

ROOT = Path(__file__).resolve().parent.parent
MEDIA = Path(os.environ.get("REELWARDEN_TEST_MEDIA", ROOT.parent / "shared" / "media"))
PAGE = ROOT / "docs" / "decoders.md"
HOUR_SECONDS = 3600.0
THREADS = 4  # of a g4dn.xlarge and a g5.xlarge
GPUS = [  # the name as drivers say it, and the compute capability
    Gpu(name, sm, 16 << 30, 12_080)
    for name, sm in (("Tesla T4", 75), ("NVIDIA A10G", 86), ("NVIDIA L4", 89), ("NVIDIA H100 80GB HBM3", 90))
]

HEAD = """# Which decoder a file goes to

Written by `make docs` from `serve/decode/choose.py` and the clips of the optional test media. The first columns say
which GPUs' engines take a clip (`REELWARDEN_DECODER=nvdec`); the others what `auto` decides on an A10G with {threads}
CPU threads, for the clip and for an hour of the same, with every frame wanted and with one a second; in brackets the
frames that must be decoded. Nothing here was measured on a GPU: the reckoning takes NVIDIA's published rate of one
engine, what one core was measured to decode, and an assumed start ([gpu.md](gpu.md)).

| clip | video | {gpus} | the clip, every frame | one a second | an hour, every frame | one a second |
| --- | --- | {lines} | --- | --- | --- | --- |
"""
TAIL = """
Engines, each for one video at a time: {engines}. What the driver counts wins over this table.
"""


def page() -> str:
    """Return the page."""
    short = [gpu.name.removeprefix("NVIDIA ").removeprefix("Tesla ").split()[0] for gpu in GPUS]
    head = HEAD.format(threads=THREADS, gpus=" | ".join(short), lines=" | ".join("---" for _ in GPUS))
    engines = ", ".join(f"{name} {engine_count(gpu)}" for name, gpu in zip(short, GPUS, strict=True))
    clips = sorted(path for path in (MEDIA / "video").rglob("*") if path.suffix != ".json" and path.is_file())
    return head + "".join(map(_row, clips)) + TAIL.format(engines=engines)


def _row(path: Path) -> str:
    try:
        media = open_media(path, Limits())
    except MediaError as error:
        return _line(path.name, type(error).__name__, *["-"] * (len(GPUS) + 4))
    video = media.facts.video
    if video is None:
        return ""
    plans = [make_plan(read_index(media), [interval_seconds]) for interval_seconds in (0.0, 1.0)]
    taken = ["GPU" if _choice(media, plans[0], "nvdec", gpu).nvdec else "CPU" for gpu in GPUS]
    plans += [_longer(plan, HOUR_SECONDS / max(1.0, plan.end_seconds)) for plan in plans]
    auto = [_choice(media, plan, "auto", GPUS[1]) for plan in plans]
    decided = [
        f"{'GPU' if choice.nvdec else 'CPU'} ({int(plan.needed.sum()):,})"
        for choice, plan in zip(auto, plans, strict=True)
    ]
    about = f"{video.codec}, {video.pixel_format}, {video.coded_width}x{video.coded_height}"
    return _line(path.name, about, *taken, *decided)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _choice(media: Media, plan: Plan, decoder: str, gpu: Gpu) -> Choice:
    return choose(media, plan, decoder, THREADS, Nvdec(gpu, Sessions(ModuleType("unused"), GpuPainter)))


def _longer(plan: Plan, times: float) -> Plan:
    return replace(plan, needed=np.ones(round(plan.needed.sum() * times), bool))


def main() -> None:
    """Write the page, where the media are."""
    if MEDIA.is_dir():
        PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
