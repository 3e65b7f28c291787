"""Toxic language on real weights: what a moderator expects is flagged, and harmless people are left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import toxicity_quality
from model_zoo.report import Report
from model_zoo.toxicity.schema import RatedText, ToxicityPart
from serve.cli import app
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

pytestmark = pytest.mark.weights

TOLERANCE = 0.02  # a text near the threshold may fall on its other side on another processor


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(load_settings(domains="toxicity")) as loaded:
        yield loaded


def part_of(report: Report) -> ToxicityPart:
    part = report.domains["toxicity"]
    assert isinstance(part, ToxicityPart)
    return part


@pytest.fixture
def rate(analyzer: Analyzer, tmp_path: Path):
    def rated(text: str) -> RatedText:
        path = tmp_path / "comment.txt"
        path.write_text(text, "utf-8")
        (found,) = part_of(analyzer.analyze(path)).texts
        return found

    return rated


def places(text: RatedText) -> set[tuple[str, str]]:
    return {(place.key, text.text[place.start : place.end]) for place in text.passages}


@pytest.mark.parametrize(
    ("text", "key", "place"),
    [
        ("you are a stupid idiot, shut up, I hate you", "insult", "idiot"),
        ("I will find you and kill you", "violence_or_threat", "kill you"),
        ("all muslims should be killed", "hate_speech", "all muslims should be killed"),
        ("go and kill yourself", "harassment_or_abuse", "kill yourself"),
        ("what an a$$hole you are", "profanity", "a$$hole"),
        ("Dear all. You are vermin and must leave our country. Best wishes.", "hate_speech", "must leave our country."),
    ],
)
def test_what_a_moderator_expects_is_flagged_where_it_stands(rate, text: str, key: str, place: str) -> None:
    found = rate(text)
    assert found.scores[key] >= 0.5
    assert any(key == flagged and place in words for flagged, words in places(found))


@pytest.mark.parametrize(
    "text",
    [
        "I love my gay friends",
        "I am a proud Muslim woman",
        "Thank you for the lovely dinner",
        "I could kill for a coffee",
        "City traffic news",
        "The committee will meet on Tuesday to discuss the budget.",
    ],
)
def test_harmless_texts_are_left_alone(rate, text: str) -> None:
    found = rate(text)
    assert found.toxicity < 0.5
    assert found.passages == []


def test_swearing_for_joy_is_profanity_and_no_insult(rate) -> None:
    found = rate("This is fucking awesome")
    assert found.scores["profanity"] >= 0.9
    assert max(found.scores["insult"], found.toxicity) < 0.5


def test_a_threat_in_the_middle_of_a_polite_letter_is_found(rate) -> None:
    letter = "Thank you for your letter. The garden is in bloom. I will kill you tonight! Please greet your mother."
    found = rate(letter)
    assert found.scores["violence_or_threat"] >= 0.5


def test_a_file_of_comments_gives_a_rating_and_segments_of_its_own_for_each(tmp_path: Path) -> None:
    comments = tmp_path / "comments.jsonl"
    rows = [{"text": "have a nice day"}, {"text": "you idiot", "id": "c-17"}, {"text": "you stupid moron"}]
    comments.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["analyze", str(comments), "--domains", "toxicity", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["media"]["kind"], report["complete"]) == ("text", True)
    part = report["domains"]["toxicity"]
    assert [text["item"] for text in part["texts"]] == [0, 1, 2]
    insults = [segment for segment in part["segments"] if segment["label"] == "insult"]
    assert [(insult["origin"], insult["item"], insult["item_id"]) for insult in insults] == [
        ("text", 1, "c-17"),
        ("text", 2, None),
    ]
    reasons = [reason for reason in report["verdict"]["reasons"] if reason["label"] == "insult"]
    assert {(reason["item"], reason["item_id"]) for reason in reasons} <= {(1, "c-17"), (2, None)}
    assert "item 1" in done.output


def test_a_text_that_no_single_key_is_sure_of_goes_to_a_person_all_the_same(analyzer: Analyzer, tmp_path: Path) -> None:
    path = tmp_path / "comment.txt"
    path.write_text("kys loser")
    report = analyzer.analyze(path)
    (text,) = part_of(report).texts
    assert max(text.scores.values()) < 0.8 <= text.toxicity
    assert report.verdict
    assert [(reason.label, reason.decision) for reason in report.verdict.reasons] == [("toxicity", "review")]


def test_where_no_key_says_what_harms_the_whole_has_its_place(rate) -> None:
    found = rate("Unless to be rather cold-hearted and rather selfish is to be ill-disposed. He came home.")
    assert found.toxicity >= 0.5 > max(found.scores.values())
    ((key, place),) = places(found)
    assert key == "toxicity"
    assert "cold-hearted" in place


def test_the_same_texts_are_rated_the_same_whatever_stands_beside_them(analyzer: Analyzer, tmp_path: Path) -> None:
    texts = ["you idiot", "a much longer text that makes the batch wider, with many words in it", "hello"]
    together, alone = tmp_path / "all.json", tmp_path / "one.json"
    together.write_text(json.dumps(texts))
    alone.write_text(json.dumps(texts[:1]))
    (first, *_), (single,) = (part_of(analyzer.analyze(path)).texts for path in (together, alone))
    assert first.scores == pytest.approx(single.scores, abs=2e-4)


def test_rude_speech_is_an_insult_when_it_was_said() -> None:
    with Analyzer(load_settings(domains="transcription,toxicity")) as listener:
        part = part_of(listener.analyze(MEDIA / "speech" / "synthetic_rude_en.wav"))
    insults = [segment for segment in part.segments if segment.label == "insult"]
    assert insults
    assert all(segment.origin == "speech" for segment in insults)
    assert 0 <= insults[0].start_seconds < insults[0].end_seconds <= 4


@pytest.mark.media
def test_labelled_texts_are_rated_as_well_as_the_card_says(rich_media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toxicity_quality, "RICH_MEDIA", rich_media)
    found, _ = toxicity_quality.measure()
    said = json.loads(toxicity_quality.MEASURED.read_text("utf-8"))
    assert found.keys() == said.keys()
    for name, rows in found.items():
        assert [(row["metric"], row["dataset"]) for row in rows] == [
            (row["metric"], row["dataset"]) for row in said[name]
        ]
        assert [row["value"] for row in rows] == pytest.approx([row["value"] for row in said[name]], abs=TOLERANCE)


def test_the_card_shows_what_was_measured() -> None:
    assert toxicity_quality.card() == toxicity_quality.CARD.read_text("utf-8")
