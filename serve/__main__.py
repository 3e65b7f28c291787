"""The entry of the command `reelwarden`: also `python -m serve`."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line; an interruption is no crash, also while libraries are loaded."""
    signal.signal(signal.SIGINT, _leave)  # a native library turns an exception while it is loaded into another one
    from serve.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def _leave(_signal_number: int, _frame: FrameType | None) -> None:
    """End the process at once: nothing was begun yet."""
    os.write(sys.stderr.fileno(), b"interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
