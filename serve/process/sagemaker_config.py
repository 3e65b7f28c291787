"""What SageMaker lays into a Processing job: the hosts, and whether it splits the input among them itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from model_zoo.errors import UsageError


class _S3Input(BaseModel):
    local_path: str = Field("", alias="LocalPath")
    distribution: str | None = Field(None, alias="S3DataDistributionType")


class _Input(BaseModel):
    s3: _S3Input | None = Field(None, alias="S3Input")


class _Job(BaseModel):
    inputs: list[_Input] | None = Field(None, alias="ProcessingInputs")


class _Resources(BaseModel):
    current_host: str
    hosts: list[str] = Field(min_length=1)


Config = TypeVar("Config", _Job, _Resources)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of a Processing job, and which of them this is."""

    names: tuple[str, ...]  # sorted
    index: int
    split_already: bool  # ShardedByS3Key: every host was given files of its own
    given_nothing: bool = False  # there were more hosts than files


def read_hosts(folder: Path, input_place: str) -> Hosts | None:
    """Return the hosts, or None outside of a Processing job; raises UsageError for a file of another form."""
    resources = _read(folder / "resourceconfig.json", _Resources)
    if resources is None:
        return None
    names = tuple(sorted(resources.hosts))
    if resources.current_host not in names:
        raise UsageError(f"{folder}/resourceconfig.json: current_host is none of hosts")
    job = _read(folder / "processingjobconfig.json", _Job)
    source = _source(job, input_place) if job else None
    split = source is not None and source.distribution == "ShardedByS3Key"
    given_nothing = split and source is not None and not _has_files(Path(source.local_path))
    return Hosts(names, names.index(resources.current_host), split, given_nothing)


def _source(job: _Job, place: str) -> _S3Input | None:
    """Return the input of the Processing job that fills a place."""
    inputs = [item.s3 for item in job.inputs or () if item.s3 and item.s3.local_path]
    holding = [item for item in inputs if Path(place).is_relative_to(item.local_path)]
    return max(holding, key=lambda item: len(Path(item.local_path).parts), default=None)


def _has_files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))


def _read(path: Path, kind: type[Config]) -> Config | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}") from error
