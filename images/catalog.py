"""The images there are, as their Dockerfiles say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_zoo.domains import DOMAINS

ROOT = Path(__file__).resolve().parent.parent
Flavor = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Image:
    """One image: what it serves, and which packages it needs for that."""

    name: str
    domains: tuple[str, ...]
    packages: str  # the SET of Dockerfile.base: vision, speech or all
    dockerfile: Path

    @property
    def repository(self) -> str:
        """Return its name at a registry."""
        return f"reelwarden-{self.name}"


def images() -> tuple[Image, ...]:
    """Return every image of the folders beside this file, by name."""
    return tuple(_read(path) for path in sorted((ROOT / "images").glob("*/Dockerfile")))


def _read(dockerfile: Path) -> Image:
    text = dockerfile.read_text("utf-8")
    packages = re.search(r"^ARG RUNTIME=reelwarden-runtime:(\w+)-cpu$", text, re.MULTILINE)
    domains = re.search(r"^ENV REELWARDEN_DOMAINS=(\S+)$", text, re.MULTILINE)
    if packages is None:
        raise ValueError(f"{dockerfile}: needs `ARG RUNTIME=reelwarden-runtime:SET-cpu`")
    served = tuple(domains[1].split(",")) if domains else tuple(domain.name for domain in DOMAINS)
    return Image(dockerfile.parent.name, served, packages[1], dockerfile)
