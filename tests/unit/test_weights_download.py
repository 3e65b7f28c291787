"""Downloads over a real connection: resumed, retried, checked, at once, and once only among processes."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from model_zoo.errors import WeightsError
from model_zoo.weights import ensure, ensure_all
from tests.file_server import FileServer, serving
from tests.unit.weights_fixtures import CONTENT, SHA256, places_in, tiny, write_manifest

FILE = "/tiny.onnx"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("model_zoo.sources.download.FIRST_PAUSE_SECONDS", 0.01)
    with serving(context) as state:
        state.files[FILE] = CONTENT
        yield state


def test_a_file_is_fetched_once_and_is_present_afterwards(server: FileServer, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, server.url + FILE)
    seen: list[tuple[str, int, int]] = []
    path = ensure(spec, places, lambda *progress: seen.append(progress))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("tiny", len(CONTENT), len(CONTENT))
    assert ensure(spec, places) == path
    assert len(server.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(server: FileServer, tmp_path: Path) -> None:
    server.break_after_bytes = [5000, 3000]
    path = ensure(tiny(tmp_path, server.url + FILE), places_in(tmp_path))
    assert path.read_bytes() == CONTENT
    assert server.asked_for(FILE) == ["", "bytes=5000-", "bytes=8000-"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server: FileServer, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, server.url + FILE)
    server.break_after_bytes = [7000]
    with pytest.MonkeyPatch.context() as once:
        once.setattr("model_zoo.sources.download.ATTEMPTS", 1)
        with pytest.raises(WeightsError, match=r"could not be fetched: .*127\.0\.0\.1"):
            ensure(spec, places)
    assert not list(places.cache.glob("tiny*"))
    assert ensure(spec, places).read_bytes() == CONTENT
    assert server.asked_for(FILE) == ["", "bytes=7000-"]


def test_a_server_that_cannot_resume_is_read_from_the_start(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.break_after_bytes = [5000]
    assert ensure(tiny(tmp_path, server.url + FILE), places_in(tmp_path)).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT[:5000][::-1], CONTENT * 2])
def test_the_beginning_of_another_file_is_thrown_away(server: FileServer, tmp_path: Path, left: bytes) -> None:
    places = places_in(tmp_path)
    spec = tiny(tmp_path, server.url + FILE)
    server.break_after_bytes = [100]
    with pytest.MonkeyPatch.context() as once:
        once.setattr("model_zoo.sources.download.ATTEMPTS", 1)
        with pytest.raises(WeightsError):
            ensure(spec, places)
    (part,) = places.cache.glob(".work/**/*.part")
    part.write_bytes(left)
    assert ensure(spec, places).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert ensure(tiny(tmp_path, server.url + FILE), places_in(tmp_path)).read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_named_with_the_answer(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"https://127\.0\.0\.1:\d+/gone: HTTP 404 Not Found"):
        ensure(tiny(tmp_path, server.url + "/gone"), places_in(tmp_path))


def test_a_server_that_is_not_there_leads_to_the_next_source(server: FileServer, tmp_path: Path) -> None:
    spec = tiny(tmp_path, "https://127.0.0.1:9/tiny.onnx", server.url + FILE)
    assert ensure(spec, places_in(tmp_path)).read_bytes() == CONTENT


def test_a_wrong_file_is_refused_and_nothing_of_it_is_kept(server: FileServer, tmp_path: Path) -> None:
    server.files[FILE] = CONTENT[::-1]
    places = places_in(tmp_path)
    with pytest.raises(WeightsError, match=rf"sha256 is [0-9a-f]{{64}}, expected {SHA256}; the file was removed"):
        ensure(tiny(tmp_path, server.url + FILE), places)
    assert [path for path in places.cache.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_offline_asks_nobody(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="REELWARDEN_OFFLINE"):
        ensure(tiny(tmp_path, server.url + FILE), places_in(tmp_path, offline=True))
    assert server.asked == []


def test_several_models_are_fetched_at_once(server: FileServer, tmp_path: Path) -> None:
    server.together = threading.Barrier(3)  # no answer before three are asked for
    contents = {name: name.encode() * 1000 for name in ("one", "two", "three")}
    server.files |= {f"/{name}": content for name, content in contents.items()}
    specs = [tiny(tmp_path, f"{server.url}/{name}", name=name, content=content) for name, content in contents.items()]
    paths = ensure_all(specs, places_in(tmp_path))
    assert {name: path.read_bytes() for name, path in paths.items()} == contents


def fetching(manifest: Path, folder: Path) -> subprocess.Popen[str]:
    """Start a process of its own that fetches the model of a manifest and prints its bytes."""
    program = (
        "import sys; from pathlib import Path; from model_zoo.manifest import read; from model_zoo.weights import *\n"
        "places = WeightPlaces(Path(sys.argv[2]) / 'model', Path(sys.argv[2]) / 'cache')\n"
        "print(ensure_all(read(Path(sys.argv[1])), places)['tiny'].read_bytes().hex())"
    )
    command = [sys.executable, "-c", program, str(manifest), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_three_processes_fetch_a_file_once(server: FileServer, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [server.url + FILE])
    running = [fetching(manifest, tmp_path) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in running]
    assert outputs == [CONTENT.hex()] * 3
    assert len(server.asked) == 1


def test_an_interrupted_process_stops_and_the_next_goes_on(server: FileServer, tmp_path: Path) -> None:
    server.pause_seconds = 1.0
    process = fetching(write_manifest(tmp_path, [server.url + FILE]), tmp_path)
    for _ in range(1000):
        parts = list(tmp_path.glob("cache/.work/**/*.part"))
        if parts and parts[0].stat().st_size:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    server.pause_seconds = 0.0
    assert ensure(tiny(tmp_path, server.url + FILE), places_in(tmp_path)).read_bytes() == CONTENT
    assert server.asked_for(FILE)[-1].startswith("bytes=")
