"""How fast is the server, and how does it behave when too much is asked of it?

32 clients send JPEG pictures over HTTP, on the same machine, with the load tool `hey` (Debian package hey), which takes
its share of the cores. The peer is a plain loop without HTTP or a report: it decodes the same JPEG with PyAV, scales it
with OpenCV and runs the same ONNX files in batches of 32 with ONNX Runtime on all cores; a second peer also decodes on
all cores. Latencies are those of `hey`, of the answers that were admitted (status 200): at capacity, of all runs of the
comparison together. Overload is ten times as many clients as at capacity, each of which asks again as soon as it is
refused, at most at ten times the measured rate. A cold start is from the start of the process on this machine, not of a
container. The CPU time of the case over HTTP is that of the server and of `hey`.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import statistics
import subprocess
import sys
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
PICTURES_ALONE = 64
PEER = "plain loop, batches of 32"
OVERLOAD = 10
OVERLOAD_SECONDS = 15
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
def server(domains: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server and wait for /ping."""
    environment = os.environ | {"REELWARDEN_PORT": str(PORT), "REELWARDEN_HOST": "127.0.0.1"}
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


def hey(clients: int, *limits: str) -> Answers:
    """Have `clients` send the picture again and again."""
    command = ["hey", "-c", str(clients), *limits, "-t", "60", "-o", "csv", "-m", "POST", "-T", "image/jpeg"]
    start = time.perf_counter()
    said = subprocess.run(
        [*command, "-D", str(PICTURE), f"{URL}/invocations"], check=True, capture_output=True, text=True
    ).stdout
    wall_seconds = time.perf_counter() - start
    rows = list(csv.DictReader(io.StringIO(said)))
    admitted = tuple(float(row["response-time"]) for row in rows if row["status-code"] == "200")
    refused = sum(row["status-code"] == "503" for row in rows)
    return Answers(wall_seconds, admitted, refused, other=len(rows) - len(admitted) - refused)


def measured(domain: str) -> tuple[list[Figure], dict[str, object]]:
    """Compare one server with the plain loops, in turns, then ask too much of it."""
    loop = PlainLoop(domain, PICTURE.read_bytes())
    loads: list[Answers] = []

    def by_http() -> int:
        loads.append(hey(CLIENTS, "-n", str(PICTURES)))
        return len(loads[-1].admitted_seconds)

    with server(domain) as process:
        cases = [
            Case(PEER, lambda: loop.run(PICTURES, decoders=1)),
            Case("plain loop, decoding on all cores", lambda: loop.run(PICTURES, decoders=usable_threads())),
            Case(f"HTTP, {CLIENTS} clients", by_http, server=process.pid),
        ]
        figures = compare(cases, PEER)
        alone = hey(1, "-n", str(PICTURES_ALONE)).told()
        return figures, {"one client": alone} | overload(process.pid, together(loads[1:]).told(), alone)


def overload(pid: int, full: dict[str, float], alone: dict[str, float]) -> dict[str, object]:
    """Ask ten times what a server can do; watch what is admitted, /ping, and memory."""
    before_mib = memory_mib(pid)
    each = full["admitted_a_second"] / CLIENTS  # ten times the clients, ten times the rate
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(hey, OVERLOAD * CLIENTS, "-z", f"{OVERLOAD_SECONDS}s", "-q", f"{each:.2f}")
        pings = list(pings_until(work))
        over = work.result().told()
    return {
        "capacity": full,
        "overload": over,
        "overload p99 / capacity p99": round(over["p99_seconds"] / full["p99_seconds"], 2),
        "overload p99 / one client p99": round(over["p99_seconds"] / alone["p99_seconds"], 2),
        "ping under overload, seconds": {"p50": share(pings, 0.5), "p99": share(pings, 0.99), "count": len(pings)},
        "memory MiB before and after overload": [before_mib, memory_mib(pid)],
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
    if shutil.which("hey") is None:
        sys.exit("benchmarks.serve needs the load tool hey: apt-get install hey")
    tables, facts = {}, {}
    for domain in DOMAINS:
        figures, found = measured(domain)
        tables[f"{domain}, {CLIENTS} clients"] = (PEER, figures)
        facts[domain] = found | {"cold start": cold_start(domain)}
    write("serve", __doc__ or "", tables, **facts)


if __name__ == "__main__":
    main()
