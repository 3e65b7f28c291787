"""The domain toxicity: what it rates, what its segments are, and what it says of what it cannot judge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from model_zoo import toxicity
from model_zoo.catalog import catalog
from model_zoo.domain import Loaded, Start, Summary
from model_zoo.errors import LicenceError, ManifestError
from model_zoo.manifest import ModelSpec, WeightFile, read
from model_zoo.report import Coverage, DomainPart
from model_zoo.text.schema import TextPart, TextSegment
from model_zoo.toxicity import heads, lexicon
from model_zoo.toxicity.foreign import foreign
from model_zoo.toxicity.networks import checked, label_scores
from model_zoo.toxicity.postprocess import segments
from model_zoo.toxicity.schema import KEYS, OVERALL, Origin, RatedText, ToxicityPart, ToxicitySegment
from model_zoo.toxicity.tokens import tokenizer
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart
from model_zoo.values import GivenText, Tensor
from serve.backends.fake import FakeModel
from serve.models import choose_models
from serve.policy.decide import decide
from serve.policy.load import read_policy
from serve.settings import load_settings
from tests.unit.report_fixtures import report

SPECS = {spec.role: spec for spec in catalog() if spec.domain == "toxicity" and spec.default}
COVERED = [Coverage(label="speech", grade="trained classifier")]


def calm(spec: ModelSpec) -> Loaded:
    """Return a network that finds nothing in any text."""
    answers: dict[str, Callable[[Tensor], Tensor]] = {
        "scores": lambda ids: np.full((len(ids), 6), 0.001, np.float32),
        "last_hidden_state": lambda ids: np.ones((*ids.shape, 384), np.float32),
    }
    return Loaded(spec, FakeModel(spec, {name: answers[name] for name in spec.outputs}))


def rated(parts: Mapping[str, DomainPart], *texts: str) -> ToxicityPart:
    loaded = {role: calm(spec) for role, spec in SPECS.items()}
    summary = Summary({}, SPECS, 1.0, 60.0, 0, 0, parts, loaded=loaded, texts=tuple(map(GivenText, texts)))
    part = toxicity.summarize(summary)
    assert isinstance(part, ToxicityPart)
    return part


def said(text: str, start_seconds: float, language: str = "en") -> SpeechSegment:
    return SpeechSegment(
        text=text,
        language=language,
        start_seconds=start_seconds,
        end_seconds=start_seconds + 2,
        peak_seconds=start_seconds,
        peak_confidence=0.9,
        mean_confidence=0.9,
        frames=1,
    )


def written(text: str, start_seconds: float) -> TextSegment:
    return TextSegment(
        label=text, start_seconds=start_seconds, end_seconds=start_seconds + 2, peak_seconds=start_seconds,
        peak_confidence=0.9, mean_confidence=0.9, frames=2, points=[],
    )  # fmt: skip


def speech(*several: SpeechSegment) -> dict[str, DomainPart]:
    return {"transcription": TranscriptionPart(segments=list(several), coverage=COVERED, language="en")}


def coverage_of(part: ToxicityPart) -> dict[str, Coverage]:
    return {entry.label: entry for entry in part.coverage}


def test_speech_screen_and_given_texts_are_all_rated_with_their_origin_and_times() -> None:
    screen = TextPart(segments=[written("SALE", 4.0)], coverage=COVERED)
    part = rated({**speech(said("hello", 1.0)), "text": screen}, "one", "two")
    assert [(text.origin, text.text, text.start_seconds, text.end_seconds, text.item) for text in part.texts] == [
        ("speech", "hello", 1.0, 3.0, None),
        ("screen", "SALE", 4.0, 6.0, None),
        ("text", "one", 0.0, 0.0, 0),
        ("text", "two", 0.0, 0.0, 1),
    ]


def test_a_swear_word_is_profanity_at_its_place_and_nothing_worse() -> None:
    (text,) = rated({}, "what a sh1tty day").texts
    assert text.scores["profanity"] >= 0.9
    assert text.toxicity < 0.5
    assert [(text.text[place.start : place.end], place.key) for place in text.passages] == [("sh1tty", "profanity")]


def test_a_key_that_nothing_covers_is_missing_and_said_not_to_be_covered() -> None:
    part = rated({}, "hello")
    assert set(part.texts[0].scores) == set(KEYS) - {"graphic"}
    assert coverage_of(part)["graphic"].grade == "not covered"
    assert coverage_of(part)["sexual"].grade == "weak evidence"


def test_without_anything_to_read_no_key_is_covered() -> None:
    part = rated({})
    assert part.texts == []
    assert {entry.grade for entry in part.coverage} == {"not covered"}
    assert "transcription" in (coverage_of(part)["insult"].reason or "")


def test_silence_is_covered_when_somebody_listened() -> None:
    assert coverage_of(rated(speech()))["insult"].grade == "trained classifier"


def test_speech_in_another_language_is_not_rated_and_coverage_says_so() -> None:
    part = rated(speech(said("du Idiot", 1.0, "de"), said("hello", 5.0)))
    assert [text.text for text in part.texts] == ["hello"]
    insult = coverage_of(part)["insult"]
    assert insult.grade == "not covered"
    assert insult.source
    assert "not rated: speech in de (stretches: 1)" in (insult.reason or "")


def test_a_word_on_the_screen_does_not_cover_what_was_said_in_another_language(tmp_path: Path) -> None:
    german = speech(said("ich bringe dich um", 1.0, "de"))
    screen = {"text": TextPart(segments=[written("SUBSCRIBE", 3.0)], coverage=COVERED)}
    rules = "domains: {toxicity: {labels: {violence_or_threat: {review: 0.7}}}}\non_not_covered: review\n"
    (tmp_path / "mine.yaml").write_text(f"schema: reelwarden.policy/1\nname: mine\nversion: 1\n{rules}")
    mine = read_policy(tmp_path / "mine.yaml", load_settings())
    alone, beside = (rated(parts) for parts in (german, german | screen))
    assert [text.text for text in beside.texts] == ["SUBSCRIBE"]
    for part in (alone, beside):
        assert coverage_of(part)["violence_or_threat"].grade == "not covered"
        assert decide(report(toxicity=part), mine).decision == "review"
    understood = rated(speech(said("hello", 1.0)) | screen)
    assert decide(report(toxicity=understood), mine).decision == "allow"


def test_a_film_all_in_another_language_is_not_covered() -> None:
    part = rated(speech(said("du Idiot", 1.0, "de")))
    insult = coverage_of(part)["insult"]
    assert (insult.grade, insult.reason) == ("not covered", "speech is in de; the models know en only")


def rated_text(start_seconds: float, origin: Origin = "speech", **scores: float) -> RatedText:
    return RatedText(
        origin=origin, text="x", start_seconds=start_seconds, end_seconds=start_seconds + 2, toxicity=0.9, scores=scores
    )  # fmt: skip


def of_keys(texts: Sequence[RatedText]) -> list[ToxicitySegment]:
    return [segment for segment in segments(texts) if segment.label != OVERALL]


def test_flagged_sentences_after_each_other_are_one_segment_with_the_worst_as_peak() -> None:
    (first, second) = of_keys(
        [rated_text(0, insult=0.6), rated_text(3, insult=0.8), rated_text(5, insult=0.2), rated_text(20, insult=0.7)]
    )
    assert (first.start_seconds, first.end_seconds, first.peak_seconds, first.frames) == (0, 5, 3, 2)
    assert (first.peak_confidence, first.mean_confidence, first.status) == (0.8, 0.7, "finding")
    assert second.start_seconds == 20


def test_speech_and_screen_make_segments_of_their_own_and_weak_keys_hints() -> None:
    found = of_keys([rated_text(0, insult=0.9), rated_text(0, "screen", insult=0.9, sexual=0.9)])
    assert [(item.label, item.origin, item.status) for item in found] == [
        ("sexual", "screen", "hint"),
        ("insult", "speech", "finding"),
        ("insult", "screen", "finding"),
    ]


def test_the_score_as_a_whole_has_segments_that_open_as_the_others_do() -> None:
    calm_text, rude = rated_text(0, insult=0.2), rated_text(9, harassment_or_abuse=0.69)
    found = segments([calm_text.model_copy(update={"toxicity": 0.49}), rude.model_copy(update={"toxicity": 0.98})])
    assert [(item.label, item.start_seconds, item.peak_confidence, item.status) for item in found] == [
        ("harassment_or_abuse", 9, 0.69, "finding"),
        ("toxicity", 9, 0.98, "finding"),
    ]


def test_given_texts_never_share_a_segment() -> None:
    several = [
        RatedText(
            origin="text", text="x", start_seconds=0, end_seconds=0, toxicity=0, scores={"insult": score},
            item=item, item_id=item_id,
        )
        for item, item_id, score in ((0, "a", 0.6), (1, None, 0.1), (7, "b", 0.9))
    ]  # fmt: skip
    found = segments(several)
    assert [(segment.item, segment.item_id, segment.peak_confidence, segment.frames) for segment in found] == [
        (0, "a", 0.6, 1),
        (7, "b", 0.9, 1),
    ]


def test_the_heads_were_trained_with_the_default_networks_and_this_word_list() -> None:
    trained = heads.heads()
    assert trained.classifier_sha256 == SPECS["classifier"].sha256
    assert trained.encoder_sha256 == SPECS["encoder"].sha256
    words = hashlib.sha256(lexicon.FILE.read_bytes()).hexdigest()
    assert trained.words_sha256 == words, "words.toml changed: run export/recipes/toxicity_heads.py"


MULTILINGUAL = """
[many]
domain = "toxicity"
role = "classifier"
title = "many languages"
decoder = "toxicity_logits"
sources = ["file:many.onnx"]
sha256 = "{sha256}"
size_bytes = 1
outputs = ["logits"]
labels = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit", "male"]
[many.licence]
weights = "Apache-2.0"
code = "Apache-2.0"
commercial = true
[many.text]
name = "input_ids"
tokenizer = "json"
vocabulary_file = "tokenizer.json"
most_tokens = 16
pad_id = 1
mask_name = "attention_mask"
"""


@pytest.fixture
def many(tmp_path: Path) -> ModelSpec:
    """Return a multilingual classifier by a manifest of one's own, with a tokenizer of three words."""
    made = Tokenizer(WordLevel({"?": 0, "<pad>": 1, "du": 2, "Idiot": 3}, unk_token="?"))
    made.pre_tokenizer = Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "my.toml").write_text(MULTILINGUAL.format(sha256="0" * 64))
    (spec,) = read(tmp_path / "my.toml")
    return spec


