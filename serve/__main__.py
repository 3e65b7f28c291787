"""The entry of the command `reelwarden`: also `python -m serve`."""

import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> None:
    """Run the command line; an interruption is no crash, also while libraries are loaded."""
    try:
        from serve.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
