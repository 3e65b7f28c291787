"""The entry of the command `reelwarden`: also `python -m serve`."""

import signal
import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line; an interruption is no crash, also while libraries are loaded."""
    interruptions: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        sys.exit(_run(sys.argv[1:]))
    except (KeyboardInterrupt, Exception):
        if not interruptions:  # a native library turns an interruption of its loading into another exception
            raise
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


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

    others()
    return 0


if __name__ == "__main__":
    main()
