"""`reelwarden process` as a scheduler runs it: processes, real weights, real files, signals, exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA
from tests.s3_server import s3_server

pytestmark = pytest.mark.weights
COMMAND = [sys.executable, "-m", "serve", "process", "--domains", "labels"]
PICTURES = ("astronaut.jpg", "cat.png", "coffee.jpg", "flower.jpg", "rocket.jpg", "street.jpg")
VIDEOS = ("demo_av1.mp4", "demo_vp9.webm", "demo_truncated.mp4", "demo_rotated90.mp4")


def start(folder: Path, *words: object, **variables: str) -> subprocess.Popen[str]:
    places = ["--input", folder / "in", "--output", folder / "out", "--message", folder / "message"]
    command = [*COMMAND, *map(str, places), *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | variables
    )


def run(folder: Path, *words: object, **variables: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """Return the exit code, the last line of standard output and the lines of the log about inputs."""
    return finished(start(folder, *words, **variables))


def finished(job: subprocess.Popen[str]) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    out, err = job.communicate(timeout=240)
    assert "Traceback" not in err, err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    last = json.loads(out.splitlines()[-1]) if out else {}
    return job.returncode, last, [line for line in lines if line["message"] == "input over"]


def answers(folder: Path) -> dict[str, Any]:
    """Return every answer without what differs from run to run."""
    files = [path for path in (folder / "out").rglob("[!.]*") if path.is_file() and not path.match("out/summary*")]
    assert not any(path.is_symlink() for path in files)
    documents = {path.relative_to(folder / "out").as_posix(): json.loads(path.read_text()) for path in files}
    return {name: {key: part for key, part in document.items() if key != "run"} for name, document in documents.items()}


def statuses(folder: Path) -> dict[str, str]:
    summary = json.loads((folder / "out" / "summary.json").read_text())
    return {item["name"]: item["status"] for item in summary["items"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a job that nothing disturbed; its exit code and last line are in a file."""
    folder = filled(tmp_path_factory.mktemp("whole"))
    code, last, lines = run(folder, "--summary", folder / "xcom" / "return.json")
    (folder / "told").write_text(json.dumps([code, last, lines]))
    return folder


