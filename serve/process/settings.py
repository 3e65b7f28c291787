"""What can be set of a batch job, beside the settings of every analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from serve.settings import settings_error, split_at_commas

PREFIX = "REELWARDEN_PROCESS_"


class JobSettings(BaseSettings):
    """Field `max_failures` is `--max-failures` and `REELWARDEN_PROCESS_MAX_FAILURES`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    input: str = Field(
        "/opt/ml/processing/input", description="a folder, a file, a manifest, or an s3:// prefix of media"
    )
    output: str = Field("/opt/ml/processing/output", description="a folder or an s3:// prefix for the answers")
    match: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="which paths below the input are taken, e.g. `*.bin`; by default what ends like media"
    )
    format: Annotated[tuple[str, ...], NoDecode] = Field((), description="further forms of the report: docs/formats.md")
    review: bool = Field(False, description="also write the page on which a person decides")
    summary: Path | None = Field(None, description="a file that gets the last line of standard output, too")
    again: bool = Field(False, description="do what is finished already once more")

    shard_index: int | None = Field(None, ge=0, description="which share of the inputs is done here, counted from 0")
    shard_count: int | None = Field(None, ge=1, description="in how many shares the inputs are split")

    max_failures: int | None = Field(
        None, ge=0, description="so many inputs may fail and the job ends well; with one more it ends at once"
    )
    allow_partial: bool = Field(False, description="the job ends well when at least one input could be analyzed")

    in_flight: int = Field(2, ge=1, le=64, description="how many inputs are worked on at once, memory permitting")
    memory_bytes: int | None = Field(
        None, gt=0, description="memory for the inputs that are worked on; by default half of what the job may use"
    )
    stall_seconds: float = Field(
        600.0, gt=0, description="an input that makes no progress for so long has hung: it fails, the others go on"
    )
    load_seconds: float = Field(
        1800.0, gt=0, description="the job ends with 3 when models are not loaded, or fetched and built, after so long"
    )
    grace_seconds: float = Field(
        20.0, ge=0, description="how long inputs may go on after SIGTERM or SIGINT before they are given up"
    )
    config_dir: Path = Field(Path("/opt/ml/config"), description="where SageMaker says what the Processing job is")
    message: Path = Field(
        Path("/opt/ml/output/message"), description="where SageMaker reads why a job failed; unused without /opt/ml"
    )

    @field_validator("match", "format", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        return split_at_commas(value)


def load_job_settings(**arguments: Any) -> JobSettings:
    """Read the settings; arguments that are None count as not given."""
    try:
        return JobSettings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        raise settings_error(error, PREFIX, arguments) from error
