"""The test media by what they hold, so that every measurement of quality looks at the same ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OWN_MEDIA = ROOT / "tests" / "media"
RICH_MEDIA = ROOT / os.environ.get("REELWARDEN_TEST_MEDIA", "../shared/media")


def own_truth() -> dict[str, Any]:
    """Return what is known of the project's own media."""
    return _truth(OWN_MEDIA)


def rich_truth() -> dict[str, Any]:
    """Return what is known of the richer media."""
    return _truth(RICH_MEDIA)


def videos() -> list[Path]:
    """Return videos of ordinary life: no nudity, no weapon fired, no scream."""
    rich = RICH_MEDIA / "video"
    return [OWN_MEDIA / "demo.mp4", *sorted(path for path in rich.iterdir() if path.suffix in {".mp4", ".mkv", ".mpg"})]


def pictures() -> list[Path]:
    """Return photographs of ordinary life."""
    folders = OWN_MEDIA / "images", RICH_MEDIA / "images", RICH_MEDIA / "faces"
    return [path for folder in folders for path in sorted(folder.iterdir())]


def recordings() -> list[Path]:
    """Return recordings of speech."""
    return sorted((RICH_MEDIA / "speech").iterdir())


def sound_events() -> list[Path]:
    """Return recordings of one sound each."""
    return sorted((RICH_MEDIA / "audio_events").iterdir())


def _truth(folder: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((folder / "ground_truth.json").read_text("utf-8"))
    return truth
