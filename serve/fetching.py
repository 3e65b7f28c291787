"""Media that a request names instead of bringing it: `https://`, `s3://` or a path becomes a local file, if allowed.

Nothing is allowed by default. The setting `fetch_from` lists the places: `https://HOST[:PORT]`, `s3://BUCKET[/PREFIX]`
and `/FOLDER`; `*` in a host, a bucket or a prefix stands for anything. See docs/fetching.md.
"""

from __future__ import annotations

import errno
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import httpx

from model_zoo.errors import FetchRefusedError, MediaNotFoundError, TemporaryFetchError, UsageError
from serve.addresses import Network, Resolve, resolve
from serve.asked import Stop, never_stop
from serve.containers import named_os_errors
from serve.fetching_https import place_of, web_answer
from serve.fetching_time import FetchTime, Patience
from serve.limits import Limits, check_bytes
from serve.s3 import S3Place, s3_client, s3_errors, s3_place
from serve.shown import shown

_S3_BLOCK_BYTES = 1 << 14  # boto3 waits for a whole one, also where a store drips
_MOST_NAME_BYTES = 200  # file systems take 255
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_HOW = "name its place in fetch_from (REELWARDEN_FETCH_FROM)"


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Where media may be fetched from, how large it may be and how long it may take."""

    hosts: tuple[re.Pattern[str], ...]  # of HOST:PORT
    buckets: tuple[re.Pattern[str], ...]  # of BUCKET/KEY
    folders: tuple[Path, ...]
    networks: tuple[Network, ...]  # not public, and allowed nevertheless
    limits: Limits
    patience: Patience


def fetch_rules(places: Iterable[str], networks: Iterable[str], limits: Limits, patience: Patience) -> FetchRules:
    """Read the lists of the settings; raises UsageError with the entry that is wrong."""
    hosts, buckets, folders = [], [], []
    for place in places:
        if place.startswith("https://"):
            hosts.append(_host_pattern(place))
        elif place.startswith("s3://") and place != "s3://":
            bucket, _, prefix = place.removeprefix("s3://").partition("/")
            buckets.append(re.compile(f"{_stars(bucket, '[^/]*')}/{_stars(prefix, '.*')}.*", re.DOTALL))
        elif Path(place).is_absolute():
            folders.append(Path(place))
        else:
            raise UsageError(f"fetch_from={place!r}: write https://HOST[:PORT], s3://BUCKET[/PREFIX] or /FOLDER")
    nets = tuple(map(_network, networks))
    return FetchRules(tuple(hosts), tuple(buckets), tuple(folders), nets, limits, patience)


def bucket_pattern(bucket: str, prefix: str) -> re.Pattern[str]:
    """Return the pattern of the objects whose keys begin with a prefix, taken as it is."""
    return re.compile(re.escape(f"{bucket}/{prefix}") + ".*", re.DOTALL)


def _host_pattern(place: str) -> re.Pattern[str]:
    host, colon, port = place.removeprefix("https://").rstrip("/").lower().rpartition(":")
    if not colon:
        host, port = port, "443"
    if not host or not port.isdigit() or set(host) & set("/@?#"):
        raise UsageError(f"fetch_from={place!r}: write https://HOST or https://HOST:PORT, without path, user or query")
    return re.compile(f"{_stars(host, '[^:]*')}:{port}")


def _stars(pattern: str, anything: str) -> str:
    """Return the regular expression of a text in which `*` stands for anything."""
    return anything.join(map(re.escape, pattern.split("*")))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise UsageError(f"fetch_networks={text!r}: {error}; write e.g. 10.1.0.0/16") from error


class Fetcher:
    """Fetches media by the rules; may be used by several threads."""

    def __init__(self, rules: FetchRules, resolve: Resolve = resolve) -> None:
        """Keep the rules; nothing is connected to yet."""
        self.rules = rules
        self._resolve = resolve

    def fetched(
        self, reference: str, most_seconds: float = math.inf, stop: Stop = never_stop
    ) -> AbstractContextManager[Path]:
        """Return a local file for the length of a `with` block; what was downloaded is removed after it.

        It ends after `most_seconds`, where the settings allow more, and when `stop`, asked for every block, says so.
        Raises FetchRefusedError, MediaNotFoundError, MediaLimitError, TemporaryFetchError or FetchError.
        """
        scheme, colon, _ = reference.partition("://")
        if "\0" in reference or (colon and not _is_unicode(reference)):
            raise FetchRefusedError(f"{shown(scheme[:20])}…: the address holds bytes that no address has; correct it")
        if not colon:
            return self._local(Path(reference))
        time_left = FetchTime(self.rules.patience.total_seconds, most_seconds, stop)
        if scheme == "s3":
            return self._from_s3(s3_place(reference), time_left)
        if scheme == "https":
            return self._from_web(_parsed(reference), time_left)
        raise FetchRefusedError(f"{shown(scheme[:20])}://…: media is fetched by https:// or s3:// alone")

    @contextmanager
    def _local(self, path: Path) -> Iterator[Path]:
        with named_os_errors(path):
            real = Path(os.path.realpath(path))  # a link must not lead out of the folder
            if not any(real.is_relative_to(os.path.realpath(folder)) for folder in self.rules.folders):
                raise FetchRefusedError(f"{shown(str(path))}: not below an allowed folder; {_HOW}")
            if not real.is_file():
                raise MediaNotFoundError(f"{shown(str(path))}: no such file; check the spelling")
        yield real

    @contextmanager
    def _from_web(self, url: httpx.URL, time_left: FetchTime) -> Iterator[Path]:
        rules = self.rules
        self._check_url(url)
        with _temporary_file(unquote(url.path)) as path:
            with web_answer(url, self._check_url, rules.networks, rules.patience, time_left, self._resolve) as answer:
                self._keep(path, place_of(url), answer.blocks, answer.length, time_left)
            yield path

    @contextmanager
    def _from_s3(self, place: S3Place, time_left: FetchTime) -> Iterator[Path]:
        if not any(pattern.fullmatch(f"{place.bucket}/{place.key}") for pattern in self.rules.buckets):
            raise FetchRefusedError(f"{place}: fetching from there is not allowed; {_HOW}")
        with _temporary_file(place.key) as path:
            time_left.check(str(place))
            with s3_errors(place):
                answer = self._s3.get_object(Bucket=place.bucket, Key=place.key)
                with closing(answer["Body"]) as body:
                    self._keep(path, str(place), body.iter_chunks(_S3_BLOCK_BYTES), answer["ContentLength"], time_left)
            yield path

    @cached_property
    def _s3(self) -> Any:
        return s3_client(self.rules.patience.connect_seconds, self.rules.patience.read_seconds)

    def _check_url(self, url: httpx.URL) -> None:
        """Raise FetchRefusedError for a URL, or one it redirects to, that is not allowed."""
        place = place_of(url)
        if url.scheme != "https":
            raise FetchRefusedError(f"{place}: media is fetched by https alone; offer it there")
        if url.userinfo:
            raise FetchRefusedError(f"{place}: a user or password in the address is refused; use a signed URL")
        host = url.raw_host.decode("ascii").lower().rstrip(".")
        if not _HOST.fullmatch(host):
            raise FetchRefusedError(f"{place}: {shown(host)!r} is no name of a host; check the address")
        end = f"{host}:{url.port or 443}"
        if not any(pattern.fullmatch(end) for pattern in self.rules.hosts):
            raise FetchRefusedError(f"{place}: fetching from there is not allowed; {_HOW}")

    def _keep(self, path: Path, place: str, blocks: Iterable[bytes], length: int | None, time_left: FetchTime) -> None:
        """Write the blocks to a file, as long as size and time allow."""
        limits = self.rules.limits
        check_bytes(place, length or 0, limits)
        size = 0
        with path.open("wb") as file:
            for block in blocks:
                size += len(block)
                check_bytes(place, size, limits)
                time_left.check(place)
                _write(file, block, place)


def _write(file: Any, block: bytes, place: str) -> None:
    try:
        file.write(block)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TemporaryFetchError(
            f"{place}: no room for it in {tempfile.gettempdir()}; make room, or set TMPDIR to a larger disk"
        ) from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(reference: str) -> httpx.URL:
    try:
        return httpx.URL(reference)
    except (httpx.InvalidURL, ValueError):
        raise FetchRefusedError("https://…: this is no valid URL; check it for spaces and odd characters") from None


@contextmanager
def _temporary_file(remote_path: str) -> Iterator[Path]:
    """Make a folder in TMPDIR for a file of the remote name, as the report shall show it; remove both afterwards."""
    name = PurePosixPath(remote_path).name.replace("\0", "")
    short = name.encode("utf-8", "replace")[-_MOST_NAME_BYTES:].decode("utf-8", "ignore")
    with tempfile.TemporaryDirectory(prefix="reelwarden-") as folder:
        yield Path(folder, short if short not in {"", ".", ".."} else "media")
