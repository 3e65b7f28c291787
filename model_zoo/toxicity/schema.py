"""What the report says of toxic language, spoken, shown on the screen or given as text."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from model_zoo.document import ReportModel
from model_zoo.report import DomainPart, Segment
from model_zoo.verdict import Item, ItemId

# the keys of Amazon Transcribe's toxicity detection
Key = Literal["profanity", "hate_speech", "sexual", "insult", "violence_or_threat", "graphic", "harassment_or_abuse"]
KEYS: tuple[Key, ...] = get_args(Key)
OVERALL = "toxicity"  # the score of a text as a whole, and the label of its segments
LABELS: tuple[str, ...] = (*KEYS, OVERALL)
Origin = Literal["speech", "screen", "text"]  # transcription, on-screen text, text that was given as such


class Passage(ReportModel):
    """A place in a text, in characters, that says why the text counts as toxic."""

    start: int = Field(ge=0)
    end: int
    key: str


class RatedText(ReportModel):
    """One piece of text and how toxic it is; a key that no model covers is missing from `scores`, never zero."""

    origin: Origin
    text: str
    start_seconds: float
    end_seconds: float
    toxicity: float = Field(ge=0, le=1, description="overall")
    scores: dict[str, float] = Field(description="key -> 0..1, of the keys that are covered")
    passages: list[Passage] = Field(default_factory=list)
    item: Item = None
    item_id: ItemId = None
    language: str | None = Field(
        default=None,
        description="ISO 639-1: of speech as it was heard; of other text, what it plainly is in, or its script",
    )


class ToxicitySegment(Segment):
    """A stretch of time, or one of several given texts, with toxic language.

    `label` is one of Transcribe's keys, or `toxicity` for the score as a whole.
    """

    origin: Origin
    item: Item = None
    item_id: ItemId = None


class ToxicityPart(DomainPart):
    """Segments are per key and of the overall score; `texts` has every piece that was rated, also the harmless."""

    segments: list[ToxicitySegment] = Field(default_factory=list)  # type: ignore[assignment]
    texts: list[RatedText] = Field(default_factory=list)
