"""Keep standard output for what commands say: libraries of native code print there, too, into the midst of reports."""

from __future__ import annotations

import os
import sys

_STDOUT, _STDERR = 1, 2


def keep_stdout() -> None:
    """Let `sys.stdout` alone write to standard output; what else is printed there goes to standard error.

    Where one of them is closed nothing changes.
    """
    try:
        sys.stdout.flush()
        own = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    except (AttributeError, OSError):
        return
    sys.stdout = open(own, "w", buffering=1, encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: PTH123, SIM115
