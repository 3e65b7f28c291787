"""Build images: `python -m images.build [NAME ...] [--flavor gpu] [--slim]`; docs/images.md.

For each image the weights are packed, the packages of its set and the code are built once for all, and the image is put
together. What is inside is listed in the image itself and in out/images/NAME/sbom-FLAVOR.cdx.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from images.catalog import ROOT, Flavor, Image, images
from images.sbom import write_sbom
from images.wheel_libraries import table
from model_zoo.catalog import catalog
from model_zoo.licences import accepts_licence
from model_zoo.manifest import ModelSpec
from model_zoo.packing import pack
from model_zoo.weights import WeightPlaces, ensure_all
from serve.settings import load_settings
from serve.version import VERSION

OUT = ROOT / "out" / "images"
CERTIFICATES = ROOT / "images" / "network" / "ca-certificates.crt"
LICENCE = "Apache-2.0"  # of the code
NVIDIA_LICENCE = "LicenseRef-NVIDIA-Proprietary"  # of CUDA's libraries, which the images for GPUs have


def main() -> None:
    """Build what the command line names; every image where it names none."""
    known = {image.name: image for image in images()}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all of them by default")
    parser.add_argument("--flavor", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--slim", action="store_true", help="no weights inside: they come in /opt/ml/model")
    parser.add_argument("--base", default=usual_base(), metavar="IMAGE")
    parser.add_argument("--no-cache", action="store_true", help="build every layer anew")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(known):
        parser.error(f"no image {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = [known[name] for name in asked.names or known]
    cache = ["--no-cache"] if asked.no_cache else []
    for name in build(wanted, asked.flavor, slim=asked.slim, base=asked.base, cache=cache):
        sys.stdout.write(f"{name} {size_bytes(name) / 1e6:.0f} MB\n")


def usual_base() -> str:
    """Return the base of the images where the command line names none."""
    return os.environ.get("BASE_IMAGE", "debian:bookworm-slim")


def build(
    wanted: Sequence[Image], flavor: Flavor, *, slim: bool = False, base: str = "", cache: Sequence[str] = ()
) -> Iterator[str]:
    """Build images one after the other; yield the name of each as soon as it is there."""
    trust_certificates()
    build_shared(wanted, flavor, base or usual_base(), cache)
    for image in wanted:
        yield build_image(image, flavor, slim=slim)


def trust_certificates() -> None:
    """Lay the certificates that SSL_CERT_FILE names where the stages that download find them."""
    named = os.environ.get("SSL_CERT_FILE")
    if named and (not CERTIFICATES.exists() or CERTIFICATES.read_bytes() != Path(named).read_bytes()):
        shutil.copyfile(named, CERTIFICATES)


def build_shared(wanted: Sequence[Image], flavor: Flavor, base: str, cache: Sequence[str] = ()) -> None:
    """Build what images have in common: the code, and the packages of each set that is wanted."""
    common = ["--file", "Dockerfile.base", "--build-arg", f"BASE_IMAGE={base}", *cache]
    docker_build([*common, "--target", "code", "--tag", "reelwarden-code"], ROOT)
    for packages in sorted({image.packages for image in wanted}):
        arguments = ["--build-arg", f"SET={packages}", "--build-arg", f"FLAVOR={flavor}"]
        arguments += ["--build-arg", f"WITH_TENSORRT={os.environ.get('WITH_TENSORRT', '0')}"]  # docs/gpu.md
        docker_build([*common, *arguments, "--target", "runtime", "--tag", runtime(packages, flavor)], ROOT)


def build_image(image: Image, flavor: Flavor, *, slim: bool = False) -> str:
    """Build one image on what was built before; return its name with the tag of version and flavour."""
    specs = () if slim else weights_of(image)
    place = place_of(image, slim=slim)
    place.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    pack(specs, ensure_all(specs, WeightPlaces(settings.model_dir, settings.cache)), place / "weights.tar.gz")
    name = name_of(image, flavor, slim=slim)
    below = runtime(image.packages, flavor)
    write_sbom(name, below, specs, place / f"sbom-{flavor}.cdx.json")
    arguments = ["--file", str(image.dockerfile), "--build-arg", f"RUNTIME={below}", "--build-arg", f"FLAVOR={flavor}"]
    for key, value in labels(image, flavor, specs).items():
        arguments += ["--label", f"org.opencontainers.image.{key}={value}"]
    docker_build([*arguments, "--tag", name, "--tag", name.replace(VERSION + "-", "")], place)
    return name


def name_of(image: Image, flavor: Flavor, *, slim: bool = False) -> str:
    """Return the local name of an image, with the tag of version and flavour."""
    return f"{image.repository}:{VERSION}-{flavor}{'-slim' if slim else ''}"


def labels(image: Image, flavor: Flavor, specs: Sequence[ModelSpec]) -> dict[str, str]:
    """Return what the image says of itself, by the last word of the label; `specs` are its weights."""
    licences = {LICENCE, *(spec.licence.weights for spec in specs)} | ({NVIDIA_LICENCE} if flavor == "gpu" else set())
    licences |= {wheel["as_a_whole"] for wheel in table()["wheels"].values()}  # of packages that every image has
    return {
        "title": image.repository,
        "version": VERSION,
        "revision": revision(),
        "licenses": " AND ".join(sorted(licences)),
    }


def place_of(image: Image, *, slim: bool = False) -> Path:
    """Return the folder of an image's packed weights and of the list of what is inside."""
    return OUT / (f"{image.name}-slim" if slim else image.name)


def weights_of(image: Image) -> tuple[ModelSpec, ...]:
    """Return the default models of an image's domains, as far as their licence is permissive."""
    wanted = [spec for spec in catalog() if spec.default and spec.domain in image.domains]
    return tuple(spec for spec in wanted if accepts_licence(spec, "permissive"))


def runtime(packages: str, flavor: Flavor) -> str:
    """Return the name of the image with the packages of a set."""
    return f"reelwarden-runtime:{packages}-{flavor}"


def revision() -> str:
    """Return the commit that is built, marked where the tree differs from it; `unknown` without git or its history."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def size_bytes(name: str) -> int:
    """Return the size of an image, unpacked."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", name]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def docker_build(arguments: Sequence[str], context: Path) -> None:
    """Run one build, which tells what it does on stderr; a failed one ends the program."""
    command = ["docker", "build", *arguments, str(context)]
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
