"""A model that its domain cannot use is refused before the first request, by name and key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_zoo.catalog import catalog
from model_zoo.domains import DOMAINS, check_fits
from model_zoo.errors import BackendError, MisfitError
from model_zoo.manifest import ModelSpec, read
from model_zoo.moderation.postprocess import opennsfw
from model_zoo.values import Frames, View
from serve.doctor.weights import check_models
from serve.pipeline import Analyzer
from serve.settings import Settings, load_settings
from tests.unit.weights_fixtures import SIDE, network, write_manifest


def settings_with(folder: Path, content: bytes, old: str = "", new: str = "") -> Settings:
    """Return settings that have a model of one's own fill `moderation.nsfw_score`."""
    path = write_manifest(folder, ["file:mine.onnx"], "mine", content)
    (folder / "mine.onnx").write_bytes(content)
    path.write_text(path.read_text().replace(old, new) if old else path.read_text())
    return load_settings(domains="moderation", manifests=str(path), models="moderation.nsfw_score=mine", threads=1)


def entry(folder: Path, old: str, new: str) -> ModelSpec:
    path = write_manifest(folder, ["file:mine.onnx"], "mine")
    path.write_text(path.read_text().replace(old, new))
    return read(path)[0]


def test_every_role_says_what_fills_it_and_every_entry_does() -> None:
    for domain in DOMAINS:
        assert domain.fits.keys() == domain.roles.keys()
    for spec in catalog():
        check_fits(spec)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'decoder = "opennsfw"',
            'decoder = "resnet"',
            r"\[mine\] decoder 'resnet' .*nsfw_score: opennsfw, nsfwjs, nude",
        ),
        ('decoder = "opennsfw"', 'decoder = "opennsw"', r"did you mean 'opennsfw'"),
        ('role = "nsfw_score"', 'role = "nsfw_scores"', r"\[mine\] role 'nsfw_scores' \(did you mean 'nsfw_score'"),
        ('domain = "moderation"', 'domain = "moderaton"', r"\[mine\] domain 'moderaton' \(did you mean 'moderation'"),
        ("width = 8", "width = 0", r"\[mine\] input\.width and input\.height: moderation\.nsfw_score needs a size"),
        (
            'input = { name = "pixels", width = 8, height = 8, fit = "stretch" }',
            'sound = { name = "wave", sample_rate = 16000, window_seconds = 1.0, hop_seconds = 0.5 }',
            r"\[mine\] needs the table `input`: moderation\.nsfw_score is given pictures",
        ),
    ],
)
def test_an_entry_that_its_domain_cannot_use_is_refused_by_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(MisfitError, match=message) as caught:
        check_fits(entry(tmp_path, old, new))
    assert caught.value.exit_code == 3


def test_a_model_that_fits_is_loaded(tmp_path: Path) -> None:
    with Analyzer(settings_with(tmp_path, network())):
        pass


def test_a_foreign_decoder_is_told_when_models_are_loaded_and_by_the_doctor(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, network(), '"opennsfw"', '"resnet"')
    with pytest.raises(MisfitError, match=r"\[mine\] decoder 'resnet'"):
        Analyzer(settings)
    check = check_models(settings, hash_all=False)
    assert (check.status, "decoder 'resnet'" in check.says) == ("fails", True)


def test_a_size_that_is_not_the_files_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"mine: mine\.onnx takes pictures of width 8, models\.toml says 300"):
        Analyzer(settings_with(tmp_path, network(), "width = 8", "width = 300"))


def test_a_size_that_is_not_the_files_is_told_also_where_the_graph_gets_a_front(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"takes pictures of height 8, models\.toml says 9"):
        Analyzer(settings_with(tmp_path, network(), "height = 8", 'height = 9, dtype = "float32"'))


def test_rows_that_the_decoder_does_not_read_are_told_when_the_file_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(MisfitError, match=r"\[mine\] output 'scores' is \(N, 3\), .*'opennsfw' reads \(N, 2\)"):
        Analyzer(settings_with(tmp_path, network(columns=3)))


def test_an_answer_of_another_shape_names_the_model(tmp_path: Path) -> None:
    frames = Frames(np.zeros((1, SIDE, SIDE, 3), np.uint8), np.zeros(1), View(SIDE, SIDE), SIDE, SIDE)
    with pytest.raises(MisfitError, match=r"\[mine\] answered 1 pictures with \(2, 2\)"):
        opennsfw({"scores": np.zeros((2, 2), np.float32)}, entry(tmp_path, "mine", "mine"), frames)
