"""The domains there are, in the order in which reports list them."""

from __future__ import annotations

from model_zoo import faces, labels, moderation, objects, shots, sounds, text, toxicity, transcription
from model_zoo.domain import Domain
from model_zoo.errors import MisfitError, UsageError
from model_zoo.manifest import ModelSpec
from model_zoo.nearest import did_you_mean

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


def check_fits(spec: ModelSpec) -> None:
    """Raise MisfitError for a model that cannot fill the place it names."""
    known = {domain.name: domain for domain in DOMAINS if domain.roles}
    if spec.domain not in known:
        near = did_you_mean(spec.domain, known)
        raise MisfitError(f"[{spec.name}] domain {spec.domain!r}{near} has no models; there are {', '.join(known)}")
    fits = known[spec.domain].fits
    if spec.role not in fits:
        near = did_you_mean(spec.role, fits)
        raise MisfitError(f"[{spec.name}] role {spec.role!r}{near} is not one of {spec.domain}: {', '.join(fits)}")
    fits[spec.role].check(spec)
