"""The review page in a real browser: what a reviewer sees, hears and may press."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from model_zoo.report import Report
from model_zoo.toxicity.schema import ToxicityPart, ToxicitySegment
from serve.cli import app
from serve.media import Limits, open_media
from serve.review import media_source
from serve.review import page as page_of
from tests.browser.conftest import Opened, write_page
from tests.conftest import MEDIA
from tests.review_reports import HOSTILE, demo_report, span

pytestmark = pytest.mark.browser


@pytest.fixture
def page(opened: Opened, report: Report, tmp_path: Path) -> Page:
    return opened.open(write_page(report, tmp_path))


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition; the page's own policy forbids the eval that wait_for_function needs."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"never came true: {condition}")


def video_seconds(page: Page) -> float:
    wait_until(page, "!document.getElementById('video').seeking")
    seconds: float = page.evaluate("document.getElementById('video').currentTime")
    return seconds


def blur_of(page: Page, selector: str) -> str:
    blur: str = page.eval_on_selector(selector, "element => getComputedStyle(element).filter")
    return blur


def exported(page: Page, reviewer: str, folder: Path) -> Path:
    page.keyboard.press("e")
    page.get_by_label("Your name").fill(reviewer)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save file").click()
    download.value.save_as(folder / download.value.suggested_filename)
    return folder / download.value.suggested_filename


def test_the_page_says_what_was_found_and_decided(page: Page) -> None:
    expect(page).to_have_title("Review · demo.mp4")
    expect(page.get_by_role("link", name="Verdict block")).to_be_visible()
    expect(page.locator(".finding-label")).to_have_text(["Weapons", "insult"])
    expect(page.locator("#verdict").get_by_text("Weapons at 0.50 or more")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="0 of 2 decided")).to_be_visible()
    marked = [text.replace("\n", "") for text in page.locator("mark").all_inner_texts()]
    assert marked == ["stupid (toxic: insult)", "idiot(toxic: insult, profanity)", ". Shut up.(toxic: profanity)"]


def test_a_click_on_the_timeline_jumps_there(page: Page) -> None:
    page.get_by_role("group", name="moderation: 2 segments").get_by_role("button", name="Weapons").click()
    assert video_seconds(page) == pytest.approx(16.5, abs=0.05)
    expect(page.locator("#now")).to_have_text("0:16.5")
    page.get_by_role("group", name="text: 1 segments").locator(".track").click(position={"x": 1, "y": 4})
    assert video_seconds(page) < 1.0


def test_a_time_in_the_transcript_and_a_person_jump_there(page: Page) -> None:
    page.locator(".line", has_text="You are a").get_by_role("button").click()
    assert video_seconds(page) == pytest.approx(21.5, abs=0.05)
    page.get_by_role("button", name="person-1, on screen").click()
    assert video_seconds(page) == pytest.approx(23.0, abs=0.05)


def test_flagged_pictures_are_blurred_until_asked_for_and_others_are_not(page: Page) -> None:
    assert blur_of(page, "#video") == "none"
    page.keyboard.press("j")
    assert "blur" in blur_of(page, "#video")
    assert "blur" in blur_of(page, ".finding .thumb img")
    expect(page.locator("#veil")).to_be_visible()
    page.keyboard.press("b")
    assert blur_of(page, "#video") == blur_of(page, ".finding .thumb img") == "none"
    page.get_by_role("button", name="Blur flagged").click()
    assert "blur" in blur_of(page, "#video")


def test_the_veil_falls_before_the_picture_of_a_flagged_moment_is_shown(page: Page) -> None:
    classes = page.evaluate(
        """() => { const seek = document.getElementById("seek"); seek.value = 16;
           seek.dispatchEvent(new Event("input")); return document.getElementById("stage").className; }"""
    )
    assert "veiled" in classes


def test_it_is_silent_until_asked_for_sound(page: Page) -> None:
    assert page.evaluate("document.getElementById('video').muted")
    page.keyboard.press("m")
    assert not page.evaluate("document.getElementById('video').muted")
    expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "false")


def test_space_plays_and_pauses(page: Page) -> None:
    page.keyboard.press(" ")
    wait_until(page, "document.getElementById('video').currentTime > 0.2")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press(" ")
    assert page.evaluate("document.getElementById('video').paused")


def test_boxes_are_drawn_where_the_report_has_them(page: Page) -> None:
    page.keyboard.press("j")
    wait_until(page, "document.querySelectorAll('.box').length === 2")
    placed = page.eval_on_selector(".box.moderation", "box => [box.style.left, box.style.top, box.textContent]")
    assert placed == ["60%", "50%", "Weapons"]
    page.get_by_role("button", name="objects", exact=True).click()
    expect(page.locator(".box")).to_have_count(1)


def test_decisions_by_keyboard_alone_are_exported_and_merged_into_the_report(
    page: Page, report: Report, tmp_path: Path
) -> None:
    for key in ("j", "a", "j", "r", "n"):
        page.keyboard.press(key)
    page.keyboard.type("a joke, r u sure?")  # letters are no commands here
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    expect(page.get_by_role("status").filter(has_text="2 of 2 decided")).to_be_visible()
    file = exported(page, "Ada Reviewer", tmp_path)
    (tmp_path / "report.json").write_text(report.model_dump_json())
    outcome = CliRunner().invoke(app, ["review", "apply", str(tmp_path / "report.json"), str(file)])
    assert outcome.stdout.rstrip().endswith(
        "report.json: 2 of 2 findings decided; outcome block, the policy alone said block"
    )
    review = json.loads((tmp_path / "report.json").read_text())["review"]
    assert review["reviewer"] == "Ada Reviewer"
    assert review["reviewed_at"].endswith("Z")
    assert [(item["label"], item["decision"], item["note"]) for item in review["segments"]] == [
        ("Weapons", "accept", ""),
        ("insult", "reject", "a joke, r u sure?"),
    ]


def test_the_same_key_takes_a_decision_back(page: Page) -> None:
    for key in ("j", "a", "a"):
        page.keyboard.press(key)
    expect(page.get_by_role("status").filter(has_text="0 of 2 decided")).to_be_visible()


def test_nothing_is_exported_without_a_name(page: Page) -> None:
    page.keyboard.press("e")
    page.get_by_role("button", name="Save file").click()
    expect(page.get_by_role("dialog", name="Export decisions")).to_be_visible()


def test_a_reload_loses_no_decision(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.reload()
    expect(page.get_by_role("status").filter(has_text="1 of 2 decided")).to_be_visible()


def test_earlier_decisions_in_the_report_are_shown(opened: Opened, report: Report, tmp_path: Path) -> None:
    segment = {"domain": "toxicity", "label": "insult", "start_seconds": 21.5, "end_seconds": 26.0}
    review = {"reviewer": "Ada", "reviewed_at": "2026-01-01T00:00:00Z", "report_sha256": "0" * 64}
    document = report.model_dump(mode="json") | {
        "review": review | {"segments": [segment | {"decision": "reject", "note": "irony"}]}
    }
    page = opened.open(write_page(Report.model_validate(document), tmp_path))
    expect(page.locator(".state").nth(1)).to_have_text("✕ rejected")


def test_the_filter_leaves_what_is_undecided(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.locator("#filter").select_option("open")
    expect(page.locator(".finding:visible .finding-label")).to_have_text(["insult"])


def test_single_keys_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_label("Single keys do something").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="Blur flagged")).to_have_attribute("aria-pressed", "true")


def test_the_arrows_go_from_segment_to_segment_on_a_lane(page: Page) -> None:
    lane = page.get_by_role("group", name="moderation: 2 segments")
    lane.locator(".bar[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.lane').getAttribute('aria-label')") == (
        "moderation: 2 segments"
    )
    page.keyboard.press("Enter")
    assert video_seconds(page) > 14


def test_hostile_text_stays_text(opened: Opened, tmp_path: Path) -> None:
    page = opened.open(write_page(demo_report(MEDIA / "demo.mp4", hostile=True), tmp_path))
    assert page.evaluate("window.broken") is None
    assert page.locator("h1").inner_text() == HOSTILE
    expect(page).to_have_title(f"Review · {HOSTILE}")
    assert HOSTILE in [text.strip() for text in page.locator(".people b").all_inner_texts()]
    assert page.locator("mark").all_inner_texts()
    assert page.locator("img[src='x']").count() == 0
    page.keyboard.press("j")
    assert page.evaluate("window.broken") is None


def test_a_hostile_file_name_is_only_a_name(opened: Opened, tmp_path: Path) -> None:
    video = tmp_path / '"><img src=x onerror=window.broken=5> 100%#?.mp4'
    video.write_bytes((MEDIA / "demo.mp4").read_bytes())
    report = demo_report(video)
    path = tmp_path / "review.html"
    path.write_text(page_of(report, media_source(report, open_media(video, Limits()), tmp_path)), "utf-8")
    page = opened.open(path)
    expect(page.locator("#video")).to_be_visible()
    page.keyboard.press("j")
    assert video_seconds(page) == pytest.approx(16.5, abs=0.05)
    assert page.evaluate("window.broken") is None
    assert page.locator("h1").inner_text() == video.name


def test_the_page_runs_no_script_but_its_own(opened: Opened, report: Report, tmp_path: Path) -> None:
    page = opened.open(write_page(report, tmp_path))
    page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.broken = 3";
           document.body.append(script);
           document.body.insertAdjacentHTML("beforeend", "<b onclick='window.broken = 4'>");
           document.querySelector("b:last-child").click(); }"""
    )
    assert page.evaluate("window.broken") is None
    assert opened.complaints
    opened.complaints.clear()  # each says that the policy of the page refused it


