"""Every output form: deterministic, complete, and harmless whatever the media says."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.errors import FormError
from model_zoo.report import Report, ReportedError
from model_zoo.toxicity.schema import ToxicityPart, ToxicitySegment
from serve.formats import FORMS, Form, check_domains, form_named, render
from serve.formats.files import forms_named, write_forms
from serve.formats.table import harmless
from serve.saved import read_report
from tests.unit.report_fixtures import everything, report, span, speech, transcription

EVERY_FORM = pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
HOSTILE = "one\n\n2\n00:00:00,000 --> 00:00:09,000\n<b>bold</b> {\\an8} & <script>alert(1)</script>\r\u2028NOTE --> end"


def hostile() -> Report:
    return report(transcription=transcription(speech(HOSTILE, 1.0, 8.0)))


@EVERY_FORM
def test_the_same_report_gives_the_same_text_also_after_it_was_saved(form: Form, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(everything().model_dump_json(), "utf-8")
    assert render(form, everything()) == render(form, read_report(path))


@EVERY_FORM
def test_a_form_says_something_of_a_full_report_and_ends_with_one_line_break(form: Form) -> None:
    text = render(form, everything())
    assert text.strip()
    assert text.endswith(("\n", "\r\n"))
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("form", [form for form in FORMS.values() if form.needs], ids=lambda form: form.name)
def test_a_form_whose_domain_did_not_run_is_refused_and_the_domain_named(form: Form) -> None:
    with pytest.raises(FormError, match=rf"{form.name} needs the domain {form.needs[0]}.*did not run"):
        render(form, report())
    with pytest.raises(FormError, match=form.needs[0]):
        check_domains(form, ("sounds",))
    check_domains(form, (form.needs[-1], "sounds"))


def test_a_form_whose_domain_failed_says_why() -> None:
    error = ReportedError(domain="transcription", type="BackendError", message="the model broke")
    failed = report().model_copy(update={"errors": [error]})
    with pytest.raises(FormError, match="it failed: the model broke"):
        render(form_named("srt"), failed)


def test_names_suffixes_and_profiles_are_told_apart() -> None:
    assert len({form.suffix for form in FORMS.values()}) == len(FORMS)
    assert len({(form.media_types[0], form.profile) for form in FORMS.values()}) == len(FORMS)
    assert all(name == form.name for name, form in FORMS.items())


def test_an_unknown_form_is_named_with_those_there_are() -> None:
    with pytest.raises(FormError, match="there is no form 'pdf'; forms are json, jsonl, csv"):
        forms_named(["srt,pdf"])
    assert [form.name for form in forms_named(["srt, csv", "srt"])] == ["srt", "csv"]


def test_forms_are_written_beside_the_report(tmp_path: Path) -> None:
    place = tmp_path / "clip.mp4" / "report.json"
    whole = everything().model_copy(update={"domains": {"moderation": everything().domains["moderation"]}})
    left_out = write_forms(whole, place, forms_named(["json,csv,rekognition-content-moderation,srt"]))
    assert sorted(path.name for path in place.parent.iterdir()) == [
        "report.csv",
        "report.json",
        "report.rekognition-content-moderation.json",
    ]
    assert [str(error) for error in left_out] == [
        "clip.mp4: the form srt needs the domain transcription, and it did not run"
    ]
    assert read_report(place) == whole


def test_lines_of_json_hold_one_segment_each_whatever_it_says() -> None:
    text = render(form_named("jsonl"), hostile())
    (line,) = text.splitlines()  # also splits at U+2028 and U+0085
    segment = json.loads(line)
    assert (segment["media"], segment["domain"], segment["text"]) == ("clip.mp4", "transcription", HOSTILE)
    every = [json.loads(line) for line in render(form_named("jsonl"), everything()).splitlines()]
    assert len(every) == sum(len(part.segments) for part in everything().domains.values())


def test_the_table_has_a_row_for_every_segment() -> None:
    rows = list(csv.DictReader(io.StringIO(render(form_named("csv"), everything()), newline="")))
    assert len(rows) == sum(len(part.segments) for part in everything().domains.values())
    insult = next(row for row in rows if row["label"] == "insult")
    assert (insult["domain"], insult["start_seconds"], insult["peak_confidence"]) == ("toxicity", "1.0", "0.9")


def test_table_and_lines_say_whose_a_segment_is() -> None:
    insults = [
        ToxicitySegment(label="insult", origin="text", item=item, item_id=item_id, **span(0.0, 0.0, 0.9))
        for item, item_id in ((3, "=c-17"), (4, None))
    ]
    found = everything().model_copy(
        update={"domains": everything().domains | {"toxicity": ToxicityPart(segments=insults)}}
    )
    rows = list(csv.DictReader(io.StringIO(render(form_named("csv"), found), newline="")))
    whose = {(row["label"], row["origin"], row["item"], row["item_id"]) for row in rows if row["item"]}
    assert whose == {("insult", "text", "3", "'=c-17"), ("insult", "text", "4", "")}
    assert {row["person"] for row in rows if row["domain"] == "faces"} == {"", "person-1"}
    assert {row["speaker"] for row in rows if row["domain"] == "transcription"} == {"speaker-1"}
    lines = [json.loads(line) for line in render(form_named("jsonl"), found).splitlines()]
    assert [(line["item"], line["item_id"]) for line in lines if "item" in line] == [(3, "=c-17"), (4, None)]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        '";=HYPERLINK("http://x")',
        "a;=1+1",
        "a|=1",
        'x"=1',
        "＝1",
        "a;\n@x",
    ],
)
def test_no_cell_is_a_formula(text: str) -> None:
    (row,) = csv.DictReader(
        io.StringIO(render(form_named("csv"), report(transcription=transcription(speech(text, 0, 1)))), newline="")
    )
    cells = re.split(r"[;|\"]", row["text"])  # as a spreadsheet with another separator may cut it
    assert not any(re.match(r"\s*[=+\-@＝]", cell) for cell in cells)
    assert "\n" not in row["text"]


def test_ordinary_text_stays_as_it_is_in_the_table() -> None:
    assert harmless("Well - I said 2 + 2 = 4, mail me@home.org") == "Well - I said 2 + 2 = 4, mail me@home.org"


def test_subtitles_cut_speech_into_two_short_lines_at_the_times_of_the_words() -> None:
    words = " ".join(f"word{number:02}" for number in range(30))
    text = render(form_named("srt"), report(transcription=transcription(speech(words, 0, 15))))
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    assert [block[0] for block in blocks] == ["1", "2", "3"]
    assert [block[1] for block in blocks] == [
        "00:00:00,000 --> 00:00:06,000",
        "00:00:06,000 --> 00:00:12,000",
        "00:00:12,000 --> 00:00:15,000",
    ]
    assert all(len(block) <= 4 and max(map(len, block[2:])) <= 42 for block in blocks)
    assert " ".join(line for block in blocks for line in block[2:]) == words


def spoken(text: str, *words: str) -> str:
    segment = speech(" ".join(words), 0.0, 4.0).model_copy(update={"text": text})
    return render(form_named("srt"), report(transcription=transcription(segment)))


def test_words_keep_the_spaces_that_the_text_has_between_them() -> None:
    assert "cold-hearted man\n" in spoken("cold-hearted man", "cold", "-hearted", "man")
    assert "你好世界\n" in spoken("你好世界", "你", "好", "世界")
    assert "one two\n" in spoken("something else", "one", "two")  # words that are not of the text


def test_slow_speech_is_cut_after_seven_seconds() -> None:
    text = render(form_named("srt"), report(transcription=transcription(speech("a b c d", 0, 20))))
    assert "00:00:00,000 --> 00:00:05,000" in text
    assert text.count("-->") == 4


def test_hostile_speech_cannot_leave_its_subtitle() -> None:
    srt = render(form_named("srt"), hostile())
    assert srt.count("-->") == len(re.findall(r"^\d+\n\d\d:\d\d:\d\d,\d{3} --> ", srt, re.MULTILINE))
    assert not set("<{}") & set(srt)
    vtt = render(form_named("vtt"), hostile())
    assert vtt.startswith("WEBVTT\n\n")
    times = re.findall(r"^\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}$", vtt, re.MULTILINE)
    assert vtt.count("-->") == len(times)
    bodies = [block.split("\n", 1)[1] for block in vtt.strip().split("\n\n")[1:]]
    assert len(bodies) == len(times)
    assert all(body.removeprefix("<v speaker-1>").count("<") == 0 for body in bodies)
    assert "&lt;script&gt;" in vtt
    assert not re.search(r"&(?!amp;|lt;|gt;)", vtt)


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("-->\n\r<>{}&0123456789:,. ")), max_size=120))
def test_whatever_is_said_subtitles_have_one_arrow_and_one_body_a_cue(text: str) -> None:
    said = report(transcription=transcription(speech(text, 1.0, 8.0), speech("the end", 9.0, 9.5)))
    for name in ("srt", "vtt"):
        blocks = render(form_named(name), said).removeprefix("WEBVTT\n\n").rstrip("\n").split("\n\n")
        assert "the end" in blocks[-1]
        for block in blocks:
            lines = block.splitlines()
            assert sum("-->" in line for line in lines) == 1
            assert 2 <= len(lines) <= 4 + 1
    assert len(list(csv.reader(io.StringIO(render(form_named("csv"), said), newline="")))) == 3
    assert len(render(form_named("jsonl"), said).splitlines()) == 2


def test_subtitles_of_silence_are_empty_but_well_formed() -> None:
    silent = report(transcription=transcription())
    assert render(form_named("vtt"), silent) == "WEBVTT\n"
    assert render(form_named("srt"), silent) == ""
    assert render(form_named("txt"), silent) == ""


def test_plain_text_is_a_line_for_every_stretch_of_speech() -> None:
    assert render(form_named("txt"), everything()) == "speaker-1: You are stupid.\nspeaker-1: Well, hello there!\n"
    assert len(render(form_named("txt"), hostile()).splitlines()) == 1
