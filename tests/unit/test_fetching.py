"""Fetching media from a real TLS server: what is allowed, what is refused, what stays behind, what is said."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from model_zoo.errors import (
    FetchError,
    FetchRefusedError,
    MediaError,
    MediaLimitError,
    MediaNotFoundError,
    TemporaryFetchError,
    UsageError,
)
from serve.fetching import Fetcher
from serve.settings import load_settings
from tests.file_server import FileServer, serving

CLIP = bytes(range(256)) * 40
SECRET = "X-Amz-Signature=verysecret"  # noqa: S105


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, which must be empty after every fetch."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("media.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(context) as state:
        state.files["/in/clip.mp4"] = CLIP
        state.url = state.url.replace("127.0.0.1", "media.example")
        yield state


def fetcher(server: FileServer, answers: Sequence[Sequence[str]] = (), **settings: object) -> Fetcher:
    """Return a fetcher that may use the server; each name server's answer in turn, then always this machine."""
    left = list(answers)
    given = {"fetch_from": server.url, "fetch_networks": "127.0.0.1/32"} | settings
    return Fetcher(load_settings(**given).fetch_rules(), lambda host, port: left.pop(0) if left else ["127.0.0.1"])


def test_a_file_is_there_for_the_block_under_its_own_name_and_gone_after_it(server: FileServer, scratch: Path) -> None:
    with fetcher(server).fetched(f"{server.url}/in/clip.mp4?{SECRET}") as path:
        assert path.name == "clip.mp4"
        assert path.is_relative_to(scratch)
        assert path.read_bytes() == CLIP
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    "reference", ["https://media.example/in/clip.mp4", "s3://clips/clip.mp4", "/etc/hostname", "http://media.example/a"]
)
def test_nothing_may_be_fetched_by_default(reference: str) -> None:
    with pytest.raises(FetchRefusedError), Fetcher(load_settings().fetch_rules()).fetched(reference):
        pass


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("https://media.example", False),  # the port is another
        ("https://media.example:*", None),
        ("https://*.example:{port}", True),
        ("https://*:{port}", True),
        ("https://MEDIA.example:{port}/", True),
        ("https://media.example.org:{port}", False),
        ("https://[m]edia.example:{port}", False),
        ("https://media.example:{port}/in", None),
        ("https://me@media.example:{port}", None),
        ("http://media.example:{port}", None),
        ("media.example", None),
        ("s3://", None),
    ],
)
def test_the_allow_list_is_of_hosts_and_ports(server: FileServer, place: str, allowed: bool | None) -> None:
    place = place.format(port=server.url.rpartition(":")[2])
    if allowed is None:
        with pytest.raises(UsageError, match="fetch_from="):
            fetcher(server, fetch_from=place)
        return
    fetch = fetcher(server, fetch_from=place).fetched(f"{server.url}/in/clip.mp4")
    if allowed:
        with fetch as path:
            assert path.read_bytes() == CLIP
        return
    with pytest.raises(FetchRefusedError, match="fetch_from"), fetch:
        pass
    assert server.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_inside_is_not_connected_to(server: FileServer, address: str) -> None:
    inside = fetcher(server, [[address]], fetch_networks="192.168.7.0/24").fetched(f"{server.url}/in/clip.mp4")
    with pytest.raises(FetchRefusedError, match="not a public one"), inside:
        pass
    assert server.asked == []


def test_one_inner_address_among_public_ones_is_enough_to_refuse(server: FileServer) -> None:
    with (
        pytest.raises(FetchRefusedError, match=r"10\.0\.0\.1"),
        fetcher(server, [["127.0.0.1", "10.0.0.1"]]).fetched(f"{server.url}/in/clip.mp4"),
    ):
        pass
    assert server.asked == []


def test_a_second_answer_of_the_name_server_changes_nothing(server: FileServer) -> None:
    # the first answer is allowed; had the name been asked again for the connection, it would lead to port 443 of 10/8
    with fetcher(server, [["127.0.0.1"], ["10.0.0.1"]]).fetched(f"{server.url}/in/clip.mp4") as path:
        assert path.read_bytes() == CLIP


