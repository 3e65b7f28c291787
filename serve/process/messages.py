"""What the job and its worker say to each other: values that travel through a pipe."""

from __future__ import annotations

from dataclasses import dataclass

from serve.fetching import FetchRules
from serve.process.names import Item
from serve.process.settings import JobSettings
from serve.process.summary import Entry
from serve.settings import Settings

DEVICE_LOST = 70  # exit code of a worker; a new one may find the device again


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs to know."""

    settings: Settings
    job: JobSettings
    rules: FetchRules
    tag: str  # in the names of half-written files
    scratch: str  # folder for downloads, which the job removes whatever becomes of the worker


@dataclass(frozen=True, slots=True)
class Order:
    """Do this input."""

    item: Item
    before: tuple[Entry, ...]  # what earlier runs say of it


@dataclass(frozen=True, slots=True)
class Halt:
    """Begin nothing more; what has begun goes on, or is given up at once."""

    at_once: bool


@dataclass(frozen=True, slots=True)
class Loads:
    """Models are being loaded from now on."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Models are there."""


@dataclass(frozen=True, slots=True)
class Began:
    """The bytes of an input are here, and there is memory for it: from now on it must make progress."""

    name: str


@dataclass(frozen=True, slots=True)
class Alive:
    """An input makes progress."""

    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An input is over, well or not."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Broken:
    """No input can be analyzed: a setting, weights or a device are wrong."""

    exit_code: int
    message: str


Event = Loads | Loaded | Began | Alive | Ended | Broken
