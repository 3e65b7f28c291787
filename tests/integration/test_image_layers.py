"""What is built is the same wherever and whenever it is built, and a change of the code changes the top layer alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.image_runs import FLAVOR, run

pytestmark = pytest.mark.docker
IMAGE = f"reelwarden-shots:{FLAVOR}"
FILES = ("tools/get_uv.py", "Dockerfile.base", ".dockerignore", "LICENSE", "README.md", "pyproject.toml", "uv.lock")
BASE = os.environ.get("BASE_IMAGE", "debian:bookworm-slim")


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(run("docker", "image", "inspect", "--format={{json .RootFS.Layers}}", image).stdout)
    return found


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of what builds see, in another place, with other times."""
    place = tmp_path_factory.mktemp("elsewhere") / "tree"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("export", "images", "model_zoo", "serve"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored, copy_function=shutil.copyfile)
    for step in (place / "images" / "steps").iterdir():
        step.chmod(0o755)
    (place / "tools").mkdir()
    for name in (
        "tools/get_uv.py",
        "Dockerfile.base",
        ".dockerignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "uv.lock",
    ):
        shutil.copyfile(ROOT / name, place / name)
    yield place
    run("docker", "rmi", "--force", "reelwarden-test-code", "reelwarden-test-shots", check=False)


def built(place: Path) -> list[str]:
    """Build the image of one domain on the packages that are there; return its layers."""
    code = ("--target=code", f"--build-arg=BASE_IMAGE={BASE}", "--tag=reelwarden-test-code")
    run("docker", "build", f"--file={place}/Dockerfile.base", *code, str(place))
    run(
        "docker",
        "build",
        f"--file={place}/images/shots/Dockerfile",
        "--build-arg=CODE=reelwarden-test-code",
        f"--build-arg=RUNTIME=reelwarden-runtime:vision-{FLAVOR}",
        f"--build-arg=FLAVOR={FLAVOR}",
        "--tag=reelwarden-test-shots",
        str(ROOT / "out" / "images" / "shots"),
    )
    return layers("reelwarden-test-shots")


def test_building_again_elsewhere_gives_the_same_layers(elsewhere: Path) -> None:
    """A file that no image holds makes Docker forget what it built, so all of it is really made again."""
    (elsewhere / "export" / "not_shipped.py").write_text('"""Change the input and not the output."""\n')
    assert built(elsewhere) == layers(IMAGE)


def test_a_change_of_the_code_changes_the_top_layer_alone(elsewhere: Path) -> None:
    with (elsewhere / "serve" / "version.py").open("a") as file:
        file.write("# changed\n")
    new, old = built(elsewhere), layers(IMAGE)
    assert new[:-1] == old[:-1]
    assert new[-1] != old[-1]
    size = int(
        run("docker", "history", "--format={{.Size}}", "--human=false", "reelwarden-test-shots").stdout.split("\n")[1]
    )
    assert size < 12_000_000
