"""The licence gate: which weights may be used is a setting, and nothing unknown slips through."""

from __future__ import annotations

from model_zoo.errors import LicenceError, UsageError
from model_zoo.manifest import ModelSpec

# Terms that allow commercial use and ask for no more than notices; SPDX ids.
PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT"}
    | {"MIT-0", "NCSA", "PDDL-1.0", "Unlicense", "UPL-1.0", "Zlib"}
)


def accepts_licence(spec: ModelSpec, setting: str) -> bool:
    """Say whether the setting (`permissive`, `any`, or SPDX ids, separated by commas) accepts a model's weights.

    `permissive` also asks that commercial use is allowed; an id that the user lists is the user's own decision.
    """
    words = {word.strip().lower() for word in setting.split(",") if word.strip()}
    if not words:
        raise UsageError("setting licences is empty; use permissive, any, or SPDX ids separated by commas")
    licence = spec.licence
    permissive = licence.commercial and licence.weights.lower() in {name.lower() for name in PERMISSIVE}
    return "any" in words or licence.weights.lower() in words or ("permissive" in words and permissive)


def check_licence(spec: ModelSpec, setting: str) -> None:
    """Raise LicenceError when the setting refuses a model."""
    if accepts_licence(spec, setting):
        return
    terms = spec.licence.weights + ("" if spec.licence.commercial else ", no commercial use")
    raise LicenceError(
        f"{spec.name}: the licence of its weights ({terms}) is refused by REELWARDEN_LICENCES={setting}; "
        f"if its terms suit you set REELWARDEN_LICENCES={setting},{spec.licence.weights}"
    )
