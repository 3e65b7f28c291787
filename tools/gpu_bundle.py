"""Pack what `make gpu-check` needs on a machine with a GPU and no network, in parts small enough to be carried.

    python -m tools.gpu_bundle --sm 90 --python 3.12 --out out/bundle

The machine is taken to have NumPy, CuPy and CUDA 13's libraries (with torch, say). Wheels are read, not installed; of
machine code only that for the one GPU is kept, which is what makes ONNX Runtime small enough. There, unpack all parts
into one folder and run, in a checkout:

    export PYTHONPATH=FOLDER XDG_CACHE_HOME=FOLDER/cache
    export LD_LIBRARY_PATH=$(python -m tools.cuda_folders):$LD_LIBRARY_PATH
    python -m benchmarks.gpu_check

The second line is for ONNX Runtime, which looks for CUDA's libraries beside itself only. That a trimmed library loads
has not been tried on a GPU.
"""

from __future__ import annotations

import argparse
import lzma
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from platformdirs import user_cache_path
from uv import find_uv_bin

from benchmarks.tensorrt_check import default_models
from export.__main__ import weights_of
from serve.version import VERSION

ROOT = Path(__file__).parent.parent
FAT_BINARY = struct.pack("<I", 0xBA55ED50)
MACHINE_CODE = 2
MORE = ("onnxruntime-gpu==1.31.1", "pynvvideocodec==2.2.4")
LOCKED = ("export", "--quiet", "--frozen", "--no-dev", "--group", "contracts", "--no-hashes", "--no-emit-project")
NOT_CARRIED = ("onnxruntime==", "numpy==", "pip==")  # replaced, there already, not needed
LEFT_OUT = (
    *("onnxruntime/transformers/models", "onnxruntime/capi/libonnxruntime.so"),
    *("samples/", "benchmarks/", "pynvvideocodec-2.2.4.data/"),  # the last is the source of FFmpeg
)
ONCE = ("PyNvVideoCodec/libav",)  # the same library under several names: the one that is asked for is kept
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
MOST_PART_BYTES = 60 << 20


def keep_machine_code(library: bytes, sm: int) -> bytes:
    """Blank all of a library's GPU code but the machine code for one GPU; every offset stays what it was.

    A fat binary is a header (magic, version, its size, the size of what follows) and entries: kind, version, size of
    the header, size of the code, and the architecture 28 bytes in.
    """
    data = bytearray(library)
    position = 0
    while (position := data.find(FAT_BINARY, position)) >= 0:
        _, _, header, size = struct.unpack_from("<IHHQ", data, position)
        end = position + header + size
        if header != 16 or end > len(data):
            position += 4
            continue
        for start, length, kind, architecture in _entries(data, position + header, end):
            if (kind, architecture) != (MACHINE_CODE, sm):
                data[start : start + length] = bytes(length)
        position = end
    return bytes(data)


def _entries(data: bytearray, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start of the code, its length, kind, architecture)."""
    while position + 64 <= end:
        kind, _, header, size = struct.unpack_from("<HHIQ", data, position)
        (architecture,) = struct.unpack_from("<I", data, position + 28)
        if not 32 <= header <= 4096 or position + header + size > end:
            return
        yield position + header, size, kind, architecture
        position += header + size


def parts(files: Sequence[tuple[Path, int]], most_bytes: int) -> list[list[Path]]:
    """Put files with their packed sizes into as few parts as first-fit finds, the largest first."""
    found: list[tuple[int, list[Path]]] = []
    for path, size in sorted(files, key=lambda item: -item[1]):
        for number, (used, inside) in enumerate(found):
            if used + size <= most_bytes:
                found[number] = (used + size, [*inside, path])
                break
        else:
            found.append((size, [path]))
    return [inside for _, inside in found]


def locked() -> str:
    """Return the locked packages that serving and the contract suites need, as requirements."""
    return _uv(*LOCKED, "--no-annotate")


def fetch(folder: Path, python: str) -> None:
    """Download the wheels of all locked packages, and of what is needed besides, for another Python."""
    there = ("pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate", "--python-version", python, "-")
    wanted = [line for line in _uv(*there, given=locked()).splitlines() if line and not line.startswith(NOT_CARRIED)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    tags = [part for tag in PLATFORMS for part in ("--platform", tag)]
    subprocess.run([*pip, "--python-version", python, *tags, "--dest", str(folder), *wanted, *MORE], check=True)


def _uv(*arguments: str, given: str = "") -> str:
    command = [find_uv_bin(), *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, check=True, stdout=subprocess.PIPE, text=True).stdout


def unpack(wheels: Path, folder: Path, sm: int) -> None:
    """Lay out the wheels without what is not needed, libraries trimmed to one GPU."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                twice = name.startswith(ONCE) and not name.endswith((".so.63", ".so.61"))
                if name.endswith("/") or name.startswith(LEFT_OUT) or twice:
                    continue
                content = archive.read(name)
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(keep_machine_code(content, sm) if FAT_BINARY in content else content)


def write_own_metadata(folder: Path) -> None:
    """Tell the version of this project, which is carried as a checkout and not installed there."""
    about = folder / f"reelwarden-{VERSION}.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text(f"Metadata-Version: 2.1\nName: reelwarden\nVersion: {VERSION}\n", "utf-8")


def copy_weights(folder: Path) -> None:
    """Lay default weights that are fetched, not shipped, where $XDG_CACHE_HOME=FOLDER/cache finds them."""
    here = user_cache_path("reelwarden")
    for path in map(weights_of, default_models()):
        if path.is_relative_to(here):
            copy = folder / "cache" / "reelwarden" / path.relative_to(here)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def pack(folder: Path, out: Path, most_bytes: int) -> list[Path]:
    """Write part_1.tar.xz and so on; sizes are those of each file packed by itself, so no part is larger."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sized = [(path, len(lzma.compress(path.read_bytes(), preset=6)) + 512) for path in files]
    written = []
    out.mkdir(parents=True, exist_ok=True)
    for number, inside in enumerate(parts(sized, most_bytes), start=1):
        part = out / f"part_{number}.tar.xz"
        with tarfile.open(part, "w:xz", preset=6) as archive:
            for path in inside:
                archive.add(path, path.relative_to(folder).as_posix())
        written.append(part)
    return written


def main() -> None:
    """Fetch, trim and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sm", type=int, default=90)
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--out", type=Path, default=Path("out/bundle"))
    given = parser.parse_args()
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        wheels, laid_out = Path(folder, "wheels"), Path(folder, "laid_out")
        fetch(wheels, given.python)
        unpack(wheels, laid_out, given.sm)
        write_own_metadata(laid_out)
        copy_weights(laid_out)
        for part in pack(laid_out, given.out, MOST_PART_BYTES):
            sys.stdout.write(f"{part}: {part.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
