"""How to spread a batch over CPU cores: one session called by N workers, N sessions, or one session with N threads.

The network is nudenet 320n (YOLOv8n at 320 pixels, 2 GFLOP), read from its own package; the frames are noise.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import numpy as np
import onnxruntime

from benchmarks.harness import Case, compare, write
from serve.cores import usable_threads

FRAMES = 64
CORES = usable_threads()
Run = Callable[[np.ndarray], object]


def session(threads: int, spin: bool) -> Run:
    """Open the network with `threads` intra-op threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    path = str(resources.files("nudenet") / "320n.onnx")
    opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: opened.run(None, {"images": pixels})


def main() -> None:
    """Compare the ways of sharing cores at batch 1, 4 and 8."""
    frames = np.random.default_rng(0).random((FRAMES, 3, 320, 320), dtype=np.float32)
    shared, many = session(1, spin=False), [session(1, spin=False) for _ in range(CORES)]
    threaded, spinning = session(CORES, spin=False), session(CORES, spin=True)
    with ThreadPoolExecutor(CORES) as workers:

        def in_turn(run: Run, rows: int) -> int:
            for start in range(0, FRAMES, rows):
                run(frames[start : start + rows])
            return FRAMES

        def spread(runs: list[Run], rows: int) -> int:
            def part(number: int) -> None:
                for start in range(number * rows, FRAMES, rows * CORES):
                    runs[number](frames[start : start + rows])

            list(workers.map(part, range(CORES)))
            return FRAMES

        peer = f"1 session, {CORES} spinning threads, batch 1"
        cases = [Case(peer, lambda: in_turn(spinning, 1))]
        for rows in (1, 4, 8):
            cases += [
                Case(f"1 session, {CORES} threads, batch {rows}", lambda rows=rows: in_turn(threaded, rows)),
                Case(f"{CORES} sessions, 1 thread each, batch {rows}", lambda rows=rows: spread(many, rows)),
                Case(f"1 session, {CORES} callers, batch {rows}", lambda rows=rows: spread([shared] * CORES, rows)),
            ]
        write("backend", __doc__ or "", {"sharing cores": (peer, compare(cases, peer))})


if __name__ == "__main__":
    main()
