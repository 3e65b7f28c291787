"""`reelwarden analyze` as a user runs it: a process, real weights, real files, real exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_zoo.report import Report
from tests.conftest import MEDIA
from tests.unit.weights_fixtures import network, write_manifest

pytestmark = pytest.mark.weights
COMMAND = [sys.executable, "-m", "serve"]


def analyze(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "analyze", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"COLUMNS": "120"} | environment,
    )


def report_of(path: Path) -> Report:
    return Report.model_validate_json(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def demo_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    out = tmp_path_factory.mktemp("demo")
    answer = analyze(MEDIA / "demo.mp4", "--out", out)
    assert answer.returncode == 0, answer.stderr
    return report_of(out / "report.json")


def test_the_demo_gives_findings_of_every_domain(demo_report: Report) -> None:
    names = ["moderation", "objects", "labels", "shots", "faces", "sounds", "text", "transcription", "toxicity"]
    assert list(demo_report.domains) == names
    assert demo_report.complete
    found = {segment.label for segment in demo_report.domains["objects"].segments}
    assert {"person", "cat"} <= found


def test_the_report_says_which_weights_ran_where(demo_report: Report) -> None:
    models = [model for part in demo_report.domains.values() for model in part.models]
    assert {model.name for model in models} >= {
        "opennsfw",
        "nsfwjs_mobilenet_v2",
        "nanodet_g_416",
        "efficientnet_lite0",
    }
    assert all(len(model.sha256) == 64 and model.device == "cpu" and model.device_reason for model in models)


def test_the_same_file_gives_the_same_report_but_for_its_timings(demo_report: Report, tmp_path: Path) -> None:
    assert analyze(MEDIA / "demo.mp4", "--out", tmp_path).returncode == 0
    again = report_of(tmp_path / "report.json")
    assert again.model_copy(update={"run": demo_report.run}) == demo_report


def test_an_image_is_analyzed_like_a_video_of_one_frame(tmp_path: Path) -> None:
    answer = analyze(MEDIA / "images" / "cat.png", "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    report = report_of(tmp_path / "report.json")
    assert report.media.kind == "image"
    assert "cat" in {segment.label for segment in report.domains["objects"].segments}


def test_other_files_go_on_when_some_cannot_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(MEDIA / "images" / "cat.png", folder / "deep" / "cat.png")
    for name in ("demo_empty.mp4", "demo_nomoov.mp4"):
        shutil.copy(MEDIA / "variants" / name, folder)
    answer = analyze(folder, tmp_path / "missing.mp4", "--out", tmp_path / "out")
    assert answer.returncode == 1
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    for name in ("demo_empty.mp4", "demo_nomoov.mp4", "missing.mp4"):
        assert any(name in line for line in errors)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.json")] == [
        "deep/cat.png/report.json"
    ]


def test_a_domain_that_fails_ends_with_1_and_one_line_and_keeps_the_others_results(tmp_path: Path) -> None:
    content = network(repeats=2)  # twice as many rows as pictures
    manifest = write_manifest(tmp_path, ["file:mine.onnx"], "mine", content)
    (tmp_path / "mine.onnx").write_bytes(content)
    words = (MEDIA / "images" / "cat.png", "--domains", "moderation,shots", "--models", "moderation.nsfw_score=mine")
    answer = analyze(*words, "--out", tmp_path / "out", REELWARDEN_MANIFESTS=str(manifest))
    assert answer.returncode == 1
    assert "domain moderation failed: [mine] answered 1 pictures with (2, 2)" in answer.stderr
    assert "Traceback" not in answer.stderr
    report = report_of(tmp_path / "out" / "report.json")
    assert [error.domain for error in report.errors] == ["moderation"]
    assert len(report.domains["shots"].segments) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_other_files_go_on_when_one_may_not_be_read(tmp_path: Path) -> None:
    locked = tmp_path / "locked.png"
    locked.touch(mode=0)
    answer = analyze(MEDIA / "images" / "cat.png", locked, "--domains", "shots", "--out", tmp_path / "out")
    assert answer.returncode == 1
    assert "locked.png" in answer.stderr
    assert (tmp_path / "out" / "cat.png" / "report.json").exists()


def test_a_misspelt_variable_is_warned_of(tmp_path: Path) -> None:
    words = (MEDIA / "images" / "cat.png", "--domains", "shots", "--out", tmp_path)
    answer = analyze(*words, REELWARDEN_INTERVAL_SECOND="2")
    assert answer.returncode == 0
    assert "REELWARDEN_INTERVAL_SECOND (did you mean REELWARDEN_INTERVAL_SECONDS?); it is ignored" in answer.stderr


def test_a_file_that_breaks_off_gives_a_report_of_what_was_seen(tmp_path: Path) -> None:
    answer = analyze(MEDIA / "variants" / "demo_truncated.mp4", "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    report = report_of(tmp_path / "report.json")
    assert not report.complete
    assert report.decode.truncated
    assert report.decode.truncated_reason
    assert report.decode.last_good_seconds is not None
    assert len(report.domains["shots"].segments) == 2  # the cut is in the part that is there


def test_json_lines_go_to_standard_output_and_nothing_else_does(tmp_path: Path) -> None:
    images = [MEDIA / "images" / name for name in ("cat.png", "coffee.jpg")]
    answer = analyze(*images, "--json", "--domains", "labels", "--out", tmp_path)
    assert [json.loads(line)["media"]["name"] for line in answer.stdout.splitlines()] == ["cat.png", "coffee.jpg"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--domains", "nudes"], 2, "'nudes'"),
        (["--interval-seconds", "0"], 2, "interval_seconds=0"),
        (["--interval-seconds", "1e-9"], 2, "greater than or equal to 0.001; set it by --interval-seconds"),
        (["--models", "moderation.body_parts=nudenet_320n"], 2, "AGPL-3.0"),
        (["--models", "objects.detector=none_such"], 2, "none_such"),
    ],
)
def test_a_wrong_argument_is_named_with_its_exit_code(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    answer = analyze(MEDIA / "images" / "cat.png", *words, "--out", tmp_path)
    assert answer.returncode == code
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not list(tmp_path.iterdir())


def test_without_weights_and_network_the_missing_file_and_the_command_are_named(tmp_path: Path) -> None:
    answer = analyze(
        MEDIA / "images" / "cat.png", "--offline", "--domains", "moderation", REELWARDEN_CACHE=str(tmp_path / "empty")
    )
    assert answer.returncode == 3
    assert "open-nsfw.onnx" in answer.stderr
    assert "reelwarden models pack" in answer.stderr


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = analyze(MEDIA / "images" / "cat.png", "--out", tmp_path / "file")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {tmp_path / 'file'}: cannot write there")
    assert "cat.png" not in answer.stdout


def test_names_with_markup_and_control_characters_are_shown_as_they_are(tmp_path: Path) -> None:
    odd = tmp_path / "[red]a[b\x1b[31m\n.png"
    shutil.copy(MEDIA / "images" / "cat.png", odd)
    answer = analyze(odd, "no\nsuch", "--domains", "labels", "--out", tmp_path / "o[a[/c]")
    assert answer.returncode == 1
    assert answer.stderr == "error: no\\nsuch: no such file or folder; check the spelling\n"
    assert "\x1b[31m" not in answer.stdout
    assert (tmp_path / "o[a[/c]" / odd.name / "report.json").exists()


def test_a_folder_gives_the_same_layout_for_one_file_as_for_two(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(MEDIA / "images" / "cat.png", tmp_path / "in")
    analyze(tmp_path / "in", "--domains", "labels", "--out", tmp_path / "one")
    shutil.copy(MEDIA / "images" / "rocket.jpg", tmp_path / "in")
    analyze(tmp_path / "in", "--domains", "labels", "--out", tmp_path / "two")
    assert (tmp_path / "one" / "cat.png" / "report.json").exists()
    assert (tmp_path / "two" / "cat.png" / "report.json").exists()


def test_a_file_without_a_picture_covers_no_label_that_needs_one(tmp_path: Path) -> None:
    answer = analyze(MEDIA / "variants" / "demo_audio.m4a", "--domains", "moderation,objects", "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    for part in report_of(tmp_path / "report.json").domains.values():
        assert {entry.grade for entry in part.coverage} == {"not covered"}


def test_frame_detail_has_boxes_as_shares_of_the_frame(tmp_path: Path) -> None:
    answer = analyze(MEDIA / "images" / "cat.png", "--domains", "objects", "--frame-detail", "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (frame,) = report_of(tmp_path / "report.json").domains["objects"].frames or []
    cat = next(box for box in frame.boxes if box.label == "cat")
    assert 0 <= cat.box.x1 < cat.box.x2 <= 1


@pytest.mark.parametrize("library", ["pydantic_core", "numpy", "onnxruntime"])
def test_ctrl_c_while_libraries_are_loaded_is_no_crash(tmp_path: Path, library: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "analyze", str(MEDIA / "demo.mp4"), "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_loaded(process, library)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def wait_until_loaded(process: subprocess.Popen[str], library: str) -> None:
    """Wait until a process has mapped a library into its memory."""
    maps = Path(f"/proc/{process.pid}/maps")
    while library not in maps.read_text():
        assert process.poll() is None, f"it ended before it loaded {library}"
        time.sleep(0.01)


def test_ctrl_c_keeps_finished_reports_and_leaves_no_half_written_file(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            *COMMAND,
            "analyze",
            str(MEDIA / "images" / "cat.png"),
            str(MEDIA / "demo.mp4"),
            "--json",
            "--out",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "cat.png" in process.stdout.readline()  # the first file is done, the demo is under way
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["report.json"]


def test_the_gate_closes_on_what_a_policy_of_ones_own_blocks(tmp_path: Path) -> None:
    policy = tmp_path / "cats.yaml"
    policy.write_text(
        "schema: reelwarden.policy/1\nname: cats\nversion: 1\ndomains:\n  objects: {labels: {cat: block}}\n", "utf-8"
    )
    words = (MEDIA / "images" / "cat.png", "--domains", "objects", "--out", tmp_path)
    closed = analyze(*words, "--fail-on", "review", REELWARDEN_POLICY=str(policy))
    assert closed.returncode == 4, closed.stderr
    assert "block by the policy cats: cat" in closed.stdout
    verdict = report_of(tmp_path / "report.json").verdict
    assert verdict is not None
    assert [(reason.domain, reason.label, reason.decision) for reason in verdict.reasons] == [
        ("objects", "cat", "block")
    ]
    assert analyze(*words, "--policy", policy).returncode == 0


def test_without_a_policy_there_is_no_verdict_and_no_gate(tmp_path: Path) -> None:
    words = (MEDIA / "images" / "cat.png", "--domains", "shots", "--out", tmp_path, "--policy", "none")
    assert analyze(*words).returncode == 0
    assert report_of(tmp_path / "report.json").verdict is None
    refused = analyze(*words, "--fail-on", "block")
    assert refused.returncode == 2
    assert "without a policy there is no verdict" in refused.stderr
    open_for_ever = analyze(*words[:-2], "--fail-on", "block")
    assert open_for_ever.returncode == 2
    assert "the policy default speaks of moderation, toxicity" in open_for_ever.stderr


def test_further_forms_are_written_beside_the_report(tmp_path: Path) -> None:
    cat = MEDIA / "images" / "cat.png"
    answer = analyze(
        cat,
        "--domains",
        "objects",
        "--out",
        tmp_path,
        "--format",
        "csv,jsonl",
        "--format",
        "rekognition-label-detection",
    )
    assert answer.returncode == 0, answer.stderr
    labels = json.loads((tmp_path / "report.rekognition-label-detection.json").read_text("utf-8"))["Labels"]
    assert {item["Label"]["Name"] for item in labels} >= {"cat"}
    assert '"objects","cat","finding"' in (tmp_path / "report.csv").read_text("utf-8")
    assert "cat" in (tmp_path / "report.jsonl").read_text("utf-8")


def test_a_form_that_can_never_be_filled_is_refused_before_any_work(tmp_path: Path) -> None:
    answer = analyze(MEDIA / "images" / "cat.png", "--domains", "objects", "--out", tmp_path, "--format", "srt")
    assert answer.returncode == 2
    assert "the form srt needs the domain transcription; add it to the domains to run" in answer.stderr
    assert not (tmp_path / "report.json").exists()
