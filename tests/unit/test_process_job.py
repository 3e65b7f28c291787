"""What a whole job ends with, and what it leaves in its summary; workers that do as their inputs are named."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from model_zoo.errors import UsageError
from serve.process import job as job_module
from serve.process.crew import Crew
from serve.process.job import run_job
from serve.process.ledger import Ledger
from serve.process.messages import Task
from serve.process.settings import load_job_settings
from serve.process.signals import Signals
from serve.process.summary import Totals
from serve.settings import Settings, load_settings
from tests.unit.process_bodies import that_fails_as_named
from tests.unit.test_process_shards import processing_job

Body = Callable[[Task, Connection], None]


def outcome(
    folder: Path,
    names: str,
    monkeypatch: pytest.MonkeyPatch,
    signals: Signals | None = None,
    load: Callable[[], Settings] = lambda: load_settings(domains="labels"),
    **settings: object,
) -> Totals:
    """Run a job over inputs of these names."""
    (folder / "in").mkdir(exist_ok=True)
    for name in names.split():
        (folder / "in" / f"{name}.mp4").write_bytes(b"of no matter")
    monkeypatch.setattr(job_module, "Crew", lambda task: Crew(task, that_fails_as_named))
    places = {"input": str(folder / "in"), "output": str(folder / "out"), "in_flight": 1}
    return run_job(load, load_job_settings(**places | settings), signals or Signals())[0]


def summary(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return document


def test_too_many_failures_are_a_failure_even_where_parts_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = outcome(tmp_path, "a bad1 bad2 z1 z2", monkeypatch, max_failures=1, allow_partial=True)
    assert (sums.state, sums.exit_code) == ("failed", 1)
    assert sums.error == "more than 1 inputs failed"
    assert sums.counts["left"] > 0
    assert outcome(tmp_path, "", monkeypatch, allow_partial=True).exit_code == 0
    assert outcome(tmp_path, "", monkeypatch, max_failures=2).exit_code == 0
    assert outcome(tmp_path, "", monkeypatch).exit_code == 1


def test_too_many_failures_that_may_pass_are_told_by_75(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(tmp_path, "a busy1 busy2 z", monkeypatch, max_failures=1, allow_partial=True).exit_code == 75


@pytest.mark.parametrize(("names", "code", "state"), [("a b", 0, "finished"), ("a bad", 1, "finished")])
def test_a_job_that_had_finished_everything_when_the_signal_came_ends_by_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str, code: int, state: str
) -> None:
    class LateSignals(Signals):
        """A signal that comes when the last input is over."""

        @property
        def count(self) -> int:
            written = tmp_path / "out" / "over"
            return int(written.exists() and len(written.read_text().split()) == len(names.split()))

        @count.setter
        def count(self, _value: int) -> None:
            self.first = signal.SIGTERM

    sums = outcome(tmp_path, names, monkeypatch, LateSignals())
    assert (sums.state, sums.exit_code) == (state, code)
    assert sums.counts["left"] == 0


def test_an_early_error_is_in_the_summary_and_what_was_finished_before_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(tmp_path, "a b", monkeypatch).exit_code == 0
    before = summary(tmp_path)
    missing = outcome(tmp_path, "", monkeypatch, input="/no/such/folder")
    assert missing.exit_code == 1
    after = summary(tmp_path)
    assert (after["state"], after["exit_code"], after["counts"]["left"]) == ("failed", 1, 2)
    assert "no such file or folder" in after["error"]
    assert [item["answer_id"] for item in after["items"]] == [item["answer_id"] for item in before["items"]]

    def wrong() -> Settings:
        raise UsageError("interval_seconds=0: choose another")

    assert outcome(tmp_path, "", monkeypatch, load=wrong).exit_code == 2
    assert summary(tmp_path)["exit_code"] == 2
    assert len(summary(tmp_path)["items"]) == 2


def test_an_input_that_failed_in_part_is_done_again_also_after_a_job_that_reached_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(tmp_path, "a b", monkeypatch).exit_code == 0
    written = summary(tmp_path)
    written["items"][0]["status"] = "partial"
    (tmp_path / "out" / "summary.json").write_text(json.dumps(written))
    assert outcome(tmp_path, "", monkeypatch, input="/no/such/folder").exit_code == 1
    known = {item["name"]: item["answer_id"] for item in summary(tmp_path)["items"]}
    assert known == {"b.mp4": "sha256:b.mp4"}


def test_a_summary_that_cannot_be_read_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(tmp_path, "a", monkeypatch).exit_code == 0
    before = summary(tmp_path)

    def unreachable(_outputs: object) -> None:
        raise UsageError("out: no network")

    monkeypatch.setattr("serve.process.outputs.FolderOutputs.summaries", unreachable)
    assert outcome(tmp_path, "", monkeypatch).exit_code == 2
    assert summary(tmp_path) == before


def test_a_summary_that_cannot_be_written_at_the_end_hides_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Ledger.write
    broken: list[str] = []

    def fails_once_the_work_is_done(ledger: Ledger, sums: Totals) -> None:
        if sums.state == "finished" and not broken:
            broken.append("now")
            raise UsageError("out/summary.json: no room; make some")
        written(ledger, sums)

    monkeypatch.setattr(Ledger, "write", fails_once_the_work_is_done)
    sums = outcome(tmp_path, "a b bad", monkeypatch)
    assert (sums.state, sums.exit_code, sums.error) == ("failed", 2, "out/summary.json: no room; make some")
    assert (sums.counts["done"], sums.counts["failed"], sums.counts["left"]) == (2, 1, 0)
    assert summary(tmp_path)["counts"] == sums.counts


def test_a_job_that_cannot_download_anywhere_says_so_in_its_last_line_and_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nobody may write here"))
    sums = outcome(tmp_path, "a", monkeypatch)
    assert (sums.state, sums.exit_code) == ("failed", 2)
    assert "or set TMPDIR to one" in (sums.error or "")
    assert (summary(tmp_path)["state"], summary(tmp_path)["error"]) == ("failed", sums.error)


@pytest.mark.parametrize("hosts", [1, 3])
def test_a_host_that_sagemaker_gave_no_file_is_done_where_others_have_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hosts: int
) -> None:
    caplog.set_level("INFO")
    config = processing_job(tmp_path, "ShardedByS3Key", hosts, place=tmp_path / "in")
    sums = outcome(tmp_path, "", monkeypatch, config_dir=config)
    if hosts == 1:
        assert (sums.state, sums.exit_code) == ("failed", 1)
        return
    assert (sums.state, sums.exit_code, sums.counts["inputs"]) == ("finished", 0, 0)
    (written,) = (json.loads(path.read_text()) for path in (tmp_path / "out").glob("summary*.json"))
    said = "the hosts of the Processing job; none of its files is for this one"
    assert written["shard"] == {"index": 1, "count": 3, "source": said}
    assert said in [record.fields["said_by"] for record in caplog.records if hasattr(record, "fields")]


def test_a_host_whose_files_are_no_media_fails_as_the_others_may_have_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = processing_job(tmp_path, "ShardedByS3Key", place=tmp_path / "in")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "upload").write_bytes(b"a video without a suffix")
    sums = outcome(tmp_path, "", monkeypatch, config_dir=config)
    assert sums.exit_code == 1
    assert "no media there" in (sums.error or "")