def test_a_classifier_of_ones_own_speaks_for_itself_in_any_language(many: ModelSpec) -> None:
    def logits(ids: Tensor) -> Tensor:
        calm_row, rude_row = np.full(8, -5.0, np.float32), np.array([3, -3, -2, -4, 4, -5, -1, 9], np.float32)
        return np.stack([rude_row if 3 in row else calm_row for row in ids])

    loaded = {"classifier": Loaded(many, FakeModel(many, {"logits": logits}))}
    specs = {role: model.spec for role, model in loaded.items()}
    parts = speech(said("du Idiot", 1.0, "de"), said("bonjour", 5.0, "fr"))
    part = toxicity.summarize(Summary({}, specs, 1.0, 60.0, 0, 0, parts, loaded=loaded))
    assert isinstance(part, ToxicityPart)
    rude, polite = part.texts
    assert rude.scores["insult"] == pytest.approx(0.982, abs=1e-3)
    assert rude.toxicity == pytest.approx(0.982, abs=1e-3)  # the worst of its keys
    assert set(rude.scores) == set(KEYS) - {"graphic"}
    assert polite.toxicity < 0.01
    assert coverage_of(part)["hate_speech"].source == "toxicity/many"


def test_the_encoder_is_loaded_where_its_heads_know_the_classifier_and_only_there(many: ModelSpec) -> None:
    assert set(choose_models([toxicity.DOMAIN], load_settings())) == {
        ("toxicity", "classifier"),
        ("toxicity", "encoder"),
    }
    own = load_settings(manifests=str(many.manifest), models="toxicity.classifier=many")
    assert set(choose_models([toxicity.DOMAIN], own)) == {("toxicity", "classifier")}