def test_an_embedded_video_needs_no_file_beside_it(opened: Opened, report: Report, tmp_path: Path) -> None:
    page = opened.open(write_page(report, tmp_path, embed=True))
    page.keyboard.press("j")
    assert video_seconds(page) == pytest.approx(16.5, abs=0.05)
    assert [url for url in opened.asked if url.startswith("file:")] == [(tmp_path / "review.html").as_uri()]


def test_a_video_that_browsers_do_not_play_is_shown_in_pictures(opened: Opened, tmp_path: Path) -> None:
    name = "variants/demo_hevc.mp4"
    page = opened.open(write_page(demo_report(MEDIA / name), tmp_path, video=name))
    expect(page.locator("#still")).to_be_visible()
    page.keyboard.press("ArrowRight")
    first = page.eval_on_selector("#still", "image => [image.naturalWidth, image.src.length]")
    assert first[0] == 640
    page.keyboard.press(" ")
    wait_until(page, "Number(document.getElementById('seek').value) > 1.3")


def test_a_video_that_is_not_there_is_replaced_by_its_pictures(opened: Opened, report: Report, tmp_path: Path) -> None:
    path = write_page(report, tmp_path)
    path.write_text(path.read_text("utf-8").replace('demo.mp4",', 'gone.mp4",', 10), "utf-8")
    page = opened.open(path)
    page.keyboard.press("j")
    expect(page.locator("#still")).to_be_visible()
    assert all("ERR_FILE_NOT_FOUND" in complaint for complaint in opened.complaints)
    opened.complaints.clear()


