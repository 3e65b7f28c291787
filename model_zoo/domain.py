"""What a domain is: a value that says which models it needs, what it watches and hears, and what it makes of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from model_zoo.fits import Fits
from model_zoo.manifest import ModelSpec
from model_zoo.report import DomainPart
from model_zoo.values import GivenText, Listener, Model, Prediction, Watcher

if TYPE_CHECKING:
    from model_zoo.faces.gallery import Gallery


# told how far the work has come, it says whether it must end there; asked between batches, so it is quick
Stops = Callable[[str], bool]


def never_stops(_how_far: str) -> bool:
    """Let the work come to its end."""
    return False


@dataclass(frozen=True, slots=True)
class Options:
    """What a user wants of single domains; each reads its own."""

    biometrics: bool = True  # may faces, or voices, be compared with each other?
    gallery: Gallery | None = None  # people to be named
    speakers: bool = True  # are the voices of a file told apart?
    language: str = ""  # of the speech, ISO 639-1; empty finds it out
    beam_size: int = 2  # how many readings of the speech are weighed at once


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to run, and its manifest entry."""

    spec: ModelSpec
    model: Model
    folder: Path | None = None  # where its files lie; None where it has none, as in tests


@dataclass(frozen=True, slots=True)
class Start:
    """What a domain is given when an analysis of one media file begins."""

    models: Mapping[str, Loaded]  # by role
    interval_seconds: float  # how often sampled watchers should look
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a domain is given when the frames and the sound of one media file are over.

    A domain that works on text alone has neither: it runs its models when it is given this, and asks `stops` between
    their batches.
    """

    predictions: Mapping[str, Sequence[Prediction]]  # by the role of the watcher or listener, in time order
    models: Mapping[str, ModelSpec]  # by role
    interval_seconds: float
    duration_seconds: float  # what was analyzed: the end of the last frame
    width: int  # pixels of the upright source frame, 0 when there was none
    height: int
    parts: Mapping[str, DomainPart]  # parts of the domains named in `reads`, where they ran
    heard_seconds: float = 0.0  # the end of the sound that was heard, 0 when there was none
    options: Options = Options()
    loaded: Mapping[str, Loaded] = field(default_factory=dict)  # the same models, ready to run
    texts: tuple[GivenText, ...] = ()  # what was given as text
    stops: Stops = never_stops  # must the analysis end here?
    step_seconds: float = inf  # how far samples are apart where frames are missing; infinite where none is


def none_idle(_specs: Mapping[str, ModelSpec]) -> frozenset[str]:
    """Say that every chosen model is asked."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Domain:
    """One analysis domain: `start` opens it on one media file, `summarize` turns its predictions into a report part."""

    name: str
    title: str  # one line for people
    roles: Mapping[str, bool]  # role -> is it required? The manifest says which model fills it
    reads: tuple[str, ...]  # domains whose parts `summarize` looks at, when they ran too
    start: Callable[[Start], tuple[Watcher | Listener, ...]]
    summarize: Callable[[Summary], DomainPart]
    part: type[DomainPart]
    fits: Mapping[str, Fits] = field(default_factory=dict)  # role -> what fills it
    idle: Callable[[Mapping[str, ModelSpec]], frozenset[str]] = none_idle  # roles that the chosen models leave unasked