def test_rows_are_filled_up_with_the_networks_own_padding(many: ModelSpec) -> None:
    assert tokenizer(many)(["du Idiot", "du"]).tolist() == [[2, 3], [2, 1]]


def test_a_decoder_that_is_not_toxicitys_is_refused(many: ModelSpec) -> None:
    wrong = many.model_copy(update={"decoder": "nsfwjs"})
    loaded = Loaded(wrong, FakeModel(wrong, {}))
    with pytest.raises(ManifestError, match=r"\[many\] decoder 'nsfwjs' is not toxicity's for a classifier"):
        toxicity.start(Start({"classifier": loaded}, 1.0))


def test_a_vocabulary_that_cannot_be_read_is_named(many: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ManifestError, match=r"tokenizer\.json: this vocabulary_file cannot be read"):
        tokenizer(many)


def test_a_classifier_brings_its_own_tokenizer_and_says_one_of_two_things(many: ModelSpec, tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    (tmp_path / "tokenizer.json").rename(fetched / "tokenizer.json")
    file = WeightFile(sources=["file:tokenizer.json"], sha256="0" * 64, size_bytes=1)
    changes = {"decoder": "toxicity_softmax", "labels": ("not-toxic", "toxic"), "further_files": (file,)}
    spec = many.model_copy(update=changes)

    def logits(ids: Tensor) -> Tensor:
        return np.array([[-1, 3] if 3 in row else [2, -2] for row in ids], np.float32)

    loaded = Loaded(spec, FakeModel(spec, {"logits": logits}), fetched)
    scores = label_scores(checked("classifier", loaded), ["du Idiot", "du"])
    assert scores.sum(axis=1) == pytest.approx(1.0)
    assert scores[:, 1] == pytest.approx([1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4))])


