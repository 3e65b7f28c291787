"""The domains there are, in the order in which reports list them."""

from __future__ import annotations

from model_zoo import faces, labels, moderation, objects, shots, sounds, text, toxicity, transcription
from model_zoo.domain import Domain
from model_zoo.errors import UsageError

DOMAINS: tuple[Domain, ...] = (
    moderation.DOMAIN,
    objects.DOMAIN,
    labels.DOMAIN,
    shots.DOMAIN,
    faces.DOMAIN,
    sounds.DOMAIN,
    text.DOMAIN,
    transcription.DOMAIN,
    toxicity.DOMAIN,
)


def by_name(name: str) -> Domain:
    """Return the domain of this name; raises UsageError."""
    for domain in DOMAINS:
        if domain.name == name:
            return domain
    raise UsageError(f"domain {name!r} does not exist; there are {', '.join(domain.name for domain in DOMAINS)}")
