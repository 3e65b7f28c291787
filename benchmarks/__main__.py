"""Run the benchmarks that are named, or all, one after another: `python -m benchmarks sampling memory`."""

from __future__ import annotations

import argparse
from importlib import import_module

NAMES = ("decode", "sampling", "backend", "moderation", "transcription", "all_domains", "memory", "serve")


def main() -> None:
    """Run them in the order that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    asked = parser.parse_args().names or NAMES
    if unknown := sorted({*asked} - {*NAMES}):
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in asked:
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
