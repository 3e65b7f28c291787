"""Which decoder a file goes to: the table of GPUs and codecs, and the reckoning of `auto`."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from model_zoo.errors import BackendError
from model_zoo.report import MediaFacts, VideoFacts
from model_zoo.values import View
from serve.decode.choose import check_setting, choose
from serve.decode.engines import ENGINES, why_not
from serve.decode.nvdec import NoNvdec, Nvdec
from serve.decode.reading import Wanted, read
from serve.decode.sessions import Sessions
from serve.devices import Gpu, look_for_gpu
from serve.limits import Limits
from serve.media import Media, open_media
from serve.metrics import count
from serve.pipeline import Analyzer
from serve.sampling import Due, Plan
from serve.settings import load_settings
from tests.clips import write_clip
from tests.stand_in_nvcodec import Library
from tests.twin import HostPainter
from tests.unit.report_fixtures import report

T4, A10G, L4, H100 = 75, 86, 89, 90


def video(codec: str = "h264", pixel_format: str = "yuv420p", size: tuple[int, int] = (1920, 1080)) -> VideoFacts:
    return VideoFacts(
        stream_index=0,
        codec=codec,
        pixel_format=pixel_format,
        width=size[0],
        height=size[1],
        coded_width=size[0],
        coded_height=size[1],
        rotation_degrees=0,
        sample_aspect_ratio="1:1",
        frame_rate=25.0,
        start_seconds=0.0,
    )


def media(facts: VideoFacts | None) -> Media:
    known = {"name": "clip.mp4", "sha256": "0" * 64, "size_bytes": 1, "container": "mov", "duration_seconds": 60.0}
    about = MediaFacts(kind="video", video=facts, **known)
    return Media(Path("clip.mp4"), about, Limits(), 0.0, None)


def plan(frames: int) -> Plan:
    return Plan(
        strategy="all",
        reason="",
        interval_seconds=1.0,
        tolerance_seconds=0.0,
        keyframe_interval_seconds=None,
        needed=np.ones(frames, bool),
        runs=np.zeros(1, np.intp),
        run_ticks=np.zeros(1, np.int64),
        due=(Due(every=True, ticks=np.zeros(0, np.int64)),),
        end_seconds=60.0,
        frame_seconds=0.04,
        last_needed_seconds=60.0,
        tick_seconds=0.001,
    )


def nvdec(sm: int = T4, name: str = "Tesla T4") -> Nvdec:
    return Nvdec(Gpu(name, sm, 16 << 30, 12_080), Sessions(Library(), HostPainter))


@pytest.mark.parametrize(
    ("found", "asked", "frames", "cause"),
    [
        (NoNvdec("no NVIDIA driver was found"), "auto", 1800, "no engine"),
        (NoNvdec("no NVIDIA driver was found"), "cpu", 1800, "setting"),
        (nvdec(), "nvdec", 8, "setting"),
        (nvdec(), "auto", 8, "reckoned"),
        (nvdec(), "auto", 1800, "reckoned"),
        (nvdec(61, "an old GPU"), "nvdec", 1800, "not taken"),
    ],
)
def test_every_reason_has_a_word_that_can_be_counted(
    found: Nvdec | NoNvdec, asked: str, frames: int, cause: str
) -> None:
    assert choose(media(video()), plan(frames), asked, 4, found).cause == cause


def test_metrics_count_files_by_decoder_and_cause_and_those_that_the_gpu_gave_up() -> None:
    def counted() -> list[float]:
        labels = {"backend": "nvdec", "cause": "reckoned"}
        return [
            REGISTRY.get_sample_value("reelwarden_decodes_total", labels) or 0.0,
            REGISTRY.get_sample_value("reelwarden_decode_fallbacks_total") or 0.0,
        ]

    found = report()
    on_gpu = found.decode.model_copy(update={"backend": "nvdec", "backend_cause": "reckoned"})
    before = counted()
    count(found.model_copy(update={"decode": on_gpu}))
    count(found.model_copy(update={"decode": on_gpu.model_copy(update={"fallback_reason": "the GPU failed"})}))
    assert counted() == [before[0] + 2, before[1] + 1]


@pytest.mark.parametrize("sm", [100, 103, 120, 121])
def test_every_blackwell_is_known(sm: int) -> None:
    assert why_not(video("av1"), sm) is None
    assert why_not(video("h264", "yuv420p10le"), sm) is None


YES = "yes"
TABLE = [  # codec, pixel format, then what T4, A10G, L4 and H100 do
    ("h264", "yuv420p", YES, YES, YES, YES),
    ("h264", "yuvj420p", YES, YES, YES, YES),
    ("h264", "yuv420p10le", "10 bits", "10 bits", "10 bits", "10 bits"),
    ("h264", "yuv422p", "4:2:0", "4:2:0", "4:2:0", "4:2:0"),
    ("h264", "yuv444p", "4:2:0", "4:2:0", "4:2:0", "4:2:0"),
    ("hevc", "yuv420p", YES, YES, YES, YES),
    ("hevc", "yuv420p10le", YES, YES, YES, YES),
    ("hevc", "yuv422p10le", "4:2:0", "4:2:0", "4:2:0", "4:2:0"),
    ("vp8", "yuv420p", YES, YES, YES, YES),
    ("vp9", "yuv420p", YES, YES, YES, YES),
    ("vp9", "yuv420p10le", YES, YES, YES, YES),
    ("av1", "yuv420p", "not used for AV1", YES, YES, "not used for AV1"),
    ("av1", "yuv420p10le", "not used for AV1", YES, YES, "not used for AV1"),
    ("mpeg2video", "yuv420p", YES, YES, YES, YES),
    ("mpeg4", "yuv420p", *4 * ("not used for mpeg4",)),
    ("prores", "yuv422p10le", *4 * ("not used for prores",)),
    ("mjpeg", "yuvj420p", *4 * ("not used for mjpeg",)),
]


@pytest.mark.parametrize(("codec", "pixel_format", "answers"), [(row[0], row[1], row[2:]) for row in TABLE])
def test_each_gpu_takes_the_codecs_that_its_engine_has(codec: str, pixel_format: str, answers: tuple[str, ...]) -> None:
    for sm, answer in zip((T4, A10G, L4, H100), answers, strict=True):
        reason = why_not(video(codec, pixel_format), sm)
        assert (reason is None) if answer == YES else (reason and answer in reason)


def test_sizes_beyond_the_engine_and_interlaced_video_go_to_the_cpu() -> None:
    assert "4096x4096 at most, not 8192x4320" in str(why_not(video(size=(8192, 4320)), T4))
    assert why_not(video("hevc", size=(8192, 4320)), T4) is None
    assert "144x144 at least, not 128x96" in str(why_not(video("hevc", size=(128, 96)), T4))
    assert "interlaced" in str(why_not(video().model_copy(update={"interlaced": True}), T4))


def test_a_gpu_that_nobody_told_us_of_is_not_used() -> None:
    assert 61 not in ENGINES
    assert "compute capability 6.1" in str(why_not(video(), 61))


def test_auto_takes_the_gpu_for_much_and_the_cpu_for_little() -> None:
    much = choose(media(video()), plan(1800), "auto", 4, nvdec())
    assert much.backend == "nvdec"
    assert much.reason == "Tesla T4: 1,800 frames to decode: reckoned 4.1 s on 4 CPU threads, 2.7 s on the GPU"
    little = choose(media(video()), plan(8), "auto", 4, nvdec())
    assert little.backend == "cpu"
    assert little.reason == "8 frames to decode: reckoned 0.018 s on 4 CPU threads, 0.31 s on the GPU"


def test_sparse_key_frames_of_a_real_clip_stay_on_the_cpu_and_asking_for_the_gpu_overrules(tmp_path: Path) -> None:
    options = {"x264-params": "keyint=25:min-keyint=25:log-level=none"}
    clip = open_media(write_clip(tmp_path / "clip.mp4", frames=100, options=options), Limits())
    backends = {}
    for asked in ("auto", "nvdec"):
        with read(clip, [Wanted(View(160, 96), 1.0, 8)], backend=asked, nvdec=nvdec()) as reading:
            assert sum(len(frames) for _, frames in reading) == 4
        backends[asked] = reading.facts.backend
    assert backends == {"auto": "cpu", "nvdec": "nvdec"}


def test_asking_for_the_gpu_still_sends_what_it_cannot_decode_to_the_cpu() -> None:
    choice = choose(media(video("prores", "yuv422p10le")), plan(1800), "nvdec", 4, nvdec())
    assert (choice.backend, choice.reason) == (
        "cpu",
        "Tesla T4: the video engine of Turing GPUs is not used for prores",
    )


@pytest.mark.parametrize("asked", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_decodes_and_says_why(asked: str) -> None:
    choice = choose(media(video()), plan(1800), asked, 4, NoNvdec("no NVIDIA driver was found"))
    assert choice.backend == "cpu"
    assert choice.reason == {"auto": "no NVIDIA driver was found", "cpu": "asked for by the setting"}[asked]


def test_pictures_and_files_without_a_picture_need_no_gpu() -> None:
    picture = media(video("mjpeg", "yuvj420p"))
    still = replace(picture, facts=picture.facts.model_copy(update={"kind": "image"}))
    assert choose(still, plan(1), "nvdec", 4, nvdec()).backend == "cpu"
    assert choose(media(None), plan(1), "auto", 4, nvdec()).reason == "there is nothing to decode"


def test_a_server_that_is_to_decode_on_a_gpu_does_not_start_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.decode.choose.find_nvdec", lambda: NoNvdec("no video engine here"))
    with pytest.raises(BackendError, match="decoder=nvdec: no video engine here; set decoder=auto"):
        Analyzer(load_settings(decoder="nvdec", domains="shots"))


def test_an_unknown_decoder_is_named() -> None:
    with pytest.raises(BackendError, match="decoder='gpu': choose auto or one of cpu, nvdec"):
        check_setting("gpu")


DRIVER = """
int cuInit(unsigned f) { return %(init)d; }
int cuDeviceGetCount(int *n) { *n = %(count)d; return 0; }
int cuDriverGetVersion(int *v) { *v = %(cuda)d; return 0; }
int cuDeviceGet(int *d, int n) { *d = n; return 0; }
int cuDeviceGetName(char *s, int n, int d) { __builtin_strncpy(s, "Tesla T4", n); return 0; }
int cuDeviceTotalMem_v2(unsigned long *m, int d) { *m = 15843721216ul; return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 7 : a == 76 ? 5 : -1; return 0; }
"""


def driver(folder: Path, **answers: int) -> str:
    """Build a library that answers as an NVIDIA driver would."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = folder / "driver.c", folder / "libcuda.so.1"
    source.write_text(DRIVER % {"init": 0, "count": 1, "cuda": 12080, **answers})
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return str(library)


def test_the_driver_tells_what_gpu_there_is(tmp_path: Path) -> None:
    look = look_for_gpu(driver(tmp_path))
    assert look.gpu == Gpu("Tesla T4", sm=75, memory_bytes=15_843_721_216, cuda=12_080)
    assert look.reason == "found Tesla T4"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"init": 999}, "the NVIDIA driver shows no GPU (error 999)"),
        ({"count": 0}, "the NVIDIA driver shows no GPU (error 0)"),
        ({"cuda": 11_040}, "the NVIDIA driver knows CUDA 11.4; 12.0 is needed: use driver 525 or newer"),
    ],
)
def test_a_driver_that_is_of_no_use_is_told_apart(tmp_path: Path, answers: dict[str, int], reason: str) -> None:
    look = look_for_gpu(driver(tmp_path, **answers))
    assert look.gpu is None
    assert look.reason == reason


def test_a_machine_without_a_driver_says_so() -> None:
    look = look_for_gpu("libno_such_driver.so.1")
    assert look.gpu is None
    assert "driver" in look.reason
