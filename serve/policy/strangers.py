"""The domains, labels and levels of a policy that no report can have, and the nearest name that there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_zoo.domains import DOMAINS
from model_zoo.nearest import did_you_mean
from model_zoo.vocabulary import OWN_NAMESPACE, Vocabulary

Place = tuple[int | str, ...]  # keys from the top of the document


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong, and the key it is about."""

    place: Place
    text: str


def strangers(document: Mapping[Any, Any], vocabularies: Mapping[str, Vocabulary]) -> Iterator[Problem]:
    """Yield the domains, labels and levels that no report can have; of a document that may be wrong otherwise, too."""
    domains = {domain.name for domain in DOMAINS} | vocabularies.keys()
    for domain, rules in _mapping(document, "domains").items():
        known = vocabularies.get(domain)
        if isinstance(domain, str) and domain not in domains:
            said = f"no such domain{did_you_mean(domain, domains)}; there are {', '.join(sorted(domains))}"
            yield Problem(("domains", domain), said)
        elif known is not None:
            yield from _strange_labels(domain, _mapping(rules, "labels"), known)
            yield from _strange_levels(domain, _mapping(rules, "levels"), known)


def _strange_labels(domain: str, labels: Iterable[Any], known: Vocabulary) -> Iterator[Problem]:
    for label in labels:
        if isinstance(label, str) and label not in known and not label.startswith(OWN_NAMESPACE):
            said = f"no label of {domain}{did_you_mean(label, known)}"
            yield Problem(("domains", domain, "labels", label), said)


def _strange_levels(domain: str, levels: Iterable[Any], known: Vocabulary) -> Iterator[Problem]:
    there = {item.level for item in known.values()}
    for level in levels:
        if str(level).isdecimal() and int(level) not in there:  # what is no number is no level to pydantic either
            said = f"no level of {domain}; there are {', '.join(map(str, sorted(there)))}"
            yield Problem(("domains", domain, "levels", level), said)


def _mapping(value: Any, key: str) -> Mapping[Any, Any]:
    """Return what stands under a key where that is a mapping, else an empty one."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
