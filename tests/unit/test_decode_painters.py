"""Painters keep the memory of their streams, so they are few, whatever videos come; CUDA is told who waits for rows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

from model_zoo.errors import BackendError
from serve.decode.paint import GpuBlock, GpuRows
from serve.decode.sessions import SessionKind, Sessions
from tests.stand_in_nvcodec import Library, Trouble
from tests.twin import HostPainter

KINDS = [SessionKind("h264", 8, 160 + 16 * number, 96) for number in range(20)]


def sessions(engines: int, trouble: Trouble | None = None) -> tuple[Sessions, list[HostPainter], Library]:
    painters: list[HostPainter] = []

    def new_painter() -> HostPainter:
        painters.append(HostPainter())
        return painters[-1]

    library = Library(trouble)
    return Sessions(library, new_painter, engines, patience_seconds=60.0), painters, library


@pytest.mark.parametrize("engines", [1, 2, 7])
def test_videos_of_any_number_of_sizes_are_painted_by_one_painter_more_than_sessions_wait(engines: int) -> None:
    lent, painters, library = sessions(engines)
    for kind in KINDS * 2:
        with lent.session(kind):
            pass
    assert len(library.opened) == 2 * len(KINDS), "none of these sessions waits long enough to be used again"
    assert len(painters) == lent.most_idle + 1


def test_videos_at_once_never_share_a_painter() -> None:
    lent, painters, _ = sessions(4)
    busy: set[int] = set()

    def decode(kind: SessionKind) -> None:
        with lent.session(kind) as session:
            assert id(session.painter) not in busy
            busy.add(id(session.painter))
            for _ in range(1000):
                assert id(session.painter) in busy
            busy.remove(id(session.painter))

    with ThreadPoolExecutor(8) as files:
        list(files.map(decode, KINDS * 10))
    assert len(painters) <= lent.most_idle + 4


def fail(lent: Sessions, kind: SessionKind) -> None:
    with lent.session(kind):
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")


def refused(lent: Sessions, kind: SessionKind) -> None:
    with lent.session(kind):
        pytest.fail("a session was opened")


@pytest.mark.parametrize(
    ("trouble", "use"),
    [(Trouble(), fail), (Trouble(refuses=True), refused), (Trouble(at_open=True), refused)],
    ids=["in the middle", "refused", "when it is opened"],
)
def test_a_video_that_fails_leaves_its_painter_for_the_next(
    trouble: Trouble, use: Callable[[Sessions, SessionKind], None]
) -> None:
    lent, painters, _ = sessions(1, trouble)
    for kind in KINDS:
        with suppress(RuntimeError, BackendError):
            use(lent, kind)
    assert len(painters) == 1


def test_a_stream_waits_for_rows_by_their_event_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    runtime = SimpleNamespace(streamWaitEvent=lambda stream, event: told.append(("stream waits", stream, event)))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    array = SimpleNamespace(data=SimpleNamespace(ptr=4096), size=2 * 3 * 4 * 3)
    ready = SimpleNamespace(ptr=9, synchronize=lambda: told.append(("caller waits", 0, 9)))
    rows = GpuRows(GpuBlock(array), (2, 3, 4, 3), ready, copies=None)
    assert (len(rows), rows.room, rows.address, rows.dtype) == (2, 2, 4096, np.uint8)
    rows.wait(7)
    rows.wait(None)
    assert told == [("stream waits", 7, 9), ("caller waits", 0, 9)]
