"""The page of conformance says of a point on an image what the tests said, and no more."""

from __future__ import annotations

from tools.conformance_page import POINTS, Result, page, results_in

RUN = """<testsuites><testsuite>
<testcase classname="m" name="test_c07_an_idle_ping[labels]"/>
<testcase classname="m" name="test_c08_c09_every_kind[labels-video/mp4]"/>
<testcase classname="m" name="test_c08_c09_every_kind[labels-image/png]"><failure/></testcase>
<testcase classname="m" name="test_c29_metrics[faces]"><skipped/></testcase>
<testcase classname="m" name="test_s201_s301_an_endpoint[all-v3]"/>
<testcase classname="m" name="test_something_else[labels]"/>
<testcase classname="m" name="test_c12_without_an_image"/>
</testsuite></testsuites>"""


def test_points_and_images_are_read_from_the_names_of_tests() -> None:
    assert list(results_in(RUN)) == [
        Result("C07", "labels", "test_c07_an_idle_ping", passed=True),
        Result("C08", "labels", "test_c08_c09_every_kind", passed=True),
        Result("C09", "labels", "test_c08_c09_every_kind", passed=True),
        Result("C08", "labels", "test_c08_c09_every_kind", passed=False),
        Result("C09", "labels", "test_c08_c09_every_kind", passed=False),
        Result("S301", "all", "test_s201_s301_an_endpoint", passed=True),
    ]


def test_one_failure_is_a_failure_and_what_was_not_run_is_empty() -> None:
    text = page(results_in(RUN), "now")
    (held,) = (line for line in text.splitlines() if line.startswith(f"| C07 | {POINTS['C07']}"))
    (failed,) = (line for line in text.splitlines() if line.startswith(f"| C08 | {POINTS['C08']}"))
    (empty,) = (line for line in text.splitlines() if line.startswith(f"| C29 | {POINTS['C29']}"))
    assert (held.count("✓"), held.count("✗")) == (1, 0)
    assert (failed.count("✓"), failed.count("✗")) == (0, 1)
    assert not {"✓", "✗"} & set(empty)
    assert "| C07 | `test_c07_an_idle_ping` |" in text
