"""Does a long file need more memory than a short one? Peak resident memory of analyzing 1 minute and 1 hour of 1080p.

Each analysis is a process of its own; the hour is the minute looped without re-encoding. The shots domain looks at
every frame, so with it the hour decodes 90,000 frames.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.clips import looped, real_clip
from benchmarks.harness import write

MIB = 1024


def peak_mib(clip: Path, domains: str) -> float:
    """Return the peak resident memory of one analysis, in MiB."""
    command = [sys.executable, "-m", "benchmarks.memory", str(clip), domains]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def analyze(clip: Path, domains: str) -> None:
    """Analyze in this process and print its peak."""
    from serve.pipeline import Analyzer
    from serve.settings import load_settings

    with Analyzer(load_settings(domains=domains)) as analyzer:
        analyzer.analyze(clip)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB)


def main() -> None:
    """Compare a minute with an hour."""
    minute = real_clip(60)
    hour = looped(minute, 60)
    rows = {}
    for domains in ("labels,shots",):
        short, long = peak_mib(minute, domains), peak_mib(hour, domains)
        rows[domains] = {"minute_mib": round(short), "hour_mib": round(long), "ratio": round(long / short, 3)}
        print(domains, rows[domains])
    write("memory", __doc__ or "", {}, peak_resident=rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        analyze(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