def test_the_next_address_is_tried_when_one_does_not_answer(server: FileServer) -> None:
    with fetcher(server, [["127.0.0.9", "127.0.0.1"]], fetch_networks="127.0.0.0/8").fetched(
        f"{server.url}/in/clip.mp4"
    ) as path:
        assert path.read_bytes() == CLIP


def test_an_allowed_redirect_is_followed(server: FileServer) -> None:
    server.redirects["/old"] = "/in/clip.mp4"
    with fetcher(server).fetched(f"{server.url}/old") as path:
        assert path.read_bytes() == CLIP


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/clip.mp4",
        "http://media.example/clip.mp4",
        "file:///etc/passwd",
        "https://169.254.169.254/latest/meta-data/",
        "https://me:wrd7@media.example/clip.mp4",
        "//elsewhere.example/clip.mp4",
    ],
)
def test_a_redirect_is_checked_like_the_first_address(server: FileServer, target: str) -> None:
    server.redirects["/old"] = target
    with pytest.raises(FetchRefusedError), fetcher(server).fetched(f"{server.url}/old"):
        pass
    assert [path for path, _ in server.asked] == ["/old"]


def test_the_address_behind_a_redirect_is_resolved_and_checked_anew(server: FileServer) -> None:
    server.redirects["/old"] = "https://inner.example/clip.mp4"
    fetch = fetcher(server, [["127.0.0.1"], ["10.0.0.1"]], fetch_from=f"{server.url},https://inner.example")
    with pytest.raises(FetchRefusedError, match=r"inner\.example: its address 10\.0\.0\.1"):
        fetch.fetched(f"{server.url}/old").__enter__()


def test_redirects_in_a_circle_end(server: FileServer) -> None:
    server.redirects["/old"] = "/old"
    with pytest.raises(FetchError, match="more than 5 redirects"), fetcher(server).fetched(f"{server.url}/old"):
        pass
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "reference",
    [
        "https://me:wrd7@media.example/clip.mp4",
        "https://media.example/a b\x01.mp4",
        "https://exa mple/clip.mp4",
        "https:///clip.mp4",
        "https://media.example:99999/clip.mp4",
        "https://media.example/\ud800.mp4",
        "ftp://media.example/clip.mp4",
        "file:///etc/passwd",
        "gopher://media.example/_",
    ],
)
def test_an_odd_address_is_refused(reference: str) -> None:
    rules = load_settings(fetch_from="https://*").fetch_rules()
    with pytest.raises(FetchRefusedError) as refusal, Fetcher(rules).fetched(reference):
        pass
    assert "wrd7" not in str(refusal.value)


def test_a_file_over_the_limit_is_refused_before_and_while_it_comes(server: FileServer, scratch: Path) -> None:
    small = fetcher(server, max_bytes=1000)
    with pytest.raises(MediaLimitError, match=r"10,240 bytes are over the limit of 1,000"):
        small.fetched(f"{server.url}/in/clip.mp4").__enter__()
    server.says_length = False
    with pytest.raises(MediaLimitError, match="over the limit of 1,000"):
        small.fetched(f"{server.url}/in/clip.mp4").__enter__()
    assert not list(scratch.iterdir())


def test_a_server_that_sends_too_slowly_is_given_up(server: FileServer, scratch: Path) -> None:
    server.pause_seconds = 0.1
    start = time.monotonic()
    with pytest.raises(TemporaryFetchError, match=r"not here after 0\.3 s; raise fetch_total_seconds"):
        fetcher(server, fetch_total_seconds=0.3).fetched(f"{server.url}/in/clip.mp4").__enter__()
    with pytest.raises(TemporaryFetchError, match="in time"):
        fetcher(server, fetch_read_seconds=0.02).fetched(f"{server.url}/in/clip.mp4").__enter__()
    assert time.monotonic() - start < 2
    assert not list(scratch.iterdir())


