"""Where weights are found, and what happens when they are missing or wrong; nothing here needs a network."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from model_zoo.errors import WeightsError
from model_zoo.weights import WeightPlaces, ensure, ensure_all, licence_texts, locate, verify
from tests.unit.weights_fixtures import CONTENT, SHA256, places_in, tiny, tiny_with_tokenizer


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"inside/{name}", content)
        archive.writestr("inside/LICENSE", "do as you please")
    return path


def test_the_model_folder_is_looked_at_before_the_cache(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, "file:nowhere.onnx")
    mounted = put(places.model_dir / "tiny" / "tiny.onnx")
    put(places.cache / "tiny" / "tiny.onnx")
    assert ensure(spec, places) == mounted


def test_a_cache_filled_by_hand_is_used_without_a_network(tmp_path: Path) -> None:
    places = places_in(tmp_path, offline=True)
    filled = put(places.cache / "tiny" / "tiny.onnx")
    assert ensure(tiny(tmp_path, "https://example.invalid/tiny.onnx"), places) == filled


def test_a_file_source_is_used_where_it_lies(tmp_path: Path) -> None:
    source = put(tmp_path / "elsewhere" / "mine.onnx")
    assert ensure(tiny(tmp_path, "file:elsewhere/mine.onnx"), places_in(tmp_path, offline=True)) == source
    assert ensure(tiny(tmp_path, f"file:{source}"), places_in(tmp_path, offline=True)) == source


def test_a_wrong_file_in_the_cache_is_refused_and_removed(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    wrong = put(places.cache / "tiny" / "tiny.onnx", b"something else")
    with pytest.raises(WeightsError, match=rf"tiny\.onnx has sha256 [0-9a-f]{{64}}, expected {SHA256}.*was removed"):
        ensure(tiny(tmp_path, "file:nowhere.onnx"), places)
    assert not wrong.exists()


def test_a_wrong_file_in_the_model_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    wrong = put(places.model_dir / "tiny" / "tiny.onnx", b"something else")
    with pytest.raises(WeightsError, match="replace or remove the file"):
        ensure(tiny(tmp_path, "file:nowhere.onnx"), places)
    assert wrong.exists()


def test_a_file_that_was_exchanged_after_its_check_is_noticed(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, "file:nowhere.onnx")
    path = put(places.cache / "tiny" / "tiny.onnx")
    ensure(spec, places)
    before = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="sha256"):
        ensure(spec, places)


def test_a_checked_file_is_not_read_again_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, "file:nowhere.onnx")
    path = put(places.cache / "tiny" / "tiny.onnx")
    ensure(spec, places)
    monkeypatch.setattr("model_zoo.weights.hashlib.file_digest", None)
    assert ensure(spec, places) == path
    with pytest.raises(TypeError):
        verify(spec, places)


def test_missing_weights_say_which_file_and_how_to_bring_it_here(tmp_path: Path) -> None:
    places = places_in(tmp_path, offline=True)
    with pytest.raises(WeightsError) as caught:
        ensure(tiny(tmp_path, "https://example.invalid/tiny.onnx"), places)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("tiny.onnx", SHA256, str(places.cache), str(places.model_dir), "REELWARDEN_OFFLINE"):
        assert part in message
    assert "`reelwarden models pack --out model.tar.gz tiny` on a connected machine" in message


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    put(tmp_path / "a_file")
    places = WeightPlaces(tmp_path / "model", tmp_path / "a_file" / "cache")
    with pytest.raises(WeightsError, match=r"a_file/cache.*the cache cannot be written to"):
        ensure(tiny(tmp_path, "https://example.invalid/tiny.onnx"), places)


def test_a_file_is_read_out_of_an_archive_with_its_licence(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", weights=CONTENT)
    places = places_in(tmp_path)
    path = ensure(tiny(tmp_path, "file:all.zip#inside/weights"), places)
    assert path.read_bytes() == CONTENT
    assert [text.read_text() for text in licence_texts(path).values()] == ["do as you please"]
    assert not list(places.cache.glob("**/*.zip"))
    assert not list((places.cache / ".work").iterdir())


def test_a_source_in_several_parts_is_joined_in_order(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", part1=CONTENT[:5000])
    put(tmp_path / "part2", CONTENT[5000:])
    path = ensure(tiny(tmp_path, ["file:a.zip#inside/part1", "file:part2"]), places_in(tmp_path))
    assert path.name == "tiny.onnx"
    assert path.read_bytes() == CONTENT


def test_an_archive_without_the_file_names_what_it_has(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"other.onnx": CONTENT})
    with pytest.raises(WeightsError, match=r"has no inside/tiny\.onnx; it has inside/other\.onnx"):
        ensure(tiny(tmp_path, "file:all.zip#inside/tiny.onnx"), places_in(tmp_path))


def test_a_member_larger_than_announced_is_not_unpacked(tmp_path: Path) -> None:
    zipped(tmp_path / "bomb.zip", weights=bytes(10_000_000))
    with pytest.raises(WeightsError, match="10000000 bytes, more than the manifest's size_bytes"):
        ensure(tiny(tmp_path, "file:bomb.zip#inside/weights"), places_in(tmp_path))


def test_a_wrong_file_from_a_source_is_refused_and_the_next_source_is_tried(tmp_path: Path) -> None:
    zipped(tmp_path / "wrong.zip", weights=CONTENT[::-1])
    zipped(tmp_path / "right.zip", weights=CONTENT)
    places = places_in(tmp_path)
    with pytest.raises(
        WeightsError, match=rf"wrong\.zip#inside/weights has sha256 .*, expected {SHA256}, and was remo"
    ):
        ensure(tiny(tmp_path, "file:wrong.zip#inside/weights"), places)
    path = ensure(tiny(tmp_path, "file:wrong.zip#inside/weights", "file:right.zip#inside/weights"), places)
    assert path.read_bytes() == CONTENT


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    put(tmp_path / "all.zip", b"PK no")
    with pytest.raises(WeightsError, match=r"file:all\.zip#weights: the archive cannot be read"):
        ensure(tiny(tmp_path, "file:all.zip#weights"), places_in(tmp_path))


def test_one_missing_model_does_not_keep_the_others_away(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", weights=CONTENT)
    places = places_in(tmp_path)
    good = tiny(tmp_path, "file:all.zip#inside/weights", name="good")
    bad = tiny(tmp_path, "file:nowhere.zip#weights", name="bad")
    with pytest.raises(WeightsError, match="bad: ") as caught:
        ensure_all([bad, good], places)
    assert "good: " not in str(caught.value)
    assert locate(good, places)


def test_verify_reads_the_whole_file_every_time(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, "file:nowhere.onnx")
    assert verify(spec, places) is None
    path = put(places.cache / "tiny" / "tiny.onnx")
    assert verify(spec, places) == path
    path.write_bytes(b"x" + CONTENT[1:])
    with pytest.raises(WeightsError, match="was removed"):
        verify(spec, places)


TOKENIZER = b'{"model": "a few words"}'


def test_the_further_files_of_a_model_lie_beside_its_weights(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"weights": CONTENT, "tokenizer.json": TOKENIZER})
    path = ensure(tiny_with_tokenizer(tmp_path, "all.zip", TOKENIZER), places_in(tmp_path))
    assert path.read_bytes() == CONTENT
    assert path.with_name("tokenizer.json").read_bytes() == TOKENIZER
    assert [text.read_text() for text in licence_texts(path).values()] == ["do as you please"]


def test_weights_without_their_further_files_are_fetched_again(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"weights": CONTENT, "tokenizer.json": TOKENIZER})
    places = places_in(tmp_path)
    spec = tiny_with_tokenizer(tmp_path, "all.zip", TOKENIZER)
    alone = put(places.cache / "tiny" / "tiny.onnx")
    assert locate(spec, places) is None
    assert ensure(spec, places) != alone


def test_a_wrong_further_file_is_refused_by_name_and_only_it_is_fetched_again(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"weights": CONTENT, "tokenizer.json": TOKENIZER})
    places = places_in(tmp_path)
    spec = tiny_with_tokenizer(tmp_path, "all.zip", TOKENIZER)
    path = ensure(spec, places)
    weights_before = path.stat().st_ino
    path.with_name("tokenizer.json").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"tokenizer\.json has sha256 .*was removed"):
        ensure(spec, places)
    assert ensure(spec, places).with_name("tokenizer.json").read_bytes() == TOKENIZER
    assert path.stat().st_ino == weights_before


def test_a_further_file_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", weights=CONTENT)
    spec = tiny_with_tokenizer(tmp_path, "all.zip", TOKENIZER, source="file:nowhere.json")
    with pytest.raises(WeightsError, match=r"tiny: tokenizer\.json .*there is no file"):
        ensure(spec, places_in(tmp_path))
