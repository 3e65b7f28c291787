"""What tests may need, and what happens when it is not there: skipped, or failed where REELWARDEN_REQUIRE names it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from serve.devices import look_for_gpu

ROOT = Path(__file__).resolve().parent.parent
MEDIA = ROOT / "tests" / "media"
RICH_MEDIA = (ROOT / os.environ.get("REELWARDEN_TEST_MEDIA", "../shared/media")).resolve()
CHROMIUM = "/usr/bin/chromium"
REQUIRED = set(filter(None, os.environ.get("REELWARDEN_REQUIRE", "").split(",")))


def _answers(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


hypothesis.settings.register_profile("no deadline", deadline=None)  # how busy a machine is proves nothing
hypothesis.settings.load_profile("no deadline")


NEEDS = {
    "media": (RICH_MEDIA.is_dir(), f"no folder {RICH_MEDIA}: set REELWARDEN_TEST_MEDIA"),
    "gpu": (look_for_gpu().gpu is not None, look_for_gpu().reason),
    "browser": (Path(CHROMIUM).exists(), f"no {CHROMIUM}: apt-get install chromium"),
    "docker": (_answers("docker", "image", "inspect", "reelwarden-all:cpu"), "Docker has no images: make images"),
    "curl": (shutil.which("curl") is not None, "curl is not installed"),
    "npm": (shutil.which("npm") is not None, "npm is not installed"),
}


def pytest_configure() -> None:
    """Refuse a requirement that nothing checks."""
    if unknown := REQUIRED - set(NEEDS):
        raise pytest.UsageError(f"REELWARDEN_REQUIRE={','.join(sorted(unknown))}: known are {', '.join(NEEDS)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs are not met, or fail it where they must be."""
    for name, (there, why) in NEEDS.items():
        if item.get_closest_marker(name) and not there:
            (pytest.fail if name in REQUIRED else pytest.skip)(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped for whatever reason although it must run."""
    report = yield
    if report.skipped and any(item.get_closest_marker(name) for name in REQUIRED):
        report.outcome = "failed"
        report.longrepr = f"skipped, but REELWARDEN_REQUIRE={','.join(sorted(REQUIRED))}: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _settings_of_the_shell_do_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with the default settings, except where weights are cached."""
    for name in list(os.environ):
        if name.startswith("REELWARDEN_") and name not in {"REELWARDEN_CACHE", "REELWARDEN_TEST_MEDIA"}:
            monkeypatch.delenv(name)


@pytest.fixture
def media() -> Path:
    """Return the folder of the project's own test media."""
    return MEDIA


@pytest.fixture
def rich_media() -> Path:
    """Return the folder of the optional, richer test media."""
    return RICH_MEDIA
