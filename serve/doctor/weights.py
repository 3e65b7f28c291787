"""The model files of the wanted domains: are they here, and are they what the manifest says?"""

from __future__ import annotations

from model_zoo.domain import Domain
from model_zoo.domains import DOMAINS, by_name
from model_zoo.errors import ManifestError, ReelwardenError, WeightsError
from model_zoo.manifest import ModelSpec
from model_zoo.weights import locate, verify
from serve.doctor.check import Check
from serve.models import choose_models
from serve.settings import Settings


def formats(settings: Settings) -> set[str]:
    """Return the formats of the wanted models' files, which say what libraries run them; none for wrong settings."""
    try:
        return {spec.format for spec in _chosen(settings).values()}
    except ReelwardenError:
        return set()


def check_models(settings: Settings, *, hash_all: bool) -> Check:
    """Say which model files are missing or wrong; `hash_all` reads every byte, else they are only looked for."""
    try:
        chosen = _chosen(settings)
    except ManifestError as error:
        return Check(
            "models", "fails", str(error), "correct the entry of the manifest; docs/models.md explains its keys"
        )
    except ReelwardenError as error:
        return Check("models", "fails", str(error), "correct the setting; docs/settings.md lists them")
    places = settings.weight_places()
    missing, wrong = [], []
    for name, spec in chosen.items():
        try:
            found = verify(spec, places) if hash_all else locate(spec, places)
        except WeightsError as error:
            wrong.append(str(error))
            continue
        if found is None:
            missing.append(name)
    says = f"{len(chosen)} of {', '.join(domain.name for domain in _domains(settings))}"
    if wrong:
        return Check("models", "fails", "; ".join(wrong), "put the right files there, or `reelwarden models pull`")
    if missing:
        says = f"{', '.join(missing)} neither in {settings.model_dir} nor in {settings.cache}"
        fix = "`reelwarden models pull` on a connected machine, or mount a folder and set REELWARDEN_MODEL_DIR"
        return Check("models", "fails" if settings.offline else "hinders", says, fix)
    return Check("models", "works", f"{says}, every sha256 right" if hash_all else says)


def _domains(settings: Settings) -> tuple[Domain, ...]:
    return tuple(map(by_name, settings.domains)) or DOMAINS


def _chosen(settings: Settings) -> dict[str, ModelSpec]:
    return {spec.name: spec for spec in choose_models(_domains(settings), settings).values()}
