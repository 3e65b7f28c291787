"""Write docs/conformance.md from what tests said: `python -m tools.conformance_page RESULTS.xml ...`.

A test proves the points that its name begins with (`test_c07_...`), on the image that stands in its brackets. The files
are pytest's, written with --junitxml.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from images.build import revision
from images.catalog import images

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "conformance.md"

POINTS = {  # MUST unless marked
    "C01": "entry point set, in exec form",
    "C02": "the entry point is no init (should)",
    "C03": "no file under /opt/ml in the image",
    "C04": "`serve`: /ping answers 200 within 240 s, without a network",
    "C05": "no /ping takes 2 s during the start",
    "C06": "after the first 200 the next POST works",
    "C07": "an idle /ping is a quick 200 without a body",
    "C08": "every kind of media gives an answer of the asked type",
    "C09": "the slowest answer takes 60 s at most (should)",
    "C10": "/ping is 200 within 2 s during four requests",
    "C11": "four requests at once are served",
    "C12": "the same request gives the same answer (should)",
    "C13": "foreign headers change nothing",
    "C14": "Accept absent, or `*/*`",
    "C15": "Content-Type absent (should)",
    "C16": "a wrong type is a 4xx",
    "C17": "and exactly 415 (should)",
    "C18": "an empty body is a 4xx",
    "C19": "an undecodable body is a 4xx, and the server goes on",
    "C20": "truncated input is a 2xx or 4xx",
    "C21": "a chunked request gives the same answer",
    "C22": "/execution-parameters is valid",
    "C23": "and there (should)",
    "C24": "other routes 404, other methods 405 (should)",
    "C25": "a body of 25 MB",
    "C26": "a body of 99 MB (should)",
    "C27": "logs on standard output or error",
    "C28": "as JSON lines",
    "C29": "/metrics",
    "C30": "an end within 30 s of SIGTERM",
    "C31": "with status 0 or 143 (should)",
    "C32": "the request in flight is answered after SIGTERM",
    "C33": "read-only root, no capabilities, no outbound packet",
    "C34": "any uid (should)",
    "C35": "serves without /opt/ml/model (should)",
    "C36": "the model folder stays untouched",
    "C37": "SAGEMAKER_BIND_TO_PORT, and its label (should)",
    "C38": "an unknown command ends with an error (should)",
    "P01": "`process` ends with 0",
    "P02": "one output per input",
    "P03": "no links",
    "P04": "outputs are JSON",
    "P05": "/opt/ml/output/message of 1 KB at most (should)",
    "P06": "a job of bad inputs fails",
    "P07": "the message is UTF-8 (should)",
    "S201": "SDK 2.x: an endpoint answers as it answers anyone",
    "S202": "SDK 2.x: batch transform, one output per object",
    "S203": "SDK 2.x: a Processing job",
    "S204": "SDK 2.x: a job that fails is reported",
    "S205": "SDK 2.x: a local pipeline succeeds",
    "S301": "SDK 3.x: an endpoint answers as it answers anyone",
    "S302": "SDK 3.x: batch transform, one output per object",
    "S303": "SDK 3.x: a Processing job",
    "S304": "SDK 3.x: a job that fails is reported",
    "S305": "SDK 3.x: a local pipeline succeeds",
    "O01": "Triton's client finds it alive and ready (should)",
    "O02": "not ready before /ping is green",
}
_NAME = re.compile(r"test_((?:[cpso]\d{2,3}_)+)")
_SDK = {"v2": "s2", "v3": "s3"}  # of a test for both lines, and which points are of which


@dataclass(frozen=True, slots=True)
class Result:
    """One test of one point on one image."""

    point: str
    image: str
    test: str
    passed: bool


def main() -> None:
    """Write the page of the results that the command line names."""
    results = [result for name in sys.argv[1:] for result in results_in(Path(name).read_text("utf-8"))]
    PAGE.write_text(page(results, f"Commit {revision()}, {datetime.now(UTC).date().isoformat()}."), "utf-8")


def results_in(xml: str) -> Iterator[Result]:
    """Return what the tests of one file say of points; tests that were skipped say nothing."""
    known = {image.name for image in images()}
    for case in ElementTree.fromstring(xml).iter("testcase"):  # noqa: S314 - written by our own pytest
        name, _, bracket = case.get("name", "").rstrip("]").partition("[")
        words, found = bracket.split("-"), _NAME.match(name)
        image = next((word for word in words if word in known), None)
        if found is None or image is None or case.find("skipped") is not None:
            continue
        line = next((start for version, start in _SDK.items() if version in words), None)
        points = [point for point in found[1].strip("_").split("_") if line is None or point.startswith(line)]
        passed = case.find("failure") is None and case.find("error") is None
        yield from (Result(point.upper(), image, name, passed) for point in points)


def _mark(passed: Sequence[bool], *, whole: bool) -> str:
    if not passed:
        return ""
    return "✗" if not all(passed) else "✓" if whole else "(✓)"


def page(results: Iterable[Result], source: str) -> str:
    """Return the page's text: a point is held on an image when every test of it there has passed."""
    passed: dict[tuple[str, str], list[bool]] = defaultdict(list)
    ran: dict[tuple[str, str], set[str]] = defaultdict(set)
    tests: dict[str, set[str]] = defaultdict(set)
    for result in results:
        passed[result.point, result.image].append(result.passed)
        tests[result.point].add(result.test)
        ran[result.point, result.image].add(result.test)
    names = [image.name for image in images()]
    lines = [
        "# Conformance\n",
        "Generated by `make conformance` from a run of the tests against the images for CPUs. ✓: every test of the",
        "point passed on that image; (✓): those that ran there did, and others ran on other images; ✗: one failed;",
        "empty: not run there.\n",
        f"*{source}*\n",
        f"| point | | {' | '.join(names)} |",
        f"| --- | --- |{' :-: |' * len(names)}",
    ]
    for point, meaning in POINTS.items():
        cells = (_mark(passed[point, name], whole=ran[point, name] == tests[point]) for name in names)
        lines.append(f"| {point} | {meaning} | {' | '.join(cells)} |")
    lines += ["\nWhich test shows which point:\n", "| point | test |", "| --- | --- |"]
    for point in POINTS:
        lines += [f"| {point} | `{test}` |" for test in sorted(tests[point])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