def filled(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in PICTURES:
        shutil.copy(MEDIA / "images" / name, tmp_path / "in")
    for name in VIDEOS:
        shutil.copy(MEDIA / "variants" / name, tmp_path / "in" / "deep")
    return tmp_path


NAMES = {*PICTURES, *(f"deep/{name}" for name in VIDEOS)}


def test_files_of_texts_are_inputs_where_a_pattern_asks_for_them(tmp_path: Path) -> None:
    comments = tmp_path / "in" / "comments.jsonl"
    comments.parent.mkdir()
    comments.write_text('{"text": "have a nice day"}\n{"text": "kys loser", "id": "c-17"}\n')
    asked = ("--match", "*.jsonl", "--domains", "toxicity")
    code, last, _ = run(tmp_path, *asked)
    assert (code, last["counts"]["done"], last["decisions"]) == (0, 1, {"review": 1})
    (answer,) = answers(tmp_path).values()
    assert [(reason["item"], reason["item_id"]) for reason in answer["verdict"]["reasons"]] == [(1, "c-17")]
    code, last, _ = run(tmp_path, *asked, "--input", comments, "--again")
    assert (code, last["counts"]["done"]) == (0, 1)


def test_every_input_has_one_answer_which_is_the_report_of_the_library(whole: Path) -> None:
    folder = whole
    code, last, lines = json.loads((folder / "told").read_text())
    assert code == 0
    assert set(answers(folder)) == {f"{name}.json" for name in NAMES}
    assert last["counts"] == {"inputs": 10, "done": 10, "kept": 0, "partial": 0, "failed": 0, "left": 0, "ignored": 0}
    assert json.loads((folder / "xcom" / "return.json").read_text()) == last
    assert json.loads((folder / "out" / "summary.json").read_text()).items() >= last.items()
    assert statuses(folder) == dict.fromkeys(NAMES, "done")
    assert len(lines) == 10
    assert all(line["inputs_per_minute"] > 0 for line in lines)
    assert not (folder / "message").exists()
    with Analyzer(load_settings(domains="labels")) as analyzer:
        report = json.loads(analyzer.analyze(folder / "in" / "deep" / VIDEOS[0]).model_dump_json(exclude={"run"}))
    assert answers(folder)[f"deep/{VIDEOS[0]}.json"] == report


def test_what_is_finished_is_kept_as_long_as_it_is_right(folder: Path) -> None:
    for name in VIDEOS:
        (folder / "in" / "deep" / name).unlink()
    assert run(folder)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.jpg.json")}
    os.utime(folder / "in" / "rocket.jpg")  # a time alone is no other input
    shutil.copy(MEDIA / "images" / "two_dogs.jpg", folder / "in" / "flower.jpg")
    (folder / "out" / "coffee.jpg.json").write_text("{}")
    (folder / "out" / "cat.png.json").unlink()
    code, last, _ = run(folder)
    assert code == 0
    assert {name for name, status in statuses(folder).items() if status == "done"} == {
        "flower.jpg",  # other bytes
        "coffee.jpg",  # somebody wrote over its answer
        "cat.png",  # somebody removed its answer
    }
    assert last["counts"]["kept"] == 3
    assert all(
        path.stat().st_mtime_ns == stamp
        for path, stamp in before.items()
        if path.name not in {"flower.jpg.json", "coffee.jpg.json"}
    )
    assert run(folder, "--threads", "1")[1]["counts"]["kept"] == 6  # not in the answer
    assert run(folder, "--frame-detail")[1]["counts"]["done"] == 6
    assert run(folder, "--frame-detail", "--again")[1]["counts"]["done"] == 6


def test_an_old_run_in_one_piece_does_not_hide_what_newer_shares_finished(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in PICTURES[:3]:
        shutil.copy(MEDIA / "images" / name, tmp_path / "in")
    assert run(tmp_path)[0] == 0
    for expected in ("done", "kept"):  # frame detail makes it other work, once
        for index in ("0", "1"):
            share = {"SHARD_INDEX": index, "SHARD_COUNT": "2"}
            code, last, lines = run(tmp_path, "--frame-detail", **share)
            assert code == 0
            assert {line["status"] for line in lines} <= {expected}
            assert last["counts"][expected] == len(lines)
    assert run(tmp_path, "--frame-detail")[1]["counts"]["kept"] == 3  # in one piece again


def test_a_job_that_is_killed_at_any_moment_goes_on_as_if_it_had_not(folder: Path, whole: Path) -> None:
    expected = answers(whole)
    chance = random.Random(20261124)  # noqa: S311 - not for secrets
    for least_over in (0, 2, 5):
        job = start(folder)
        assert job.stderr
        over = 0
        while over < least_over and (line := job.stderr.readline()):
            over += '"input over"' in line
        time.sleep(chance.uniform(0, 0.6))
        job.kill()
        job.communicate()
        assert answers(folder).items() <= expected.items()  # none is half-written
    code, last, _ = run(folder)
    assert code == 0
    assert answers(folder) == expected
    assert last["counts"]["inputs"] == last["counts"]["done"] + last["counts"]["kept"] == 10
    assert last["counts"]["kept"] > 0
    assert list((folder / "out").rglob(".*")) == []


def test_what_a_killed_job_downloaded_is_removed_by_the_next_and_nothing_else_is(folder: Path) -> None:
    (folder / "tmp" / "reelwarden-job-of-others-that-live").mkdir(parents=True)
    living = os.open(folder / "tmp" / "reelwarden-job-of-others-that-live", os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    (folder / "tmp" / "mine").mkdir()
    (folder / "tmp" / "reelwarden-job-link").symlink_to(folder / "tmp" / "mine")
    job = start(folder, TMPDIR=str(folder / "tmp"))
    assert job.stderr
    while '"input over"' not in job.stderr.readline():
        pass
    assert scratch_of(folder), "a living job has a folder"
    job.kill()
    job.communicate()
    left = scratch_of(folder)
    assert len(left) == 1
    (folder / "tmp" / left[0] / "half a video.mp4").write_bytes(b"\0" * 1000)
    assert run(folder, TMPDIR=str(folder / "tmp"))[0] == 0
    assert scratch_of(folder) == []
    os.close(living)
    assert {path.name for path in (folder / "tmp").iterdir()} == {
        "mine",
        "reelwarden-job-link",
        "reelwarden-job-of-others-that-live",
    }


def scratch_of(folder: Path) -> list[str]:
    """Return the folders of jobs that this test started."""
    names = [path.name for path in (folder / "tmp").glob("reelwarden-job-*") if not path.is_symlink()]
    return [name for name in names if "others" not in name]


def test_a_library_that_does_not_load_ends_the_job_with_3_and_says_so(folder: Path) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "faster_whisper.py").write_text("raise OSError('libnothing.so.1: cannot open it')")
    job = start(folder, "--domains", "transcription", PYTHONPATH=str(folder / "broken"))
    out, err = job.communicate(timeout=120)
    assert job.returncode == 3
    assert "input over" not in err
    assert err.count('"message": "doctor"') == 1
    last = json.loads(out.splitlines()[-1])
    assert "models cannot be loaded: OSError: libnothing.so.1: cannot open it" in last["error"]
    assert "libnothing.so.1" in (folder / "message").read_text()


def test_a_worker_that_is_killed_loses_nothing(folder: Path) -> None:
    job = start(folder)
    assert job.stderr
    while '"input over"' not in job.stderr.readline():
        pass
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 1
    os.kill(int(workers[0]), signal.SIGSEGV)
    code, last, _ = finished(job)
    assert code == 0
    assert last["counts"]["done"] == 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_job_that_is_told_to_stop_ends_in_time_and_goes_on_later(folder: Path, number: int, code: int) -> None:
    for copy in range(4):
        shutil.copy(MEDIA / "demo.mp4", folder / "in" / f"z{copy}.mp4")
    job = start(folder, "--interval-seconds", "0.05", "--grace-seconds", "1")
    assert job.stderr
    while '"input over"' not in job.stderr.readline():
        pass
    job.send_signal(number)
    told = time.monotonic()
    ended, last, _ = finished(job)
    assert time.monotonic() - told < 15
    assert ended == code
    assert last["state"] == "stopped"
    assert last["counts"]["left"] > 0
    assert last["counts"]["failed"] == 0
    assert len(answers(folder)) == last["counts"]["done"]
    assert "run it again" in (folder / "message").read_text()


def test_inputs_that_cannot_be_used_fail_and_the_others_go_on(folder: Path) -> None:
    for name in ("demo_nomoov.mp4", "demo_empty.mp4"):
        shutil.copy(MEDIA / "variants" / name, folder / "in")
    (folder / "in" / "link.mp4").symlink_to("/etc/hostname")
    code, last, _ = run(folder)
    assert code == 1
    assert (last["counts"]["done"], last["counts"]["failed"]) == (10, 3)
    message = (folder / "message").read_bytes()
    assert len(message) <= 1024
    assert message.decode().startswith("3 of 13 inputs failed; ")
    assert set(answers(folder)) == {f"{name}.json" for name in NAMES}
    assert run(folder, "--allow-partial")[0] == 0
    assert run(folder, REELWARDEN_PROCESS_MAX_FAILURES="3")[0] == 0
    assert run(folder, "--max-failures", "0")[0] == 1


def test_a_job_whose_inputs_are_all_bad_fails_even_if_parts_would_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"no media at all")
    code, last, _ = run(tmp_path, "--allow-partial")
    assert code == 1
    assert last["counts"]["failed"] == 1
    assert answers(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "variables", "code", "said"),
    [
        (["--domains", "nudes"], {}, 2, "'nudes'"),
        (["--in-flight", "0"], {}, 2, "in_flight=0"),
        ([], {"JOB_COMPLETION_INDEX": "1"}, 2, "SHARD_COUNT"),
        (["--offline", "--domains", "moderation"], {"REELWARDEN_CACHE": "{empty}"}, 3, "models pack"),
        (["--input", "s3://clips/in"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 75, "the connection to S3 failed"),
        (["--input", "/no/such/folder"], {}, 1, "no such file or folder"),
    ],
)
def test_the_exit_code_says_who_must_act(
    folder: Path, words: list[str], variables: dict[str, str], code: int, said: str
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    given = {name: value.format(empty=folder / "empty") for name, value in variables.items()}
    job = start(folder, *words, **keys, **given, AWS_MAX_ATTEMPTS="1")
    out, err = job.communicate(timeout=120)
    assert job.returncode == code
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err
    assert answers(folder) == {}
    if code != 2 or out:
        assert json.loads(out.splitlines()[-1])["exit_code"] == code


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment, s3_server(environment) as client:
        for name in PICTURES[:3]:
            client.upload_file(str(MEDIA / "images" / name), "clips", f"in/deep/{name}")
        yield client


def test_a_job_goes_from_s3_to_s3_and_resumes_there(s3: Any, tmp_path: Path) -> None:
    words = ["--input", "s3://clips/in", "--output", "s3://clips/out"]
    code, last, _ = run(tmp_path, *words)
    assert code == 0
    assert last["counts"]["done"] == 3
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket="clips", Prefix="out/")["Contents"]]
    assert listed == [*(f"out/deep/{name}.json" for name in sorted(PICTURES[:3])), "out/summary.json"]
    s3.upload_file(str(MEDIA / "images" / PICTURES[4]), "clips", f"in/deep/{PICTURES[0]}")
    _, last, lines = run(tmp_path, *words)
    assert {line["name"] for line in lines if line["status"] == "done"} == {f"deep/{PICTURES[0]}"}
    assert last["counts"]["kept"] == 2


