"""The licence gate: permissive by default, and open where the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.catalog import catalog, named
from model_zoo.errors import LicenceError, UsageError
from model_zoo.licences import accepts_licence, check_licence
from model_zoo.manifest import Licence, ModelSpec
from tests.unit.weights_fixtures import tiny


def under(folder: Path, weights: str, commercial: bool = True) -> ModelSpec:
    licence = Licence(weights=weights, code="MIT", commercial=commercial)
    return tiny(folder, "file:tiny.onnx").model_copy(update={"licence": licence})


def test_no_default_is_refused() -> None:
    assert [spec.name for spec in catalog() if spec.default and not accepts_licence(spec, "permissive")] == []


def test_nudenet_is_refused_by_default_with_the_setting_that_opens_it() -> None:
    (nudenet,) = named(["nudenet_320n"], catalog())
    with pytest.raises(LicenceError) as caught:
        check_licence(nudenet, "permissive")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("nudenet_320n", "AGPL-3.0-only", "set REELWARDEN_LICENCES=permissive,AGPL-3.0-only"):
        assert part in message
    check_licence(nudenet, "permissive,AGPL-3.0-only")
    check_licence(nudenet, "any")


@pytest.mark.parametrize("weights", ["AGPL-3.0-only", "GPL-3.0-or-later", "CC-BY-NC-4.0", "OpenRAIL", "unknown", ""])
def test_licences_with_strings_attached_are_refused(tmp_path: Path, weights: str) -> None:
    with pytest.raises(LicenceError):
        check_licence(under(tmp_path, weights), "permissive")


def test_weights_for_research_are_refused_whatever_their_licence_is_called(tmp_path: Path) -> None:
    with pytest.raises(LicenceError, match="no commercial use"):
        check_licence(under(tmp_path, "MIT", commercial=False), "permissive")


def test_a_list_accepts_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    check_licence(under(tmp_path, "CC-BY-NC-4.0", commercial=False), "mit, cc-by-nc-4.0")
    with pytest.raises(LicenceError):
        check_licence(under(tmp_path, "Apache-2.0"), "MIT")


def test_an_empty_setting_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="setting licences is empty"):
        check_licence(under(tmp_path, "MIT"), " , ")
