"""Threads are as many as the container may keep busy, whatever the host has; cgroups are folders here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serve.cores import threads_for, usable_cores, usable_threads
from serve.settings import load_settings

V2, V1_QUOTA, V1_PERIOD = "cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.fixture(autouse=True)
def _on_a_large_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(64)))


def container(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores", "threads"),
    [
        ({V2: "200000 100000\n"}, 2.0, 2),
        ({V2: "150000 100000\n"}, 1.5, 2),
        ({V2: "25000 100000\n"}, 0.25, 1),
        ({V1_QUOTA: "400000\n", V1_PERIOD: "100000\n"}, 4.0, 4),
        ({V2: "max 100000\n"}, 64.0, 64),
        ({V1_QUOTA: "-1\n", V1_PERIOD: "100000\n"}, 64.0, 64),
        ({V2: "9900000 100000\n"}, 64.0, 64),
        ({V2: "\n"}, 64.0, 64),
        ({}, 64.0, 64),
    ],
)
def test_a_quota_of_either_cgroup_limits_the_cores(
    tmp_path: Path, files: dict[str, str], cores: float, threads: int
) -> None:
    assert usable_cores(container(tmp_path, files)) == cores
    assert threads_for(cores) == threads


def test_threads_are_what_the_quota_allows_unless_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().threads == usable_threads()
    monkeypatch.setattr("serve.cores.usable_cores", lambda: 2.5)
    assert load_settings().threads == 3
    assert load_settings(threads=8).threads == 8