def test_a_fetch_ends_with_the_time_of_who_waits_for_it(server: FileServer, scratch: Path) -> None:
    server.pause_seconds = 0.1
    start = time.monotonic()
    with pytest.raises(TemporaryFetchError, match=r"the deadline is over; .*REELWARDEN_DEADLINE_SECONDS"):
        fetcher(server).fetched(f"{server.url}/in/clip.mp4", most_seconds=0.3).__enter__()
    asked_times = iter([None] * 5)
    stop = lambda: next(asked_times, "the client has left")  # noqa: E731
    with pytest.raises(TemporaryFetchError, match="not here in time: the client has left"):
        fetcher(server).fetched(f"{server.url}/in/clip.mp4", stop=stop).__enter__()
    assert time.monotonic() - start < 2
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((404, MediaNotFoundError), (410, MediaNotFoundError), (403, FetchError), (429, TemporaryFetchError)),
        *((500, TemporaryFetchError), (503, TemporaryFetchError), (204, FetchError), (206, FetchError)),
    ],
)
def test_an_answer_without_the_file_says_whether_to_try_again(
    server: FileServer, status: int, kind: type[MediaError]
) -> None:
    server.statuses = [status]
    with pytest.raises(kind, match=f"HTTP {status}") as refusal:
        fetcher(server).fetched(f"{server.url}/in/clip.mp4?{SECRET}").__enter__()
    assert type(refusal.value) is kind
    assert "secret" not in str(refusal.value)


def test_a_connection_that_breaks_is_a_passing_problem(server: FileServer, scratch: Path) -> None:
    server.break_after_bytes = [500]
    with pytest.raises(TemporaryFetchError, match="the connection broke"):
        fetcher(server).fetched(f"{server.url}/in/clip.mp4").__enter__()
    assert not list(scratch.iterdir())


def test_a_server_that_is_not_there_is_a_passing_problem(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TemporaryFetchError, match=r"cannot connect .* the proxy of the environment is not used"):
        fetcher(server, fetch_from="https://media.example:9").fetched("https://media.example:9/clip.mp4").__enter__()


def test_a_compressed_answer_is_refused(server: FileServer) -> None:
    server.headers["Content-Encoding"] = "gzip"
    with pytest.raises(FetchError, match="compressed the file"):
        fetcher(server).fetched(f"{server.url}/in/clip.mp4").__enter__()


def test_the_certificate_must_be_the_names(server: FileServer) -> None:
    other = server.url.replace("media.example", "other.example")
    with pytest.raises(FetchError, match="certificate is not trusted"):
        fetcher(server, fetch_from=other).fetched(f"{other}/in/clip.mp4").__enter__()
    assert server.asked == []


@pytest.mark.parametrize(
    ("path", "name"), [("/%2e%2e", "media"), ("/a%2Fb%2Fc.mp4", "c.mp4"), ("/", "media"), (f"/{'x' * 300}.mp4", None)]
)
def test_the_name_of_the_file_cannot_leave_its_folder(
    server: FileServer, scratch: Path, path: str, name: str | None
) -> None:
    server.files[path] = CLIP
    with fetcher(server).fetched(server.url + path) as file:
        assert file.parent.parent == scratch
        assert file.name == name if name else file.name.endswith("xxx.mp4")


def test_a_path_must_lie_in_an_allowed_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "secret"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.mp4").write_bytes(CLIP)
    (inside / "link.mp4").symlink_to(outside / "a.mp4")
    (inside / "circle").symlink_to(inside / "circle")
    fetch = Fetcher(load_settings(fetch_from=str(inside)).fetch_rules())
    with fetch.fetched(str(inside / "a.mp4")) as path:
        assert path.read_bytes() == CLIP
    assert (inside / "a.mp4").exists()
    for escape in (outside / "a.mp4", inside / "link.mp4", inside / ".." / "secret" / "a.mp4", Path("a.mp4")):
        with pytest.raises(FetchRefusedError, match="not below an allowed folder"), fetch.fetched(str(escape)):
            pass
    for missing in ("gone.mp4", "circle", ""):
        with pytest.raises(MediaNotFoundError), fetch.fetched(str(inside / missing)):
            pass
