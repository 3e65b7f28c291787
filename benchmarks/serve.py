"""How fast is the server, and how does it behave when too much is asked of it?

32 clients send JPEG pictures over HTTP, on the same machine, with the load tool `hey` (Debian package hey), which takes
its share of the cores. The peer is a plain loop without HTTP or a report: it decodes the same JPEG with PyAV, scales it
with OpenCV and runs the same ONNX files in batches of 32 with ONNX Runtime on all cores; a second peer also decodes on
all cores. Latencies are those of `hey`, of the answers that were admitted (status 200). Overload is ten times as many
clients as at capacity, each of which asks again as soon as it is refused, at most at ten times the measured rate.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import Case, compare, write
from benchmarks.plain_loop import PlainLoop

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "tests" / "media" / "images" / "two_dogs.jpg"
PORT = 18_990
URL = f"http://127.0.0.1:{PORT}"
CLIENTS = 32
PICTURES = int(os.environ.get("BENCHMARK_PICTURES", "640"))
OVERLOAD = 10
OVERLOAD_SECONDS = 15
STARTS = 3
DOMAINS = ("moderation", "labels")


@dataclass(frozen=True, slots=True)
class Load:
    """What clients saw."""

    clients: int
    admitted: int
    refused: int
    other: int
    admitted_a_second: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


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


def hey(clients: int, *limits: str) -> Load:
    """Have `clients` send the picture again and again."""
    command = ["hey", "-c", str(clients), *limits, "-t", "60", "-o", "csv", "-m", "POST", "-T", "image/jpeg"]
    start = time.perf_counter()
    said = subprocess.run(
        [*command, "-D", str(PICTURE), f"{URL}/invocations"], check=True, capture_output=True, text=True
    ).stdout
    wall_seconds = time.perf_counter() - start
    rows = list(csv.DictReader(io.StringIO(said)))
    admitted = sorted(float(row["response-time"]) for row in rows if row["status-code"] == "200")
    refused = sum(row["status-code"] == "503" for row in rows)
    return Load(
        clients=clients,
        admitted=len(admitted),
        refused=refused,
        other=len(rows) - len(admitted) - refused,
        admitted_a_second=round(len(admitted) / wall_seconds, 1),
        p50_seconds=_share(admitted, 0.50),
        p95_seconds=_share(admitted, 0.95),
        p99_seconds=_share(admitted, 0.99),
    )


def throughput(domain: str) -> tuple[str, list[object]]:
    """Compare the server with the plain loops, in turns."""
    loop = PlainLoop(domain, PICTURE.read_bytes())
    with server(domain):
        hey(CLIENTS, "-n", str(2 * CLIENTS))
        cases = [
            Case("plain loop, batches of 32", lambda: loop.run(PICTURES, decoders=1)),
            Case("plain loop, decoding on all cores", lambda: loop.run(PICTURES, decoders=os.cpu_count() or 1)),
            Case(f"HTTP, {CLIENTS} clients", lambda: hey(CLIENTS, "-n", str(PICTURES)).admitted),
        ]
        return cases[0].name, list(compare(cases, cases[0].name))


def behaviour(domain: str) -> dict[str, object]:
    """Measure latency at one client, at capacity and at ten times as many, /ping meanwhile, and memory."""
    with server(domain) as process:
        hey(CLIENTS, "-n", str(2 * CLIENTS))
        alone, used = hey(1, "-n", "64"), _cpu_seconds(process.pid)
        full = hey(CLIENTS, "-n", str(PICTURES))
        used = _cpu_seconds(process.pid) - used
        before_mib = _memory_mib(process.pid)
        each = OVERLOAD * full.admitted_a_second / (OVERLOAD * CLIENTS)
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(hey, OVERLOAD * CLIENTS, "-z", f"{OVERLOAD_SECONDS}s", "-q", f"{max(each, 0.1):.2f}")
            pings = list(_pings_until(work.done))
            over = work.result()
        return {
            "one client": asdict(alone),
            "capacity": asdict(full),
            "server CPU at capacity, ms a picture": round(1000 * used / PICTURES, 1),
            "overload": asdict(over),
            "overload p99 / capacity p99": round(over.p99_seconds / full.p99_seconds, 2),
            "ping under overload, seconds": {
                "p50": _share(pings, 0.5),
                "p99": _share(pings, 0.99),
                "count": len(pings),
            },
            "memory MiB before and after overload": [before_mib, _memory_mib(process.pid)],
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


def _pings_until(done: object) -> Iterator[float]:
    while not done():  # type: ignore[operator]
        start = time.perf_counter()
        if ping() == 200:
            yield time.perf_counter() - start
        time.sleep(0.05)


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else float("nan")


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, which a busy machine changes little."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Measure the domains one after another."""
    if shutil.which("hey") is None:
        sys.exit("benchmarks.serve needs the load tool hey: apt-get install hey")
    tables = {f"{domain}, {CLIENTS} clients": throughput(domain) for domain in DOMAINS}
    facts = {f"{domain}": behaviour(domain) | {"cold start": cold_start(domain)} for domain in DOMAINS}
    write("serve", __doc__ or "", tables, **facts)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
