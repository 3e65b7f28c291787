"""How well each label of the taxonomy is covered by what ran; one that is not covered is listed with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from model_zoo.manifest import ModelSpec
from model_zoo.moderation.language import hate_text_coverage
from model_zoo.moderation.signals import BODY_PARTS, GRADES, OTHER_DOMAINS, known_to
from model_zoo.moderation.sources import source_of
from model_zoo.moderation.taxonomy import CONTENT_TYPES, LABELS, children
from model_zoo.report import Coverage, DomainPart, Grade

NO_PARTS = "needs a body_parts model that knows it, such as nudenet_320n, which is opt-in for its AGPL-3.0 weights"
NO_DOMAIN = "needs the domain {domains}, which did not run or had nothing to go by"
NO_MODEL = "none of the models that ran knows it"


def coverage(models: Mapping[str, ModelSpec], parts: Mapping[str, DomainPart]) -> list[Coverage]:
    """Return one entry for every label of the taxonomy, for our own labels, then for every content type."""
    known = _known(models, parts)
    labels = [known[name] if name in known else _from_children(name, known) for name in LABELS]
    labels.append(hate_text_coverage(parts))
    return labels + [known.get(name, _missing(name)) for name in CONTENT_TYPES]


def _known(models: Mapping[str, ModelSpec], parts: Mapping[str, DomainPart]) -> dict[str, Coverage]:
    """Return the labels that something speaks about directly, by the best grade."""
    sources: dict[str, dict[Grade, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for spec in models.values():
        for signal in known_to(spec):
            sources[signal.label][signal.grade][f"{spec.domain}/{spec.name}"] = None
    for domain, meanings in OTHER_DOMAINS.items():
        for label in meanings.values() if _has_evidence(parts.get(domain)) else ():
            sources[label]["weak evidence"][source_of(domain, parts[domain])] = None
    found = {}
    for label, by_grade in sources.items():
        grade = min(by_grade, key=GRADES.index)
        found[label] = Coverage(label=label, grade=grade, source=", ".join(by_grade[grade]))
    return found


def _has_evidence(part: DomainPart | None) -> bool:
    """Say whether a domain ran and could have seen something: without sound, no sound is covered."""
    return part is not None and not any(entry.grade == "not covered" for entry in part.coverage)


def _from_children(name: str, known: Mapping[str, Coverage]) -> Coverage:
    """Return the coverage of a label that only shows when a label below it does."""
    below = [known[child] if child in known else _from_children(child, known) for child in children(name)]
    covered = [entry for entry in below if entry.grade != "not covered"]
    if not covered:
        return _missing(name)
    best = min(covered, key=lambda entry: GRADES.index(entry.grade))
    reason = f"only through {', '.join(entry.label for entry in covered)}"
    return Coverage(label=name, grade=best.grade, source=best.source, reason=reason)


def _missing(name: str) -> Coverage:
    below = {name, *children(name), *(leaf for child in children(name) for leaf in children(child))}
    domains = [domain for domain, meanings in OTHER_DOMAINS.items() if below & set(meanings.values())]
    if below & set(BODY_PARTS.values()):
        reason = NO_PARTS
    elif domains:
        reason = NO_DOMAIN.format(domains=" or ".join(domains))
    else:
        reason = NO_MODEL
    return Coverage(label=name, grade="not covered", reason=reason)
