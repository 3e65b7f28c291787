"""From the wanted domains to loaded models: choose, pass the licence gate, find or fetch, load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from model_zoo.catalog import catalog, choose
from model_zoo.domain import Domain, Loaded
from model_zoo.errors import UsageError
from model_zoo.licences import check_licence
from model_zoo.manifest import ModelSpec
from model_zoo.report import ModelFacts
from model_zoo.values import Model
from model_zoo.weights import ensure_all
from serve.backends.choose import place_model
from serve.backends.place import Placed, Wishes
from serve.settings import Settings

EXAMPLES = ("en", "es", "fr", "de", "zh")  # of languages, for the words of an error

Wrap = Callable[[ModelSpec, Model], Model]


def unwrapped(_spec: ModelSpec, model: Model) -> Model:
    """Put nothing in front of a model."""
    return model


@dataclass(frozen=True, slots=True)
class Ready:
    """A loaded model, its manifest entry and where it runs."""

    spec: ModelSpec
    placed: Placed
    bare: Model  # without what is put in front of it
    folder: Path  # where its files lie

    @property
    def notes(self) -> str:
        """What happened to the model since it was loaded, where its backend tells."""
        return str(getattr(self.bare, "notes", ""))

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that can be set for it; none where that is not a question to it."""
        return tuple(getattr(self.bare, "languages", ()))

    def loaded(self) -> Loaded:
        """Return what a domain sees of it."""
        return Loaded(self.spec, self.placed.model, self.folder)

    def facts(self, role: str) -> ModelFacts:
        """Return what the report says of it."""
        return ModelFacts(
            role=role,
            name=self.spec.name,
            sha256=self.spec.sha256,
            licence=self.spec.licence.weights,
            backend=self.placed.backend,
            device=self.placed.device,
            device_reason="; ".join(filter(None, (self.placed.reason, self.notes))),
            precision=self.placed.precision,
        )


def choose_models(domains: Sequence[Domain], settings: Settings) -> dict[tuple[str, str], ModelSpec]:
    """Return the model of each (domain, role) that is filled.

    Raises UsageError, ManifestError, LicenceError, or MisfitError for a model that its domain cannot use.
    """
    specs = catalog(settings.manifests)
    wanted = settings.wanted_models()
    places = {(domain.name, role): required for domain in domains for role, required in domain.roles.items()}
    for domain, role in wanted:
        known = [f"{d}.{r}" for d, r in places]
        if (domain, role) not in places:
            raise UsageError(
                f"models={domain}.{role}: no such role among the wanted domains; there are {', '.join(known)}"
            )
    chosen = {}
    for (domain, role), required in places.items():
        name = wanted.get((domain, role))
        if required or name:
            chosen[domain, role] = choose(domain, role, name, specs)
    for place in _idle(domains, chosen):
        del chosen[place]
    fits = {domain.name: domain.fits for domain in domains}
    for (domain, role), spec in chosen.items():
        check_licence(spec, settings.licences)
        fits[domain][role].check(spec)
    return chosen


def _idle(domains: Sequence[Domain], chosen: Mapping[tuple[str, str], ModelSpec]) -> list[tuple[str, str]]:
    """Return the places whose models would be loaded for nothing beside the others."""
    return [
        (domain.name, role)
        for domain in domains
        for role in domain.idle({role: spec for (name, role), spec in chosen.items() if name == domain.name})
    ]


def load_models(
    domains: Sequence[Domain], settings: Settings, executor: Executor, wrap: Wrap = unwrapped
) -> dict[str, dict[str, Ready]]:
    """Load every chosen model; the result is by domain, then by role. Raises WeightsError, BackendError too."""
    chosen = choose_models(domains, settings)
    places = settings.weight_places()
    paths = ensure_all(list(chosen.values()), places)
    fits = {domain.name: domain.fits for domain in domains}
    models: dict[str, dict[str, Ready]] = {domain.name: {} for domain in domains}
    wishes = Wishes(
        places,
        settings.device,
        settings.backend,
        settings.gpu_memory_share,
        settings.cuda_graphs,
        models=len(chosen),
        tensorrt=settings.tensorrt,
        precision=settings.precision,
    )
    for (domain, role), spec in chosen.items():
        path = paths[spec.name]
        placed = place_model(spec, path, wishes, executor, settings.threads)
        fits[domain][role].check_columns(spec, getattr(placed.model, "columns", {}))
        models[domain][role] = Ready(spec, replace(placed, model=wrap(spec, placed.model)), placed.model, path.parent)
    return models


def check_language(language: str, models: Mapping[str, Mapping[str, Ready]]) -> None:
    """Raise UsageError where what is said to be spoken is nothing that the loaded transcriber understands."""
    for ready in (ready for roles in models.values() for ready in roles.values()):
        known = ready.languages
        if language and known and language not in known:
            near = [code for code in known if language.startswith(code)]
            some = ", ".join(dict.fromkeys([*near, *(code for code in EXAMPLES if code in known)]))
            all_of_it = f"{some} alone" if len(known) == 1 else f"{len(known)} languages, such as {some}"
            raise UsageError(
                f"language={language!r}: {ready.spec.name} does not know it; it knows {all_of_it}. "
                "Leave it empty to have it found out, or choose another model for the role"
            )
