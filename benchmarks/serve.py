"""How fast is the server, and how does it behave when too much is asked of it?

Clients send JPEG pictures over HTTP, on the same machine, with the load tool `h2load` (Debian package
nghttp2-client), which takes its share of the cores: at capacity 32 of them, each of which asks again as soon as it
has its answer. The peer is a plain loop without HTTP or a report: it decodes the same JPEG with PyAV, scales it with
OpenCV and runs the same ONNX files in batches of 32 with ONNX Runtime on all cores; a second peer also decodes on all
cores. Latencies are of the answers that were admitted (status 200), at capacity of all runs of the comparison
together. Overload is ten times the measured rate, one picture after another at even intervals, each on a connection
of its own and whatever became of those before; once as the server is set by itself, once with one picture at a time
and none waiting. A cold start is from the start of the process on this machine, not of a container. The CPU time of
the case over HTTP is that of the server and of `h2load`.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Case, Figure, compare, write
from benchmarks.plain_loop import PlainLoop
from serve.cores import usable_threads

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "tests" / "media" / "images" / "two_dogs.jpg"
PORT = 18_990
URL = f"http://127.0.0.1:{PORT}"
CLIENTS = 32
PICTURES = 8 * CLIENTS  # a run of some ten seconds: all of them together take about five minutes
PICTURES_ALONE = 128
PEER = "plain loop, batches of 32"
OVERLOAD = 10
OVERLOAD_SECONDS = 15
MOST_PERIOD_MS = 10
QUICK = {"pictures_at_once": 1, "pictures_waiting": 0}  # for whom latency matters more than throughput
STARTS = 3
DOMAINS = ("moderation", "labels")


@dataclass(frozen=True, slots=True)
class Answers:
    """What clients saw of one load."""

    wall_seconds: float
    admitted_seconds: tuple[float, ...]  # the latency of each
    refused: int
    other: int

    def told(self) -> dict[str, float]:
        """Return the figures."""
        return {
            "admitted": len(self.admitted_seconds),
            "refused": self.refused,
            "other": self.other,
            "admitted_a_second": round(len(self.admitted_seconds) / self.wall_seconds, 1),
            "p50_seconds": share(self.admitted_seconds, 0.50),
            "p95_seconds": share(self.admitted_seconds, 0.95),
            "p99_seconds": share(self.admitted_seconds, 0.99),
        }


def together(loads: Sequence[Answers]) -> Answers:
    """Return several loads as one."""
    return Answers(
        wall_seconds=sum(load.wall_seconds for load in loads),
        admitted_seconds=tuple(seconds for load in loads for seconds in load.admitted_seconds),
        refused=sum(load.refused for load in loads),
        other=sum(load.other for load in loads),
    )


@contextmanager
def server(domains: str, **settings: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server and wait for /ping."""
    environment = os.environ | {"REELWARDEN_PORT": str(PORT), "REELWARDEN_HOST": "127.0.0.1"}
    environment |= {f"REELWARDEN_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "serve", "serve", "--domains", domains]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while ping() != 200:
                time.sleep(0.01)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def ping() -> int:
    """Return the status of /ping, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"{URL}/ping", timeout=5) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def load(*limits: str) -> Answers:
    """Have clients send the picture."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["h2load", "--h1", *limits, "--data", str(PICTURE), "--header=content-type: image/jpeg"]
        start = time.perf_counter()
        subprocess.run([*command, f"--log-file={log}", f"{URL}/invocations"], check=True, capture_output=True)
        wall_seconds = time.perf_counter() - start
        rows = [line.split("\t") for line in log.read_text().splitlines()]  # start, status, microseconds
    admitted = tuple(int(row[2]) / 1e6 for row in rows if row[1] == "200")
    refused = sum(row[1] == "503" for row in rows)
    return Answers(wall_seconds, admitted, refused, other=len(rows) - len(admitted) - refused)


def by_clients(clients: int, pictures: int) -> Answers:
    """Have some clients ask again and again."""
    return load("-c", str(clients), "-n", str(pictures))


def at_a_rate(pictures_a_second: float) -> Answers:
    """Have clients come at even intervals, at the rate or a little more; each asks once."""
    periods = {each_ms: math.ceil(pictures_a_second * each_ms / 1000) for each_ms in range(1, MOST_PERIOD_MS + 1)}
    period_ms, together = min(periods.items(), key=lambda pair: pair[1] / pair[0])
    asked = str(round(OVERLOAD_SECONDS * 1000 / period_ms) * together)
    return load("-c", asked, "-n", asked, "-r", str(together), f"--rate-period={period_ms}ms")


def measured(domain: str) -> tuple[list[Figure], dict[str, object]]:
    """Compare one server with the plain loops, in turns, then ask too much of it."""
    loop = PlainLoop(domain, PICTURE.read_bytes())
    loads: list[Answers] = []

    def by_http() -> int:
        loads.append(by_clients(CLIENTS, PICTURES))
        return len(loads[-1].admitted_seconds)

    with server(domain) as process:
        cases = [
            Case(PEER, lambda: loop.run(PICTURES, decoders=1)),
            Case("plain loop, decoding on all cores", lambda: loop.run(PICTURES, decoders=usable_threads())),
            Case(f"HTTP, {CLIENTS} clients", by_http, server=process.pid),
        ]
        figures = compare(cases, PEER)
        alone, full = by_clients(1, PICTURES_ALONE).told(), together(loads[1:]).told()
        asked = OVERLOAD * full["admitted_a_second"]
        over = overload(process.pid, asked, {"at capacity": full, "of one client": alone})
    with server(domain, **QUICK) as process:
        by_clients(1, PICTURES_ALONE)  # to warm up
        alone_quick = by_clients(1, PICTURES_ALONE).told()
        quick = overload(process.pid, asked, {"of one client": alone_quick})
    return figures, {
        "one client": alone,
        "capacity": full,
        "overload": over,
        "one client, one at a time": alone_quick,
        "overload, one at a time": quick,
    }


def overload(pid: int, pictures_a_second: float, others: dict[str, dict[str, float]]) -> dict[str, object]:
    """Ask ten times what a server can do; watch what is admitted, /ping, and memory."""
    before_mib = memory_mib(pid)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(at_a_rate, pictures_a_second)
        pings = list(pings_until(work))
    over = work.result()
    told = over.told()
    asked = (told["admitted"] + told["refused"] + told["other"]) / over.wall_seconds
    return {
        "asked_a_second": round(asked, 1),
        **told,
        **{f"p99 / p99 {name}": round(told["p99_seconds"] / other["p99_seconds"], 2) for name, other in others.items()},
        "ping, seconds": {"p50": share(pings, 0.5), "p99": share(pings, 0.99), "count": len(pings)},
        "memory MiB before and after": [before_mib, memory_mib(pid)],
        "memory MiB at most, since the start": memory_mib(pid, "VmHWM"),
    }


def cold_start(domain: str) -> dict[str, object]:
    """Return the seconds from the start of the process to the first answer, and to the first 200, of /ping."""
    answered, ready = [], []
    for _ in range(STARTS):
        start = time.perf_counter()
        environment = os.environ | {"REELWARDEN_PORT": str(PORT), "REELWARDEN_HOST": "127.0.0.1"}
        command = [sys.executable, "-m", "serve", "serve", "--domains", domain]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            while ping() == 0:
                time.sleep(0.01)
            answered.append(time.perf_counter() - start)
            while ping() != 200:
                time.sleep(0.01)
            ready.append(time.perf_counter() - start)
            process.terminate()
    return {
        "first answer of /ping, seconds": round(statistics.median(answered), 2),
        "first 200 of /ping, seconds": round(statistics.median(ready), 2),
        "slowest, seconds": round(max(ready), 2),
    }


def pings_until(work: Future[Answers]) -> Iterator[float]:
    """Return how long each /ping took while work was under way."""
    while not work.done():
        start = time.perf_counter()
        if ping() == 200:
            yield time.perf_counter() - start
        time.sleep(0.05)


def share(values: Sequence[float], part: float) -> float:
    """Return the value that a part of them does not pass."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3) if ordered else float("nan")


def memory_mib(pid: int, figure: str = "VmRSS") -> int:
    """Return the resident memory of a process: now, or with VmHWM the most it ever was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(figure))


def main() -> None:
    """Measure the domains one after another."""
    if shutil.which("h2load") is None:
        sys.exit("benchmarks.serve needs the load tool h2load: apt-get install nghttp2-client")
    tables, facts = {}, {}
    for domain in DOMAINS:
        figures, found = measured(domain)
        tables[f"{domain}, {CLIENTS} clients"] = (PEER, figures)
        facts[domain] = found | {"cold start": cold_start(domain)}
    write("serve", __doc__ or "", tables, **facts)


if __name__ == "__main__":
    main()
