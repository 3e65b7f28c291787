"""Manifests: what is read from them, and what a mistake in one says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_zoo.catalog import catalog, choose, named
from model_zoo.errors import ManifestError, UsageError
from model_zoo.manifest import ModelSpec, domains, load, read
from tests.conftest import ROOT
from tests.unit.weights_fixtures import tiny, write_manifest

INPUT = 'input = { name = "pixels", width = 8, height = 8, fit = "stretch" }\n'
SOUND = 'sound = { name = "wave", sample_rate = 16000, window_seconds = 1.0, hop_seconds = 0.5 }\n'


def changed(folder: Path, old: str, new: str) -> Path:
    path = write_manifest(folder, ["file:tiny.onnx"])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_the_models_of_a_domain_are_read_with_their_name_and_domain() -> None:
    specs = load("moderation")
    assert {spec.domain for spec in specs} == {"moderation"}
    assert specs[0].name == "opennsfw"
    assert specs[0].file_name == "open-nsfw.onnx"


def test_a_label_file_is_read_into_the_labels() -> None:
    (detector,) = (spec for spec in load("objects") if spec.default)
    assert detector.labels[0] == "person"
    assert len(detector.labels) == 80


def test_a_network_that_takes_any_size_has_no_view_of_its_own() -> None:
    (spec,) = named(["ppocr_v4_rec"], catalog())
    with pytest.raises(ManifestError, match="input 'x' takes any size; its domain decides"):
        spec.input.view()


def test_a_domain_without_models_names_those_that_have_some() -> None:
    with pytest.raises(ManifestError, match=r"domain 'sports' has no models\.toml; .*moderation"):
        load("sports")


def test_every_folder_with_a_manifest_is_a_domain() -> None:
    assert {"moderation", "objects", "labels"} <= set(domains())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size_bytes = 16384", "size_bytes = 0", r"\[tiny\] size_bytes: .*greater than 0"),
        ("size_bytes", "size_byte", r"\[tiny\] size_byte: unknown key \(did you mean 'size_bytes'\?\)"),
        ("size_bytes = 16384", "", r"\[tiny\] size_bytes: Field required"),
        ("width", "widht", r"\[tiny\] input\.widht: unknown key \(did you mean 'width'\?\)"),
        ("title =", "titel = 1\ntitle =", r"\[tiny\] titel: unknown key \(did you mean 'title'"),
        ('fit = "stretch"', 'fit = "squeeze"', r"\[tiny\] input\.fit: Input should be"),
        ("input = {", "inputs = {", r"\[tiny\] inputs: unknown key \(did you mean 'input'"),
        (INPUT, "", r"\[tiny\]: .*needs one of the tables `input` \(pictures\), `sound` and `text`, and not two"),
        (INPUT, INPUT + SOUND, r"\[tiny\]: .*needs one of the tables `input`"),
        (INPUT, SOUND.replace("0.5", "5"), r"\[tiny\] sound: .*hop_seconds=5 leaves sound unheard"),
        ("file:tiny.onnx", "ftp://x/y", r"\[tiny\] sources: .*no known scheme; write one of repo:PATH"),
        ("file:tiny.onnx", "pypi:tiny#a", r"\[tiny\] sources: .*not of the form pypi:NAME==VERSION#path"),
        ("file:tiny.onnx", "pypi:tiny==1", r"\[tiny\] sources: .*not of the form pypi:NAME==VERSION#path"),
        ("file:tiny.onnx", "npm:tiny@latest#a", r"\[tiny\] sources: .*not of the form npm:NAME@VERSION#path"),
        ("file:tiny.onnx", "file:a.zip#../a", r"\[tiny\] sources: .*must be plain"),
        ("file:tiny.onnx", "repo:a.onnx", r"\[tiny\]: .*needs a \[conversion\] table"),
        ("[tiny]", "[Tiny]", r"\[Tiny\] name: "),
        ('outputs = ["scores"]', "outputs = [", r"not TOML: .*line"),
        ("[tiny]", "tiny = 1\n[other]", r"`tiny` stands outside a table"),
        ("title =", 'labels_file = "gone.txt"\ntitle =', r"\[tiny\] labels_file: .*gone\.txt cannot be read"),
        ("title =", 'labels_file = "a"\nlabels = ["b"]\ntitle =', r"\[tiny\] labels_file: give `labels` or"),
        ("title =", 'name = "tiny"\ntitle =', r"\[tiny\] name: leave it out"),
    ],
)
def test_a_mistake_is_named_with_file_table_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(ManifestError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_in_parts_needs_a_file_name(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [["file:a", "file:b"]])
    path.write_text(path.read_text().replace('file_name = "tiny.onnx"', ""))
    with pytest.raises(ManifestError, match="needs `file_name`"):
        read(path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"mine\.toml: the manifest cannot be read"):
        catalog([tmp_path / "mine.toml"])


def test_a_manifest_of_ones_own_adds_a_model_that_can_be_chosen(tmp_path: Path) -> None:
    specs = catalog([write_manifest(tmp_path, ["file:tiny.onnx"], "mine")])
    assert choose("moderation", "nsfw_score", "mine", specs).name == "mine"
    assert choose("moderation", "nsfw_score", None, specs).name == "opennsfw"


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"\[opennsfw\]: the name is taken in .*models\.toml"):
        catalog([write_manifest(tmp_path, ["file:tiny.onnx"], "opennsfw")])


def test_a_second_default_says_how_to_choose_instead(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ["file:tiny.onnx"], "mine", more="default = true")
    with pytest.raises(ManifestError, match=r"set REELWARDEN_MODELS=moderation\.nsfw_score=mine"):
        catalog([path])


def test_a_model_that_does_not_fit_the_role_names_those_that_do(tmp_path: Path) -> None:
    specs = [tiny(tmp_path, "file:tiny.onnx", name="mine")]
    with pytest.raises(UsageError, match=r"models=moderation\.nsfw_score=yours: .*there is mine"):
        choose("moderation", "nsfw_score", "yours", specs)
    with pytest.raises(ManifestError, match=r"REELWARDEN_MODELS=moderation\.nsfw_score=NAME with one of mine"):
        choose("moderation", "nsfw_score", None, specs)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model 'yours'; models are mine"):
        named(["yours"], [tiny(tmp_path, "file:tiny.onnx", name="mine")])


def test_the_examples_in_the_docs_are_manifests(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "models.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "my_models.toml").write_text("\n".join(examples))
    specs = catalog([tmp_path / "my_models.toml"])
    assert choose("moderation", "nsfw_score", "house_nsfw", specs).file_name == "house_nsfw.onnx"
    assert choose("toxicity", "classifier", "detoxify_multilingual", specs).text is not None


def test_the_docs_explain_every_key() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    filled_in = {"name", "manifest"}
    assert [key for key in ModelSpec.model_fields if key not in filled_in and f"`{key}`" not in page] == []
