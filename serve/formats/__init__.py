"""The output forms there are: `json` is the report itself, the others are made of it."""

from __future__ import annotations

from collections.abc import Mapping

from model_zoo.errors import FormError
from serve.formats.form import Form, check_domains, render
from serve.formats.own import JSON, JSON_LINES
from serve.formats.rekognition_faces import FACE_SEARCH
from serve.formats.rekognition_labels import LABEL_DETECTION, LABEL_DETECTION_SEGMENTS
from serve.formats.rekognition_moderation import MODERATION, MODERATION_SEGMENTS
from serve.formats.rekognition_segments import SEGMENT_DETECTION
from serve.formats.rekognition_text import TEXT_DETECTION
from serve.formats.subtitles import SRT, TXT, VTT
from serve.formats.table import CSV
from serve.formats.transcribe import TRANSCRIBE_TOXICITY, TRANSCRIPT

__all__ = ["FORMS", "Form", "check_domains", "form_named", "render"]

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        JSON,
        JSON_LINES,
        CSV,
        SRT,
        VTT,
        TXT,
        MODERATION,
        MODERATION_SEGMENTS,
        LABEL_DETECTION,
        LABEL_DETECTION_SEGMENTS,
        FACE_SEARCH,
        TEXT_DETECTION,
        SEGMENT_DETECTION,
        TRANSCRIPT,
        TRANSCRIBE_TOXICITY,
    )
}


def form_named(name: str) -> Form:
    """Return the form of this name; raises FormError."""
    if name not in FORMS:
        raise FormError(f"there is no form {name!r}; forms are {', '.join(FORMS)}")
    return FORMS[name]
