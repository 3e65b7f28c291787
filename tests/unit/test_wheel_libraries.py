"""What wheels carry beside their packages is listed, with the licence that it has."""

from __future__ import annotations

import re
from pathlib import Path

import av
import pytest
from av._core import library_meta

from images.sbom import add_libraries
from images.wheel_libraries import TABLE, component, name_and_version, table, wheel_of
from tests.conftest import ROOT
from tests.unit.test_images import locked

PACKAGES = Path(av.__file__).parent.parent
LIBRARIES = sorted(path.relative_to(PACKAGES).as_posix() for path in PACKAGES.glob("*.libs/*"))
SHA256 = "0" * 64


def test_every_library_in_a_wheel_of_the_cpu_images_has_a_licence() -> None:
    shipped = [path for path in LIBRARIES if wheel_of(path) in locked("all-cpu")]
    assert {wheel_of(path) for path in shipped} >= {"av", "ctranslate2", "numpy", "opencv-python-headless"}
    unknown = [path for path in shipped if name_and_version(Path(path).name)[0] not in table()["libraries"]]
    assert unknown == [], f"say in {TABLE.name} what they are"


@pytest.mark.parametrize(
    ("file", "name", "version"),
    [
        ("libavcodec-5e6b81c2.so.62.28.102", "libavcodec", "62.28.102"),
        ("libopencore-amrnb-d72c52e2.so.0.0.5", "libopencore-amrnb", "0.0.5"),
        ("libopenblasp-r0-59ffcd50.3.15.so", "libopenblasp", "3.15"),
        ("libquadmath-96973f99-934c22de.so.0.0.0", "libquadmath", "0.0.0"),
        ("libscipy_openblas64_-32a4b2a6.so", "libscipy_openblas64_", ""),
        ("libcrypto-5409cd36.so.1.1.1k", "libcrypto", "1.1.1k"),
        ("libSvtAv1Enc-9393c086.so.4.1.0", "libSvtAv1Enc", "4.1.0"),
        ("README", "README", ""),
    ],
)
def test_a_library_is_known_by_what_its_file_is_called(file: str, name: str, version: str) -> None:
    assert name_and_version(file) == (name, version)


def test_libraries_are_listed_in_the_wheel_they_came_with() -> None:
    packages = [{"name": name, "licenses": []} for name in ("av", "opencv_python.headless", "rich")]
    paths = ["av.libs/libx264-d6533a8d.so.165", "opencv_python_headless.libs/libpng16-529cb57a.so.16.58.0"]
    add_libraries(packages, "".join(f"{SHA256}  {path}\n" for path in paths))
    inside = {package["name"]: [part["name"] for part in package.get("components", ())] for package in packages}
    assert inside == {"av": ["libx264"], "opencv_python.headless": ["libpng16"], "rich": []}
    assert packages[0]["licenses"] == [
        {"expression": "BSD-3-Clause AND GPL-3.0-or-later", "acknowledgement": "concluded"}
    ]
    assert packages[1]["licenses"] == []


def test_a_component_has_its_hash_its_path_and_a_version_where_the_file_tells_it() -> None:
    codec, x264, other = (
        component(f"av.libs/{file}", SHA256) for file in ("libavcodec-5e6b81c2.so.62.1", "libx264-d.so.165", "new.so.1")
    )
    assert codec["version"] == "62.1"
    assert "version" not in x264  # 165 is the number of its ABI
    assert codec["hashes"] == [{"alg": "SHA-256", "content": SHA256}]
    assert codec["properties"] == [{"name": "io.reelwarden.path", "value": "av.libs/libavcodec-5e6b81c2.so.62.1"}]
    assert other["licenses"] == [{"license": {"name": "NOASSERTION"}}]


def test_ffmpeg_has_the_licence_that_each_wheel_built_it_with() -> None:
    ours, opencvs = (
        component(f"{wheel}.libs/libavcodec-5e6b81c2.so.62.1", SHA256) for wheel in ("av", "opencv_python_headless")
    )
    assert ours["licenses"] == [{"license": {"id": "LGPL-3.0-or-later"}}]
    assert opencvs["licenses"] == [{"license": {"id": "LGPL-2.1-or-later"}}]


def test_an_exception_makes_an_expression_of_a_licence() -> None:
    (licence,) = component("ctranslate2.libs/libgomp-e985bcbb.so.1.0.0", SHA256)["licenses"]
    assert licence == {"expression": "GPL-3.0-or-later WITH GCC-exception-3.1"}


def test_what_is_said_of_pyav_is_what_its_ffmpeg_says_and_holds() -> None:
    codec = library_meta["libavcodec"]
    assert codec["license"] == "LGPL version 3 or later"  # avcodec_license()
    assert {"--enable-version3", "--enable-libx264", "--enable-libx265"} <= set(codec["configuration"].split())
    held = {name_and_version(Path(path).name)[0] for path in LIBRARIES if wheel_of(path) == "av"}
    assert {"libx264", "libx265"} <= held


def test_nothing_that_is_shipped_asks_for_the_encoders() -> None:
    sources = [path for folder in ("serve", "model_zoo", "export") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    assert [path for path in sources if re.search("x26[45]", path.read_text("utf-8"), re.IGNORECASE)] == []