def test_the_shares_of_an_array_job_do_everything_once(s3: Any, tmp_path: Path) -> None:
    names: list[str] = []
    for index in ("0", "1"):
        share = {"AWS_BATCH_JOB_ARRAY_INDEX": index, "AWS_BATCH_JOB_ARRAY_SIZE": "2"}
        code, _, lines = run(tmp_path, "--input", "s3://clips/in", "--output", tmp_path / "out", **share)
        assert code == 0
        names += [line["name"] for line in lines]
    assert sorted(names) == sorted(f"deep/{name}" for name in PICTURES[:3])
    assert sorted(path.name for path in (tmp_path / "out").glob("summary*")) == [
        "summary-00000-of-00002.json",
        "summary-00001-of-00002.json",
    ]


def test_a_name_that_is_not_unicode_has_its_answer(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(MEDIA / "images" / "cat.png", tmp_path / "in" / os.fsdecode(b"\xff\n.png"))
    assert run(tmp_path)[0] == 0
    assert (tmp_path / "out" / os.fsdecode(b"\xff\n.png.json")).is_file()
    assert statuses(tmp_path) == {"\\xff\n.png": "done"}


def test_further_forms_and_the_review_page_lie_beside_the_report(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(MEDIA / "images" / "cat.png", tmp_path / "in")
    words = ["--format", "csv,rekognition-label-detection", "--review"]
    assert run(tmp_path, *words)[0] == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "cat.png.csv",
        "cat.png.json",
        "cat.png.rekognition-label-detection.json",
        "cat.png.review.html",
        "summary.json",
    ]
    assert run(tmp_path, *words)[1]["counts"]["kept"] == 1
    (out / "cat.png.review.html").unlink()
    assert run(tmp_path, *words)[1]["counts"]["done"] == 1
    assert (out / "cat.png.review.html").read_text().startswith("<!doctype html>")
