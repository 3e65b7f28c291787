"""How a server starts, fills up, drains and ends: a process of its own for each story."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import MEDIA
from tests.server_process import Server, free_port, started

pytestmark = pytest.mark.weights
CAT = (MEDIA / "images" / "cat.png").read_bytes()
DEMO = (MEDIA / "demo.mp4").read_bytes()
SLOW = "/invocations?interval_seconds=0.25"  # a few seconds of work


def post(server: Server, path: str, body: bytes, seconds: float = 60) -> httpx.Response:
    return httpx.post(server.url + path, content=body, timeout=seconds, trust_env=False)


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def begun(server: Server, background: ThreadPoolExecutor) -> Future[httpx.Response]:
    """Start slow work, and return once a worker is at it."""
    answer = background.submit(post, server, SLOW, DEMO)
    wait_for_places(server, 1)
    time.sleep(0.3)
    return answer


def wait_for_places(server: Server, taken: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    line = f'reelwarden_taken_places{{lane="videos"}} {taken}.0'
    while line not in httpx.get(f"{server.url}/metrics", trust_env=False).text:
        assert time.monotonic() < end, f"never {line}"
        time.sleep(0.02)


def logged(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]


def test_c04_c05_c06_ping_is_quick_while_models_load_and_the_first_200_means_work_is_taken(tmp_path: Path) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels,text") as server:
        seen = []
        while not seen or seen[-1] != 200:
            start = time.perf_counter()
            status = server.ping()
            assert time.perf_counter() - start < 2
            if status not in seen:
                seen.append(status)
            assert server.process.poll() is None
        assert seen == [0, 503, 200]
        assert post(server, "/invocations", CAT).status_code == 200


def test_c30_c31_an_idle_server_ends_at_once_with_0_and_says_so_in_json_lines(tmp_path: Path) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels") as server:
        server.wait_for(200)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 3
        assert "draining" in {line["message"] for line in logged(server)}
        assert all({"time", "level", "message"} <= set(line) for line in logged(server))


def test_a_signal_while_models_load_ends_the_process(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        server.wait_for(503)
        assert server.stop(seconds=20) == 0


def test_c32_work_in_flight_is_answered_after_sigterm_and_no_new_work_is_taken(
    tmp_path: Path, background: ThreadPoolExecutor
) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels") as server:
        server.wait_for(200)
        answer = begun(server, background)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.ping() == 0
        assert server.process.wait(30) == 0
        assert answer.result().status_code == 200
        assert answer.result().json()["complete"]
        assert not list((tmp_path / "tmp").glob("reelwarden-*"))


def test_work_that_does_not_end_in_time_after_sigterm_is_answered_with_what_it_has(
    tmp_path: Path, background: ThreadPoolExecutor
) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels", REELWARDEN_DRAIN_SECONDS="0.5") as server:
        server.wait_for(200)
        answer = begun(server, background)
        assert server.stop(seconds=10) == 0
        report = answer.result().json()
        assert not report["complete"]
        assert "the server is shutting down" in report["errors"][0]["message"]


def test_an_analysis_over_the_deadline_is_answered_with_what_it_has(tmp_path: Path) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels", REELWARDEN_DEADLINE_SECONDS="1.5") as server:
        server.wait_for(200)
        report = post(server, "/invocations?interval_seconds=0.04", DEMO).json()
        assert report["run"]["wall_seconds"] < 10
        assert not report["complete"]
        assert "the deadline of 1.5 s is close" in report["errors"][0]["message"]
        assert report["decode"]["analyzed_seconds"] < 30


def test_a_full_server_says_when_to_come_again_and_ping_says_busy_is_well(
    tmp_path: Path, background: ThreadPoolExecutor
) -> None:
    settings = {"REELWARDEN_DOMAINS": "labels", "REELWARDEN_VIDEOS_AT_ONCE": "1", "REELWARDEN_VIDEOS_WAITING": "1"}
    with started(tmp_path, **settings) as server:
        server.wait_for(200)
        answers = [background.submit(post, server, SLOW, DEMO) for _ in range(2)]
        wait_for_places(server, 2)
        refused = post(server, SLOW, DEMO)
        assert refused.status_code == 503
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["type"] == "LaterError"
        counted = httpx.get(f"{server.url}/metrics", trust_env=False).text
        assert 'reelwarden_requests_total{route="/invocations",status="503"} 1.0' in counted
        as_picture = {"content": DEMO, "headers": {"Content-Type": "image/png"}}
        disguised = httpx.post(server.url + SLOW, trust_env=False, **as_picture)
        assert disguised.status_code == 503, "a video waits with the videos, whatever it is called"
        assert httpx.get(f"{server.url}/readyz", trust_env=False).json() == {"state": "busy"}
        assert server.ping() == 200
        assert httpx.post(
            f"{server.url}/invocations", content=CAT, headers={"Content-Type": "image/png"}, trust_env=False
        ).is_success, "pictures do not wait for videos"
        assert [answer.result().status_code for answer in answers] == [200, 200]


def test_work_ends_when_the_client_leaves(tmp_path: Path) -> None:
    with started(tmp_path, REELWARDEN_DOMAINS="labels") as server:
        server.wait_for(200)
        with pytest.raises(httpx.ReadTimeout):
            post(server, "/invocations?interval_seconds=0.01", DEMO, seconds=1)
        wait_for_places(server, 0, seconds=10)
        assert 499 in {line.get("status") for line in logged(server)}
        assert not list((tmp_path / "tmp").glob("reelwarden-*"))


def test_c37_sagemaker_may_choose_the_port(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, REELWARDEN_DOMAINS="shots", SAGEMAKER_BIND_TO_PORT=str(port)) as server:
        moved = Server(server.process, f"http://127.0.0.1:{port}", server.log)
        moved.wait_for(200)
        command = [sys.executable, "-m", "serve", "healthcheck"]
        well = subprocess.run(command, env=os.environ | {"SAGEMAKER_BIND_TO_PORT": str(port)}, check=False)
        ill = subprocess.run(command, env=os.environ | {"REELWARDEN_PORT": str(free_port())}, check=False)
        assert (well.returncode, ill.returncode) == (0, 1)


def test_c38_an_unknown_command_ends_with_64_and_names_the_known_ones() -> None:
    answer = subprocess.run([sys.executable, "-m", "serve", "train"], capture_output=True, text=True, check=False)
    assert answer.returncode == 64
    assert "serve" in answer.stderr


def test_a_server_without_its_weights_ends_with_3_and_says_what_is_missing(tmp_path: Path) -> None:
    with started(
        tmp_path, REELWARDEN_DOMAINS="moderation", REELWARDEN_CACHE=str(tmp_path / "none"), REELWARDEN_OFFLINE="1"
    ) as server:
        assert server.process.wait(60) == 3
        lines = logged(server)
        (doctor,) = [line for line in lines if line["message"] == "doctor"]
        assert str(doctor["models"]).startswith("fails: opennsfw")
        assert any("opennsfw" in str(line["message"]) for line in lines[lines.index(doctor) + 1 :])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "REELWARDEN_DOMAINS": "labels",
        "REELWARDEN_FETCH_FROM": str(MEDIA),
        "REELWARDEN_DEADLINE_SECONDS": "600",
    }
    with started(tmp_path_factory.mktemp("life"), **settings) as server:
        server.wait_for(200)
        yield server


def raw(server: Server, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes until the other side closes."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):  # it was closed while more was sent
            connection.sendall(request)
            while piece := connection.recv(65_536):
                answer += piece
    return answer


def test_odd_requests_are_refused_and_the_server_goes_on(server: Server) -> None:
    assert b" 200 " not in raw(server, b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n")
    assert b" 400 " in raw(server, b"NONSENSE\r\n\r\n")
    assert b" 400 " in raw(server, b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n")
    both = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert b" 500 " not in raw(
        server, b"POST /invocations%0A HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    )
    assert b" 400 " in raw(server, both + b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert server.ping() == 200


def test_what_follows_a_body_in_chunks_is_limited_too(server: Server) -> None:
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"1\r\na\r\n0\r\n"
    for trailers in (b"X: aaaaaaaa\r\n" * 200_000, b"X: " + b"a" * 2_000_000):
        assert b" 200 " not in raw(server, head + body + trailers)
    assert server.ping() == 200


def test_a_header_that_never_ends_is_given_up(server: Server) -> None:
    start = time.monotonic()
    assert raw(server, b"GET /ping HTTP/1.1\r\nHost: a\r\n") == b""
    assert time.monotonic() - start < 15


def memory_mib(server: Server) -> dict[str, int]:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return {
        name: int(rest.split()[0]) // 1024 for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }


def test_a_body_of_a_gigabyte_goes_to_disk_in_bounded_memory(server: Server) -> None:
    clip = (MEDIA / "variants" / "demo_noaudio.mp4").read_bytes()
    size = 1_000_000_000
    post(server, "/invocations", clip)
    before = memory_mib(server)["VmHWM"]

    def body() -> Iterator[bytes]:
        yield clip + (size - len(clip)).to_bytes(4, "big") + b"free"
        left = size - len(clip) - 8
        block = bytes(1_000_000)
        while left:
            yield block[:left]
            left -= len(block[:left])

    answer = httpx.post(f"{server.url}/invocations", content=body(), timeout=600, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["media"]["size_bytes"] == size
    assert memory_mib(server)["VmHWM"] - before < 64


def test_a_body_over_the_limit_is_refused_without_being_read(server: Server) -> None:
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\nConnection: close\r\n\r\n"
    assert raw(server, head).startswith(b"HTTP/1.1 413 ")


def test_media_named_by_an_allowed_path_is_analyzed_line_by_line(server: Server) -> None:
    named = [
        MEDIA / "images" / "cat.png",
        MEDIA / "images" / "none.png",
        MEDIA.parent / "conftest.py",
        MEDIA / "demo.mp4",
    ]
    lines = "".join(json.dumps({"media": str(path), "options": {"interval_seconds": 5}}) + "\n" for path in named)
    answer = httpx.post(
        f"{server.url}/invocations",
        content=lines,
        headers={"Content-Type": "application/jsonlines"},
        timeout=120,
        trust_env=False,
    )
    reports = [json.loads(line) for line in answer.text.splitlines()]
    assert [report.get("media", {}).get("name") for report in reports] == ["cat.png", None, None, "demo.mp4"]
    assert [report.get("error", {}).get("status") for report in reports] == [None, 422, 403, None]
    assert reports[3]["decode"]["interval_seconds"] == 5
    alone = httpx.post(f"{server.url}/invocations", json={"media": str(named[0])}, timeout=60, trust_env=False)
    assert alone.json()["domains"] == reports[0]["domains"]
    headers = {"Content-Type": "application/jsonlines", "Accept": "application/json"}  # as Batch Transform splits lines
    one = httpx.post(
        f"{server.url}/invocations", content=lines.splitlines()[0], headers=headers, timeout=60, trust_env=False
    )
    assert one.headers["content-type"] == "application/json"
    assert one.json()["domains"] == reports[0]["domains"]


def test_plain_text_is_media_too(server: Server) -> None:
    answer = httpx.post(
        f"{server.url}/invocations", content="Good morning.", headers={"Content-Type": "text/plain"}, trust_env=False
    )
    assert answer.json()["media"]["kind"] == "text"


def test_pictures_of_several_clients_share_batches(server: Server, background: ThreadPoolExecutor) -> None:
    def picture(_number: int) -> int:
        return httpx.post(
            f"{server.url}/invocations",
            content=CAT,
            headers={"Content-Type": "image/png"},
            timeout=120,
            trust_env=False,
        ).status_code

    assert set(background.map(picture, range(48))) == {200}
    text = httpx.get(f"{server.url}/metrics", trust_env=False).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("reelwarden_batch_rows_"))
    several = float(figures['reelwarden_batch_rows_count{model="efficientnet_lite0"}'])
    alone = float(figures['reelwarden_batch_rows_bucket{le="1.0",model="efficientnet_lite0"}'])
    assert several > alone


def test_no_log_line_holds_a_name_an_address_or_content(server: Server) -> None:
    private = "pr1vate-name"
    httpx.post(f"{server.url}/invocations", files={"file": (f"{private}.txt", private.encode() * 9)}, trust_env=False)
    body = json.dumps({"media": f"https://example.com/{private}?X-Amz-Signature={private}"}).encode()
    httpx.post(
        f"{server.url}/invocations?{private}=1",
        content=body,
        headers={"Content-Type": "application/json", "X-Amzn-SageMaker-Custom-Attributes": private},
        trust_env=False,
    )
    httpx.get(f"{server.url}/{private}", trust_env=False)
    assert private not in server.log.read_text("utf-8")


POISON = """
import serve.pipeline
def analyze(self, path, **words):
    raise ValueError("cannot read " + path.read_text())
serve.pipeline.Analyzer.analyze = analyze
"""


def test_the_log_tells_where_a_bug_is_and_not_the_text_that_brought_it_to_light(tmp_path: Path) -> None:
    private = "pr1vate words"
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    with started(tmp_path, REELWARDEN_DOMAINS="shots", PYTHONPATH=str(tmp_path / "poison")) as server:
        server.wait_for(200)
        headers = {"Content-Type": "text/plain"}
        answer = httpx.post(f"{server.url}/invocations", content=private, headers=headers, trust_env=False)
        assert answer.status_code == 500
        assert server.ping() == 200
        told = [line["exception"] for line in logged(server) if "exception" in line]
        assert any("ValueError" in str(exception) and "sitecustomize" in str(exception) for exception in told)
        assert private not in server.log.read_text("utf-8")
        assert private not in answer.text
