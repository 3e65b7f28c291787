"""One thing that was looked at: how it is, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# works: can be used; absent: not here, and nothing needs it; hinders: slower or less than could be; fails: will not run
Status = Literal["works", "absent", "hinders", "fails"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one thing."""

    name: str
    status: Status
    says: str  # one line, with the values
    fix: str = ""  # what to do; empty where there is nothing to mend


@dataclass(frozen=True, slots=True)
class Place:
    """Where the probes look; a test gives another root and another environment."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)
    loads: Callable[[str], str | None] | None = None  # library -> why it cannot be loaded, None where it can


def gigabytes(size: float) -> str:
    """Return a size for people."""
    return f"{size / 1e9:.1f} GB"
