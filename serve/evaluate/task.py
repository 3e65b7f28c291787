"""What evaluating one kind of answer is, and what comes of it."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_zoo.errors import UsageError
from model_zoo.report import DomainPart
from serve.containers import MEDIA_SUFFIXES
from serve.pipeline import Analyzer
from serve.settings import Settings

ANSWER = ".txt"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    model: str  # the model it is said of, or the domain where no model is
    metric: str
    value: float
    dataset: str  # what it was measured on, in words


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of labelled folder."""

    folder: str  # its name
    domain: str  # what is evaluated
    measure: Callable[[Path, Settings], list[Figure]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A media file, and the right answers beside it."""

    media: Path
    answers: tuple[str, ...]  # several where more than one is right


def labelled_files(folder: Path) -> list[Labelled]:
    """Return the media of a folder with their answers: NAME.txt beside NAME.wav, and NAME.*.txt for others as right.

    Raises UsageError for a medium without an answer, and for a folder without media.
    """
    media = sorted(path for path in folder.iterdir() if path.suffix.lower() in MEDIA_SUFFIXES - {ANSWER})
    if not media:
        raise UsageError(f"{folder}: no media in it; see docs/evaluate.md")
    own = {path.with_suffix(ANSWER) for path in media}  # `talk.2.txt` is that of talk.2.wav, and no other of talk.wav
    found = []
    for path in media:
        others = set(folder.glob(f"{glob.escape(path.stem)}.*.txt")) - own
        files = [path.with_suffix(ANSWER), *sorted(others)]
        texts = tuple(text_of(file) for file in files if file.is_file())
        if not texts:
            raise UsageError(f"{path}: no right answer beside it; write {files[0].name}, see docs/evaluate.md")
        found.append(Labelled(path, texts))
    return found


def text_of(path: Path) -> str:
    """Return the text of a file; raises UsageError where it is none."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: `1 picture`, `2 pictures`, `2 boxes`."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def settings_of(domain: str, settings: Settings) -> Settings:
    """Return the settings for one domain, that keep what the models said of every frame."""
    models = tuple(item for item in settings.models if item.startswith(f"{domain}."))
    return settings.model_copy(
        update={"domains": (domain,), "models": models, "gallery": None, "frame_detail": True, "policy": "none"}
    )


def analyzer_of(domain: str, settings: Settings) -> Analyzer:
    """Return an analyzer of one domain."""
    return Analyzer(settings_of(domain, settings))


def part_of(analyzer: Analyzer, media: Path, domain: str) -> DomainPart:
    """Return what a domain says of a medium; raises UsageError where it failed."""
    report = analyzer.analyze(media)
    if domain not in report.domains:
        why = "; ".join(error.message for error in report.errors)
        raise UsageError(f"{media}: the domain {domain} failed: {why}")
    return report.domains[domain]


def model_in(parts: Sequence[DomainPart], role: str, domain: str) -> str:
    """Return the name of the model that filled a role, or the domain's."""
    return next((model.name for part in parts for model in part.models if model.role == role), domain)
