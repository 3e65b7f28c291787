"""Read one https URL without being led astray: the address that was checked is the one that is connected to.

Names are resolved and checked in the very place where the connection is made, so that a second answer of the name
server (DNS rebinding) has nothing to change. Proxies of the environment are not used: they would resolve names by
themselves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ssl import SSLCertVerificationError, SSLContext
from typing import Any

import httpcore
import httpx

from model_zoo.errors import FetchError, FetchRefusedError, MediaLimitError, MediaNotFoundError, TemporaryFetchError
from serve.addresses import Network, Resolve, check_address
from serve.fetching_time import FetchTime, Patience
from serve.shown import shown

MOST_REDIRECTS = 5
_HEADERS = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "reelwarden")]
_REDIRECTS = {301, 302, 303, 307, 308}
_AGAIN = {408, 425, 429}
_GONE = {404, 410}
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """The beginning of an answer: how long the body says it is, and its blocks as they come."""

    length: int | None
    blocks: Iterator[bytes]


def place_of(url: httpx.URL) -> str:
    """Return a URL as it may be shown: user, password and query may hold secrets."""
    return shown(str(url.copy_with(userinfo=b"", query=None, fragment=None)))


@contextmanager
def web_answer(
    url: httpx.URL,
    check: Callable[[httpx.URL], None],
    networks: tuple[Network, ...],
    patience: Patience,
    time_left: FetchTime,
    resolve: Resolve,
) -> Iterator[WebAnswer]:
    """Open a URL; `check` raises for one that is not allowed, and is asked for every redirect, too."""
    guard = _Guard(networks, resolve, time_left, place_of(url))
    context: SSLContext = httpx.create_ssl_context()  # SSL_CERT_FILE, else the authorities of certifi
    timeout = {"connect": patience.connect_seconds, "read": patience.read_seconds, "write": patience.read_seconds}
    with httpcore.ConnectionPool(ssl_context=context, max_connections=1, network_backend=guard) as pool:
        for _ in range(MOST_REDIRECTS + 1):
            check(url)
            guard.place = place_of(url)
            asked = pool.stream("GET", _target(url), headers=_HEADERS, extensions={"timeout": timeout})
            with _named_errors(guard), asked as answer:
                location = _location(answer)
                if location is None:
                    yield _usable(answer, guard.place)
                    return
                url = _joined(url, location)
    raise FetchError(f"{guard.place}: more than {MOST_REDIRECTS} redirects; name the address they end at")


def _target(url: httpx.URL) -> httpcore.URL:
    """Hand over the parts of the one parse that was checked."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _location(answer: httpcore.Response) -> str | None:
    if answer.status not in _REDIRECTS:
        return None
    return _header(answer, b"location")


def _joined(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return url.join(location)
    except httpx.InvalidURL:
        raise FetchError(f"{place_of(url)}: it redirects to something that is no URL") from None


def _header(answer: httpcore.Response, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in answer.headers if name.lower() == wanted), None)


def _usable(answer: httpcore.Response, place: str) -> WebAnswer:
    status = answer.status
    if status != HTTPStatus.OK:
        raise _refusal(status, place)
    if _header(answer, b"content-encoding") not in (None, "", "identity"):
        raise FetchError(f"{place}: the server compressed the file although that was not asked for; serve it as it is")
    length = _header(answer, b"content-length")
    return WebAnswer(int(length) if length and length.isdigit() else None, answer.iter_stream())


def _refusal(status: int, place: str) -> FetchError | MediaNotFoundError:
    said = f"{place}: the server answered HTTP {status}"
    if status in _GONE:
        return MediaNotFoundError(f"{said}; check the address")
    if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TemporaryFetchError(f"{said}; try again later")
    return FetchError(f"{said}; check that the address may be read, and that its signature has not expired")


@contextmanager
def _named_errors(guard: _Guard) -> Iterator[None]:
    """Turn errors of the connection into ours, with the address but without its query."""
    try:
        yield
    except (FetchError, MediaLimitError, MediaNotFoundError):
        raise
    except httpcore.TimeoutException as error:
        guard.time_left.check(guard.place)
        raise TemporaryFetchError(
            f"{guard.place}: no answer in time ({type(error).__name__}); "
            "try again later, or raise the fetch_*_seconds settings"
        ) from None
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__, SSLCertVerificationError) or "CERTIFICATE" in str(error):
            raise FetchError(
                f"{guard.place}: its certificate is not trusted; correct it, or name your authority by SSL_CERT_FILE"
            ) from None
        proxy = "; the proxy of the environment is not used for media" if any(map(os.environ.get, _PROXIES)) else ""
        raise TemporaryFetchError(f"{guard.place}: cannot connect ({error}){proxy}; try again later") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise TemporaryFetchError(
            f"{guard.place}: the connection broke ({type(error).__name__}); try again later"
        ) from None


class _Guard(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and lets nothing last beyond the end of the whole fetch."""

    def __init__(self, networks: tuple[Network, ...], resolve: Resolve, time_left: FetchTime, place: str) -> None:
        """Keep what is allowed; `place` is what messages name."""
        self.place, self.time_left = place, time_left
        self._networks = networks
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def left(self, seconds: float | None) -> float:
        """Return the time that one step may still take; raises TemporaryFetchError where none is left."""
        return self.time_left.step_seconds(self.place, seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check every address, and connect to the first that answers."""
        addresses = self._resolve(host, port)
        for address in addresses:  # all of them, as a name with one inner address is not to be trusted
            check_address(host, address, self._networks)
        problem: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _Timed(stream, self)
        raise problem

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Refuse: media comes by https alone."""
        raise FetchRefusedError(f"{self.place}: media is not fetched by unix sockets")

    def sleep(self, seconds: float) -> None:
        """Wait, as the library asks between its own attempts."""
        time.sleep(self.left(seconds))


class _Timed(httpcore.NetworkStream):
    """A connection whose every step ends with the whole fetch: a trickle of bytes does not keep it alive."""

    def __init__(self, stream: httpcore.NetworkStream, guard: _Guard) -> None:
        """Wrap `stream`."""
        self._stream = stream
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        return self._stream.read(max_bytes, self._guard.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self._stream.write(buffer, self._guard.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on encrypted; the certificate must be the host's, whatever the address."""
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, self._guard.left(timeout)), self._guard)

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection."""
        return self._stream.get_extra_info(info)
