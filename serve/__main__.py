"""The entry of the command `reelwarden`: also `python -m serve`."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # 128 + SIGINT, as shells count
AGAIN_SECONDS = 0.02


def main() -> None:
    """Run the command line; an interruption is no crash, also while libraries are loaded."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    try:
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # a library that is half loaded cannot be ended in order


def _interrupt(_number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; not into an import, where native libraries would abort the process, but after it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    """Run one command; what must start within a second loads only what it needs."""
    command, rest = arguments[:1], arguments[1:]
    if command == ["healthcheck"]:
        from serve.healthcheck import main as healthcheck

        return healthcheck(rest)
    if command == ["serve"]:
        from serve.cli_serve import main as serve

        return serve(rest)
    from serve.cli import main as others
    from serve.stdout import keep_stdout

    keep_stdout()
    others()
    return 0


if __name__ == "__main__":
    main()
