"""How a job says why it failed where schedulers look."""

from __future__ import annotations

from pathlib import Path

from serve.process.settings import load_job_settings
from serve.process.shards import ALL
from serve.process.summary import Entry, Failure, totals
from serve.process.telling import last_line, message

FAILURES = [
    Entry(name=f"ordner/müll_{number}.mp4", status="failed", error=Failure(type="X", message="kaputt\n" + "ä" * 90))
    for number in range(20)
]


def test_the_message_is_one_kilobyte_of_whole_letters_on_one_line() -> None:
    sums = totals(FAILURES, ALL, state="finished", seconds=1.0, exit_code=1)
    text = message(sums, FAILURES)
    assert text.startswith("20 of 20 inputs failed; ordner/müll_0.mp4: kaputt")
    assert 1020 <= len(text.encode()) <= 1024
    assert "\n" not in text


def test_a_file_that_is_there_is_written_in_place(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    inode = log.stat().st_ino
    sums = totals([], ALL, state="failed", seconds=1.0, exit_code=3, error="no weights")
    last_line(load_job_settings(message=log), sums, [])
    assert (log.read_text(), log.stat().st_ino) == ("no weights", inode)


def test_a_message_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    sums = totals([], ALL, state="failed", seconds=1.0, exit_code=3, error="no weights")
    (tmp_path / "file").touch()
    assert '"exit_code":3' in last_line(load_job_settings(message=tmp_path / "file" / "message"), sums, [])


def test_a_job_that_ends_well_leaves_no_message(tmp_path: Path) -> None:
    sums = totals([], ALL, state="finished", seconds=1.0, exit_code=0)
    last_line(load_job_settings(message=tmp_path / "message"), sums, [])
    assert list(tmp_path.iterdir()) == []