def test_a_multilingual_model_is_an_entry_that_a_user_opts_into() -> None:
    (spec,) = [spec for spec in catalog() if spec.name == "distilbert_multilingual"]
    own = load_settings(models="toxicity.classifier=distilbert_multilingual")
    with pytest.raises(LicenceError, match="LicenseRef-OpenRAIL-PlusPlus-M"):
        choose_models([toxicity.DOMAIN], own)
    known = load_settings(models="toxicity.classifier=distilbert_multilingual", licences="any")
    assert choose_models([toxicity.DOMAIN], known) == {("toxicity", "classifier"): spec}
    assert {"fr", "ru", "zh"} <= set(spec.reads().languages)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Du bist ein dummer Idiot und ich hasse dich", "de"),
        ("você não vale nada", "pt"),
        ("sen bir aptalsın ve senden nefret ediyorum", "tr"),
        ("ты идиот", "Cyrillic"),
        ("我讨厌你们", "CJK"),
        ("you are an idiot and the last one", None),
        ("fu\u0441k you", None),  # a Cyrillic es is a disguise
        ("un ami of mine", None),
        ("idiota", None),
        ("", None),
        ("1234 :-)", None),
    ],
)
def test_what_is_plainly_not_english_is_told_and_the_rest_passes_for_it(text: str, language: str | None) -> None:
    assert foreign(text) == language


def test_text_that_is_not_english_is_rated_and_coverage_says_how_little_that_means() -> None:
    some = rated({}, "hello there", "du bist ein Idiot und ich hasse dich")
    assert [text.language for text in some.texts] == [None, "de"]
    insult = coverage_of(some)["insult"]
    assert insult.grade == "weak evidence"
    assert "rated as if it were en: text that looks like de (1 times)" in (insult.reason or "")
    assert {entry.grade for entry in rated({}, "ты идиот").coverage} == {"weak evidence", "not covered"}
    assert "looks like" not in (coverage_of(rated({}, "hello there"))["insult"].reason or "")
