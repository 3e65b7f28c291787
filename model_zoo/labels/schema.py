"""What the report says of labels."""

from __future__ import annotations

from model_zoo.report import DomainPart


class LabelsPart(DomainPart):
    """Segments are per label; the frame as a whole is labelled, nothing in it is located."""
