"""What a request may ask for besides its media: in JSON, in the query, or in SageMaker's custom attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from model_zoo.errors import UsageError
from serve.asked import Asked
from serve.settings import LEAST_INTERVAL_SECONDS
from serve.web.refusals import UnreadableRequestError


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Options(BaseModel):
    """What one request may choose; what is left out is as the server is set."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    domains: Annotated[tuple[str, ...] | None, BeforeValidator(_split)] = Field(
        None, description="some of the server's domains; in a query or header with commas", examples=[["moderation"]]
    )
    interval_seconds: float | None = Field(
        None, ge=LEAST_INTERVAL_SECONDS, le=3600, description="how often to look at a video"
    )
    frame_detail: bool | None = Field(None, description="tell of every analyzed frame")

    policy: Literal["default", "none"] | None = Field(None, description="the project's policy, or no verdict")
    format: str | None = Field(None, max_length=100, description="an output form by name; wins over Accept")

    def asked(self) -> Asked:
        """Return what the analyzer is told."""
        return Asked(self.domains, self.interval_seconds, self.frame_detail, self.policy)


class OwnText(BaseModel):
    """A text in the body itself, and what the caller calls it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    text: str
    id: str | int | None = None


class Named(BaseModel):
    """One media file by its name, or texts, as the body of a JSON request or a line of JSON Lines."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    media: str | None = Field(
        None, min_length=1, max_length=8192, description="s3://, https://, or a path on the server"
    )
    text: str | None = Field(None, description="a text itself, instead of media")
    id: str | int | None = Field(None, description="what the caller calls that text; comes back as `item_id`")
    texts: tuple[str | OwnText, ...] | None = Field(None, description='several: texts, or {"text": ..., "id": ...}')
    options: Options = Options()

    @model_validator(mode="after")
    def _brings_one_thing(self) -> Self:
        brought = [name for name in ("media", "text", "texts") if getattr(self, name) is not None]
        if len(brought) != 1:
            raise ValueError(f"one of media, text and texts is needed, not {' and '.join(brought) or 'none'}")
        if self.id is not None and self.text is None:
            raise ValueError("an id belongs to a text")
        return self

    def given(self) -> tuple[OwnText, ...]:
        """Return the texts of the body."""
        if self.text is not None:
            return (OwnText(text=self.text, id=self.id),)
        return tuple(OwnText(text=text) if isinstance(text, str) else text for text in self.texts or ())


def options_of(query: Mapping[str, str], attributes: str | None) -> Options:
    """Read the query, or `name=value` pairs split by `;` in the custom attributes; raises UsageError.

    Attributes of other names are somebody else's and passed over; a query is ours, so its names must be known.
    """
    pairs = (pair.partition("=") for pair in (attributes or "").split(";"))
    given = {name.strip(): value.strip() for name, _, value in pairs if name.strip() in Options.model_fields}
    try:
        return Options.model_validate(given | dict(query))
    except ValidationError as error:
        raise UsageError(_first(error)) from error


def named_of(text: bytes) -> Named:
    """Read the JSON that names media or brings texts; raises UnreadableRequestError."""
    try:
        return Named.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableRequestError(
            f'{_first(error)}; write e.g. {{"media": "s3://bucket/clip.mp4", "options": {{"domains": ["moderation"]}}}}'
            ', {"text": "..."} or {"texts": ["...", "..."]}'
        ) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "the body"
    return f"{place}: {first['msg']}"
