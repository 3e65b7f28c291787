"""Make the benchmark clips with ffmpeg, once, in a temporary folder that outlives the process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "reelwarden-bench-clips"
DEMO = Path(__file__).resolve().parent.parent / "tests" / "media" / "demo.mp4"


def real_clip(seconds: int, height: int = 1080, gop: int = 250) -> Path:
    """Return the demo reel looped and scaled to `height`, H.264 High with 2 B-frames and a key frame every `gop`."""
    path = FOLDER / f"real_{height}p_{seconds}s_gop{gop}.mp4"
    scale = f"scale=-2:{height}:flags=bicubic,noise=alls=6:allf=t,format=yuv420p"
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-bf", "2", "-g", str(gop), "-sc_threshold", "0"]
    return _made(
        path, ["-stream_loop", "-1", "-i", str(DEMO), "-t", str(seconds), "-vf", scale, *encode, "-c:a", "aac"]
    )


def looped(clip: Path, times: int) -> Path:
    """Return `clip` repeated without encoding it again."""
    path = clip.with_name(f"{clip.stem}_x{times}.mp4")
    return _made(path, ["-stream_loop", str(times - 1), "-i", str(clip), "-c", "copy"])


def _made(path: Path, words: list[str]) -> Path:
    if not path.exists():
        if shutil.which("ffmpeg") is None:
            sys.exit("the benchmarks make their clips with ffmpeg: install it (apt-get install ffmpeg)")
        FOLDER.mkdir(exist_ok=True)
        scrap = path.with_name(f"scrap_{path.name}")
        subprocess.run(["ffmpeg", "-v", "error", "-y", *words, str(scrap)], check=True)
        scrap.rename(path)
    return path