def test_hundreds_of_findings_can_be_read_and_walked_through(opened: Opened, report: Report, tmp_path: Path) -> None:
    insults = [ToxicitySegment(**span("insult", 0.1 * n, 0.1 * n + 0.1), origin="speech") for n in range(200)]
    parts = report.domains | {"toxicity": ToxicityPart(segments=insults)}
    page = opened.open(write_page(report.model_copy(update={"domains": parts}), tmp_path))
    heights = page.eval_on_selector_all(".finding-head", "heads => heads.map(head => head.clientHeight)")
    assert len(heights) == 201
    assert min(heights) >= 60
    page.keyboard.press("k")  # from nowhere back to the last
    expect(page.locator(".finding.current")).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0


def test_every_key_can_be_pressed_where_nothing_was_found(opened: Opened, report: Report, tmp_path: Path) -> None:
    page = opened.open(write_page(report.model_copy(update={"domains": {}, "verdict": None}), tmp_path))
    for key in ("j", "k", "a", "r", "n", "e", "b", "m", "g", ".", ",", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.get_by_text("Nothing was flagged")).to_be_visible()


def test_a_single_picture_is_reviewed_without_a_clock(opened: Opened, tmp_path: Path) -> None:
    name = "images/cat.png"
    page = opened.open(write_page(demo_report(MEDIA / name, verdict=False), tmp_path, video=name))
    expect(page.locator("#still")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_hidden()


def test_sound_alone_is_heard_and_has_no_switches_for_pictures(opened: Opened, tmp_path: Path) -> None:
    name = "variants/demo_audio.m4a"
    page = opened.open(write_page(demo_report(MEDIA / name), tmp_path, video=name))
    expect(page.get_by_role("button", name="Mute")).to_be_visible()
    expect(page.get_by_role("button", name="Blur flagged")).to_be_hidden()
    page.keyboard.press("k")
    assert video_seconds(page) == pytest.approx(21.5, abs=0.05)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_of_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.keyboard.press("j")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_moves_for_who_wants_no_motion(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    moving: list[Any] = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(element =>
           parseFloat(getComputedStyle(element).transitionDuration) > 0 ||
           getComputedStyle(element).animationName !== "none").map(element => element.outerHTML)"""
    )
    assert moving == []
