"""What a model must be to fill a role; checked before the model is used, so that no request finds out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from model_zoo.errors import MisfitError
from model_zoo.manifest import ModelSpec
from model_zoo.nearest import did_you_mean

Takes = Literal["input", "sound", "text"]  # tables of a manifest entry


def any_length(_spec: ModelSpec) -> int | None:
    """Expect nothing of the length of a row."""
    return None


def one_a_label(spec: ModelSpec) -> int | None:
    """Expect one number for each label."""
    return len(spec.labels)


@dataclass(frozen=True, slots=True)
class Fits:
    """What a role asks of the model that fills it."""

    takes: Takes
    decoders: tuple[str, ...]
    any_size: bool = False  # pictures may be of any size, as the domain decides
    columns: Callable[[ModelSpec], int | None] = any_length  # axis 1 of the first output; None where it may be any

    def check(self, spec: ModelSpec) -> None:
        """Raise MisfitError for an entry that the domain cannot use; it names the key."""
        if spec.decoder not in self.decoders:
            near = did_you_mean(spec.decoder, self.decoders)
            raise MisfitError(
                f"[{spec.name}] decoder {spec.decoder!r}{near} is not one of {spec.domain}.{spec.role}: "
                f"{', '.join(self.decoders)}; see docs/models.md"
            )
        if getattr(spec, self.takes) is None:
            given = {"input": "pictures", "sound": "sound", "text": "text"}[self.takes]
            raise MisfitError(
                f"[{spec.name}] needs the table `{self.takes}`: {spec.domain}.{spec.role} is given {given}"
            )
        if spec.input is not None and not self.any_size and not (spec.input.width and spec.input.height):
            raise MisfitError(
                f"[{spec.name}] input.width and input.height: {spec.domain}.{spec.role} needs a size, not 0"
            )

    def check_columns(self, spec: ModelSpec, columns: Mapping[str, int | None]) -> None:
        """Raise MisfitError where the file's first output, by name -> axis 1, is not what the decoder reads."""
        wanted, found = self.columns(spec), columns.get(spec.outputs[0])
        if wanted is not None and found is not None and found != wanted:
            raise MisfitError(
                f"[{spec.name}] output {spec.outputs[0]!r} is (N, {found}), but the decoder {spec.decoder!r} reads "
                f"(N, {wanted}); correct `decoder`, `labels` or `outputs`"
            )
