"""The moderation labels: names and levels of Amazon Rekognition Content Moderation, version 7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.moderation.language import VISIBLE_HATE_TEXT

VERSION = "7.0"

TREE: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # level 1 -> level 2 -> level 3
    "Explicit": {
        "Explicit Nudity": (
            "Exposed Male Genitalia",
            "Exposed Female Genitalia",
            "Exposed Buttocks or Anus",
            "Exposed Female Nipple",
        ),
        "Explicit Sexual Activity": (),
        "Sex Toys": (),
    },
    "Non-Explicit Nudity of Intimate parts and Kissing": {
        "Non-Explicit Nudity": (
            "Bare Back",
            "Exposed Male Nipple",
            "Partially Exposed Buttocks",
            "Partially Exposed Female Breast",
            "Implied Nudity",
        ),
        "Obstructed Intimate Parts": ("Obstructed Female Nipple", "Obstructed Male Genitalia"),
        "Kissing on the Lips": (),
    },
    "Swimwear or Underwear": {
        "Female Swimwear or Underwear": (),
        "Male Swimwear or Underwear": (),
    },
    "Violence": {
        "Weapons": (),
        "Graphic Violence": (
            "Weapon Violence",
            "Physical Violence",
            "Self-Harm",
            "Blood & Gore",
            "Explosions and Blasts",
        ),
    },
    "Visually Disturbing": {
        "Death and Emaciation": ("Emaciated Bodies", "Corpses"),
        "Crashes": ("Air Crash",),
    },
    "Drugs & Tobacco": {
        "Products": ("Pills",),
        "Drugs & Tobacco Paraphernalia & Use": ("Smoking",),
    },
    "Alcohol": {
        "Alcohol Use": ("Drinking",),
        "Alcoholic Beverages": (),
    },
    "Rude Gestures": {"Middle Finger": ()},
    "Gambling": {},
    "Hate Symbols": {"Nazi Party": (), "White Supremacy": (), "Extremist": ()},
}

CONTENT_TYPES = ("Animated", "Illustrated")  # what kind of picture it is; no moderation label


@dataclass(frozen=True, slots=True)
class Label:
    """One node of the tree."""

    name: str
    parent: str | None
    level: int  # 1 to 3


def _labels() -> dict[str, Label]:
    found = {}
    for top, middles in TREE.items():
        found[top] = Label(top, None, 1)
        for middle, leaves in middles.items():
            found[middle] = Label(middle, top, 2)
            found.update({leaf: Label(leaf, middle, 3) for leaf in leaves})
    return found


LABELS: Mapping[str, Label] = _labels()  # by name, parents before children
OWN_LABELS: Mapping[str, Label] = {  # beside the tree, in a namespace of their own
    name: Label(name, None, 1) for name in (VISIBLE_HATE_TEXT,)
}
ALL_LABELS: Mapping[str, Label] = {**LABELS, **OWN_LABELS}


def with_ancestors(name: str) -> tuple[str, ...]:
    """Return a label and everything above it, the label first."""
    parent = ALL_LABELS[name].parent
    return (name, *(with_ancestors(parent) if parent else ()))


def children(name: str) -> tuple[str, ...]:
    """Return the labels right below a label."""
    return tuple(label.name for label in LABELS.values() if label.parent == name)
