"""The settings: one frozen object, read once at the edge. An argument wins over `REELWARDEN_*`, that over a default."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model_zoo.errors import UsageError
from model_zoo.weights import WeightPlaces
from serve.cores import usable_threads
from serve.limits import Limits

if TYPE_CHECKING:
    from serve.fetching import FetchRules

LEAST_INTERVAL_SECONDS = 0.001  # finer than the frames of any media that is accepted: every frame
PICTURES_PER_CORE = 2  # one is decoded while another waits for its batch; more only take turns
FETCH_SECONDS = 600.0  # for a whole file


class Settings(BaseSettings):
    """Everything that can be set; field `interval_seconds` is `REELWARDEN_INTERVAL_SECONDS`, and so on.

    Lists are written with commas: `REELWARDEN_DOMAINS=moderation,shots`.
    """

    model_config = SettingsConfigDict(env_prefix="REELWARDEN_", env_ignore_empty=True, frozen=True, extra="ignore")

    domains: Annotated[tuple[str, ...], NoDecode] = Field((), description="domains to run; empty runs all of them")
    interval_seconds: float = Field(
        1.0,
        ge=LEAST_INTERVAL_SECONDS,
        le=3600,
        description="how often sampled domains look at the video, at least 0.001; no frame is looked at twice",
    )
    frame_detail: bool = Field(False, description="put every analyzed frame's scores and boxes into the report")

    policy: str = Field("default", description="who decides: default, a policy file of your own, or none")

    biometrics: bool = Field(True, description="compare faces and voices: group people, name those of the gallery")
    gallery: Path | None = Field(
        None, description="people to be named: a folder of NAME/*.jpg, or a file of `reelwarden gallery build`"
    )

    language: str = Field(
        "", pattern=r"^([a-z]{2,3})?$", description="what is spoken, ISO 639-1, such as en; empty finds it out"
    )
    beam_size: int = Field(
        2, ge=1, le=10, description="readings of the speech that are weighed at once; more takes longer"
    )
    speakers: bool = Field(True, description="tell the voices of a file apart; not without `biometrics`")

    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="models for roles, as DOMAIN.ROLE=NAME; fills optional roles and replaces defaults"
    )
    manifests: Annotated[tuple[Path, ...], NoDecode] = Field((), description="models.toml files of your own")
    licences: str = Field("permissive", description="permissive, any, or SPDX ids separated by commas")
    model_dir: Path = Field(Path("/opt/ml/model"), description="weights laid here are used first; never written to")
    shipped_weights: Path | None = Field(
        None,
        description="a folder of weights that came with the program, as in images; looked at next, never written to",
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("reelwarden"), description="where fetched weights are kept"
    )
    offline: bool = Field(False, description="never fetch anything")

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="where models run; cuda refuses to start where one would have to run on the CPU, but for those "
        "that their manifest calls `small`",
    )
    gpu_memory_share: float = Field(
        0.7, gt=0, le=1, description="of a GPU's memory that all models together may hold; the rest is for decoding"
    )
    tensorrt: Literal["off", "auto", "provider", "plan"] = Field(
        "auto",
        description="how TensorRT is used on a GPU: off; plan, engines of our own, built at the start; provider, "
        "ONNX Runtime's; auto, engines that lie ready, else the provider, and neither where it is not installed",
    )
    precision: Literal["auto", "fp32", "fp16", "int8"] = Field(
        "auto",
        description="of the models, where `python -m export --keep` wrote it and its parity was shown; "
        "auto is fp16 on a GPU",
    )
    cuda_graphs: bool = Field(
        False,
        description="capture CUDA graphs of models whose shapes are fixed, while they load; not yet tried on a GPU",
    )
    backend: Literal["auto", "onnxruntime"] = Field("auto", description="what runs the models")
    decoder: Literal["auto", "cpu", "nvdec"] = Field(
        "auto", description="which decoder reads video; nvdec refuses to start where there is none"
    )
    threads: int = Field(
        default_factory=usable_threads,
        ge=1,
        le=256,
        description="CPU threads for inference and decoding; by default one for each core that the container may use",
    )

    max_bytes: int = Field(Limits().max_bytes, gt=0, description="largest accepted file")
    max_pixels: int = Field(Limits().max_pixels, gt=0, description="most pixels of one frame")
    max_side: int = Field(Limits().max_side, gt=0, description="longest accepted side of a frame, in pixels")
    max_duration_seconds: float = Field(Limits().max_duration_seconds, gt=0, description="longest accepted media")
    max_text_bytes: int = Field(Limits().max_text_bytes, gt=0, description="largest accepted file of text")
    max_texts: int = Field(Limits().max_texts, gt=0, description="most texts in one file")

    host: str = Field("0.0.0.0", description="address the server listens at")  # noqa: S104 - SageMaker wants all
    port: int = Field(8080, ge=1, le=65535, description="port of the server; SAGEMAKER_BIND_TO_PORT wins over it")
    max_body_bytes: int = Field(1_100_000_000, gt=0, description="largest body of a request")
    deadline_seconds: float | None = Field(
        None, gt=0, description="an answer is due after this; by default 60, and 3600 in Batch Transform"
    )
    drain_seconds: float = Field(20.0, ge=0, description="how long work may go on after SIGTERM until it is cut short")
    pictures_at_once: int = Field(
        default_factory=lambda: PICTURES_PER_CORE * usable_threads(),
        ge=1,
        le=1024,
        description="requests for pictures that are worked on at once; by default two for each core",
    )
    pictures_waiting: int = Field(32, ge=0, le=10_000, description="requests for pictures that may wait; more get 503")
    videos_at_once: int = Field(2, ge=1, le=64, description="requests for video and sound that are worked on at once")
    videos_waiting: int = Field(
        16, ge=0, le=10_000, description="requests for video and sound that may wait; more get 503"
    )

    fetch_from: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="places that media named by a request may be fetched from: https://HOST[:PORT], "
        "s3://BUCKET[/PREFIX] or /FOLDER; `*` stands for anything; empty forbids all",
    )
    fetch_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="networks that are not public and may be fetched from nevertheless, e.g. 10.1.0.0/16"
    )
    fetch_connect_seconds: float = Field(10.0, gt=0, description="how long connecting may take")
    fetch_read_seconds: float = Field(30.0, gt=0, description="how long a server may send nothing")
    fetch_total_seconds: float | None = Field(
        None,
        gt=0,
        description="how long fetching one media file may take; by default 600, and never longer than the deadline of "
        "a request, and 14,400 in batch jobs",
    )

    @field_validator("domains", "models", "manifests", "fetch_from", "fetch_networks", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        return split_at_commas(value)

    def weight_places(self) -> WeightPlaces:
        """Return where weights may lie."""
        return WeightPlaces(self.model_dir, self.cache, self.offline, self.shipped_weights)

    def limits(self) -> Limits:
        """Return what is accepted of media."""
        return Limits(
            max_bytes=self.max_bytes,
            max_pixels=self.max_pixels,
            max_side=self.max_side,
            max_duration_seconds=self.max_duration_seconds,
            max_text_bytes=self.max_text_bytes,
            max_texts=self.max_texts,
        )

    def fetch_rules(self, total_seconds: float = FETCH_SECONDS) -> FetchRules:
        """Return where media may be fetched from; raises UsageError for a place or network that is none.

        A file may take `total_seconds`, unless that was set.
        """
        from serve.fetching import fetch_rules  # an HTTP client, which a server that fetches nothing starts without
        from serve.fetching_time import Patience

        total_seconds = self.fetch_total_seconds or total_seconds
        patience = Patience(self.fetch_connect_seconds, self.fetch_read_seconds, total_seconds)
        return fetch_rules(self.fetch_from, self.fetch_networks, self.limits(), patience)

    def wanted_models(self) -> dict[tuple[str, str], str]:
        """Return (domain, role) -> model name of the `models` setting."""
        wanted = {}
        for item in self.models:
            place, _, name = item.partition("=")
            domain, _, role = place.partition(".")
            if not (domain and role and name):
                raise UsageError(f"models={item!r}: write DOMAIN.ROLE=NAME, e.g. moderation.body_parts=nudenet_320n")
            wanted[domain, role] = name
        return wanted


def split_at_commas(value: Any) -> Any:
    """Return the parts of a text, and anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def load_settings(**arguments: Any) -> Settings:
    """Read the settings; arguments that are None count as not given."""
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise settings_error(error, "REELWARDEN_", arguments) from error


def settings_error(error: ValidationError, prefix: str, options: Collection[str]) -> UsageError:
    """Return what to say of a setting that is wrong; `options` are those that the command has."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    option = f"--{name.replace('_', '-')} or " if name in options else ""
    return UsageError(f"setting {name}={first['input']!r}: {first['msg']}; set it by {option}{prefix}{name.upper()}")
