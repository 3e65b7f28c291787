"""Where uploads and downloads lie while they are looked at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from model_zoo.errors import UsageError


def temporary_folder() -> Path:
    """Return TMPDIR, or the first usual place that can be written to; raises UsageError, with the fix, without one."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise UsageError(
            f"no folder for temporary files can be written to by uid {os.geteuid()}: mount one at /tmp "
            "(`docker run --tmpfs /tmp`; emptyDir in Kubernetes), or set TMPDIR to one"
        ) from error
