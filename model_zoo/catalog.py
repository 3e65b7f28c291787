"""All models that are known, and which of them fills a role."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_zoo.errors import ManifestError, UsageError
from model_zoo.manifest import ModelSpec, domains, load, read


def catalog(manifests: Sequence[Path] = ()) -> tuple[ModelSpec, ...]:
    """Return the models of every domain, then those of the user's own manifests.

    Raises ManifestError when a name is taken twice or a role has two defaults.
    """
    specs = [spec for domain in domains() for spec in load(domain)]
    for path in manifests:
        specs += read(path)
    names: dict[str, ModelSpec] = {}
    defaults: dict[tuple[str, str], ModelSpec] = {}
    for spec in specs:
        if (twin := names.setdefault(spec.name, spec)) is not spec:
            raise ManifestError(f"{spec.manifest}: [{spec.name}]: the name is taken in {twin.manifest}; rename it")
        if spec.default and (other := defaults.setdefault((spec.domain, spec.role), spec)) is not spec:
            raise ManifestError(
                f"{spec.manifest}: [{spec.name}] default: {other.name} is the default of {spec.domain}.{spec.role} "
                f"already; leave it out and set REELWARDEN_MODELS={spec.domain}.{spec.role}={spec.name}"
            )
    return tuple(specs)


def named(names: Sequence[str], specs: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """Return the models of these names, in the order of the names."""
    known = {spec.name: spec for spec in specs}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no model {name!r}; models are {', '.join(sorted(known))}")
    return tuple(known[name] for name in names)


def choose(domain: str, role: str, wanted_name: str | None, specs: Sequence[ModelSpec]) -> ModelSpec:
    """Return the model that fills a role: the one wanted by name, else the default."""
    fitting = {spec.name: spec for spec in specs if (spec.domain, spec.role) == (domain, role)}
    if wanted_name is None:
        for spec in fitting.values():
            if spec.default:
                return spec
        hint = f"one of {', '.join(fitting)}" if fitting else "a model of your own manifest, see docs/models.md"
        raise ManifestError(
            f"{domain}.{role} has no default model; set REELWARDEN_MODELS={domain}.{role}=NAME with {hint}"
        )
    if wanted_name not in fitting:
        raise UsageError(
            f"models={domain}.{role}={wanted_name}: no such model for this role; "
            f"there is {', '.join(fitting) or 'none, see docs/models.md'}"
        )
    return fitting[wanted_name]
