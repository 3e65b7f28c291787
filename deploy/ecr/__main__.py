"""Push images and print the requests that run them: `python -m deploy.ecr [NAME ...]`; docs/shipping.md.

The images must have been built, by `make images` or `make images-gpu`; `--build` does it first.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from deploy.ecr.push import logged_in, push
from deploy.ecr.registry import prepare
from deploy.sagemaker.requests import Deployment, job_name_of, requests, service_of
from images.build import build, name_of
from images.catalog import images
from model_zoo.errors import ReelwardenError


def main() -> None:
    """Push what the command line names, every image where it names none; an error ends the program with one line."""
    try:
        ship()
    except ReelwardenError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def ship() -> None:
    """Push what the command line names, and write the requests."""
    known = {image.name: image for image in images()}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all of them by default")
    parser.add_argument("--flavor", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--slim", action="store_true", help="the images without weights")
    parser.add_argument("--build", action="store_true", help="build what is pushed first, as `python -m images.build`")
    parser.add_argument("--region", help="of ECR; else what AWS's own settings say")
    parser.add_argument("--registry", help="HOST[:PORT][/PATH] of another registry, where Docker is logged in already")
    parser.add_argument("--role", default="arn:aws:iam::111122223333:role/reelwarden", help="for the requests")
    parser.add_argument("--bucket", default="my-videos", help="for the requests")
    parser.add_argument("--model-data", metavar="S3_URL", help="a model.tar.gz, which slim images need")
    parser.add_argument("--out", type=Path, default=Path("out/deploy"), help="where the requests are written")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(known):
        parser.error(f"no image {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if asked.slim and not asked.model_data:
        parser.error("--slim needs --model-data: `reelwarden models pack` makes the file")
    wanted = [known[name] for name in asked.names or known]
    if asked.build:
        for name in build(wanted, asked.flavor, slim=asked.slim):
            sys.stderr.write(f"built {name}\n")
    login = None if asked.registry else prepare([image.repository for image in wanted], asked.region)
    registry = asked.registry or (login.registry if login else "")
    with logged_in(login) as environment:
        for image in wanted:
            uri = push(name_of(image, asked.flavor, slim=asked.slim), f"{registry}/{image.repository}", environment)
            sys.stdout.write(f"{uri}\n")
            name = f"{image.repository}-{asked.flavor}"
            write_requests(Deployment(name, uri, asked.flavor, asked.role, asked.bucket, asked.model_data), asked.out)


def write_requests(deployment: Deployment, out: Path) -> None:
    """Write every request as a file of its own for `aws ... --cli-input-json`, and say how to send them."""
    place = out / deployment.name
    place.mkdir(parents=True, exist_ok=True)
    (place / "deployment.json").write_text(json.dumps(asdict(deployment), indent=2) + "\n", "utf-8")
    for operation, request in requests(deployment).items():
        path = place / f"{operation}.json"
        path.write_text(json.dumps(request, indent=2) + "\n", "utf-8")
        sys.stdout.write(f"  {command(operation, deployment.name, path)}\n")


def command(operation: str, name: str, path: Path) -> str:
    """Return the line for a shell that sends a request; a job is called after the time at which the line is run."""
    line = f"aws {service_of(operation)} {dashed(operation)} --cli-input-json file://{path}"
    job = job_name_of(operation)
    return f"{line} --{dashed(job)} {name}-$(date -u +%Y%m%d-%H%M%S)" if job else line


def dashed(words: str) -> str:
    """Return `CreateModel` as the command line of AWS spells it, `create-model`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in words).strip("-")


if __name__ == "__main__":
    main()
