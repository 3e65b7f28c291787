"""The taxonomy holds the Rekognition v7 names, and everything that models say leads to one of them."""

from __future__ import annotations

import pytest

from model_zoo.catalog import catalog, choose, named
from model_zoo.labels.names import shown_labels
from model_zoo.moderation.signals import (
    BODY_PARTS,
    BOX_SIGNALS,
    CONTENT_SIGNALS,
    FRAME_SIGNALS,
    OTHER_DOMAINS,
    signals_of,
)
from model_zoo.moderation.taxonomy import CONTENT_TYPES, LABELS, TREE, children, with_ancestors

V7 = """
Explicit
  Explicit Nudity
    Exposed Male Genitalia
    Exposed Female Genitalia
    Exposed Buttocks or Anus
    Exposed Female Nipple
  Explicit Sexual Activity
  Sex Toys
Non-Explicit Nudity of Intimate parts and Kissing
  Non-Explicit Nudity
    Bare Back
    Exposed Male Nipple
    Partially Exposed Buttocks
    Partially Exposed Female Breast
    Implied Nudity
  Obstructed Intimate Parts
    Obstructed Female Nipple
    Obstructed Male Genitalia
  Kissing on the Lips
Swimwear or Underwear
  Female Swimwear or Underwear
  Male Swimwear or Underwear
Violence
  Weapons
  Graphic Violence
    Weapon Violence
    Physical Violence
    Self-Harm
    Blood & Gore
    Explosions and Blasts
Visually Disturbing
  Death and Emaciation
    Emaciated Bodies
    Corpses
  Crashes
    Air Crash
Drugs & Tobacco
  Products
    Pills
  Drugs & Tobacco Paraphernalia & Use
    Smoking
Alcohol
  Alcohol Use
    Drinking
  Alcoholic Beverages
Rude Gestures
  Middle Finger
Gambling
Hate Symbols
  Nazi Party
  White Supremacy
  Extremist
"""


def outline() -> str:
    lines = [f"{'  ' * (label.level - 1)}{label.name}" for label in LABELS.values()]
    return "\n" + "\n".join(lines) + "\n"


def test_the_tree_is_the_one_of_version_7() -> None:
    assert outline() == V7


def test_a_label_knows_what_is_above_and_below_it() -> None:
    assert with_ancestors("Pills") == ("Pills", "Products", "Drugs & Tobacco")
    assert children("Violence") == ("Weapons", "Graphic Violence")
    assert [name for name, label in LABELS.items() if label.parent is None] == list(TREE)


def test_every_signal_means_a_label_of_the_taxonomy() -> None:
    signals = [signal for table in (FRAME_SIGNALS, BOX_SIGNALS) for several in table.values() for signal in several]
    meant = {signal.label for signal in signals}
    meant |= {label for meanings in OTHER_DOMAINS.values() for label in meanings.values()}
    assert meant <= set(LABELS)
    assert {signal.label for several in CONTENT_SIGNALS.values() for signal in several} == set(CONTENT_TYPES)


def test_every_own_label_is_one_that_the_models_have() -> None:
    specs = catalog()
    (nudenet,) = named(["nudenet_320n"], specs)
    assert set(BODY_PARTS) <= set(nudenet.labels)
    assert set(OTHER_DOMAINS["objects"]) <= set(choose("objects", "detector", None, specs).labels)
    assert set(OTHER_DOMAINS["labels"]) <= set(shown_labels(choose("labels", "tagger", None, specs)))


@pytest.mark.parametrize("name", ["missile", "projectile"])
def test_names_that_taggers_give_to_rockets_mean_nothing(name: str) -> None:
    assert name not in OTHER_DOMAINS["labels"]


def test_manifests_promise_what_the_signals_give() -> None:
    for spec in catalog():
        promised = {(entry.label, entry.grade) for entry in spec.coverage}
        if spec.domain == "moderation":
            signals = (*signals_of(spec.decoder), *CONTENT_SIGNALS.get(spec.decoder, ()))
            assert promised == {(signal.label, signal.grade) for signal in signals}, spec.name
        elif spec.domain in OTHER_DOMAINS and spec.default:
            assert promised == {(label, "weak evidence") for label in OTHER_DOMAINS[spec.domain].values()}, spec.name
