"""What each model's own labels say about the taxonomy, and how strongly.

`weak evidence` never decides by itself: it makes hints, not findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from model_zoo.manifest import ModelSpec
from model_zoo.report import Grade

GRADES: tuple[Grade, ...] = get_args(Grade)  # best first


@dataclass(frozen=True, slots=True)
class Signal:
    """A model's labels, their scores added, count for one label of the taxonomy."""

    own_labels: tuple[str, ...]
    label: str
    grade: Grade
    weight: float = 1.0  # among the classifiers of one label


SEXY_MEANS = ("Swimwear or Underwear", "Non-Explicit Nudity of Intimate parts and Kissing")

FRAME_SIGNALS: Mapping[str, tuple[Signal, ...]] = {  # decoder -> what its scores of whole frames say
    # open_nsfw counts double: on harmless video it stays low where nsfwjs takes a singer on a stage for Porn 0.9
    "opennsfw": (Signal(("nsfw",), "Explicit", "trained classifier", weight=2.0),),
    "nsfwjs": (
        Signal(("Porn", "Hentai"), "Explicit", "trained classifier"),
        *(Signal(("Sexy",), label, "weak evidence") for label in SEXY_MEANS),
    ),
}

CONTENT_SIGNALS: Mapping[str, tuple[Signal, ...]] = {  # decoder -> what its scores say about the kind of picture
    "nsfwjs": (
        Signal(("Hentai",), "Animated", "weak evidence"),  # anime and manga, which v7 counts as animated
        Signal(("Drawing",), "Illustrated", "weak evidence"),
    ),
}

BODY_PARTS: Mapping[str, str] = {  # what the body-part detector sees -> taxonomy
    "FEMALE_BREAST_EXPOSED": "Exposed Female Nipple",
    "FEMALE_GENITALIA_EXPOSED": "Exposed Female Genitalia",
    "MALE_GENITALIA_EXPOSED": "Exposed Male Genitalia",
    "BUTTOCKS_EXPOSED": "Exposed Buttocks or Anus",
    "ANUS_EXPOSED": "Exposed Buttocks or Anus",
    "MALE_BREAST_EXPOSED": "Exposed Male Nipple",
}
# The detector's covered parts are left out: it calls them covered under street clothes too.

BOX_SIGNALS: Mapping[str, tuple[Signal, ...]] = {  # decoder -> what its boxes say
    "nudenet": tuple(Signal((own,), label, "trained detector") for own, label in BODY_PARTS.items()),
}

# Things that other domains name. All of it is weak evidence: a kitchen has knives, a museum has rifles, a film has
# shots. The domain `sounds` calls something an explosion only where other sounds speak for one.
# ImageNet's missile and projectile are left out on purpose: taggers use them for every rocket.
OTHER_DOMAINS: Mapping[str, Mapping[str, str]] = {
    "objects": {
        "knife": "Weapons",
        "scissors": "Weapons",
        "baseball bat": "Weapons",
        "wine glass": "Alcoholic Beverages",
    },
    "labels": {
        "assault rifle": "Weapons",
        "rifle": "Weapons",
        "revolver": "Weapons",
        "holster": "Weapons",
        "cleaver": "Weapons",
        "beer glass": "Alcoholic Beverages",
        "beer bottle": "Alcoholic Beverages",
        "wine bottle": "Alcoholic Beverages",
        "red wine": "Alcoholic Beverages",
        "pill bottle": "Pills",
        "slot machine": "Gambling",
        "bikini": "Female Swimwear or Underwear",
        "swimsuit (maillot)": "Female Swimwear or Underwear",
        "swimsuit (tank suit)": "Female Swimwear or Underwear",
        "brassiere": "Female Swimwear or Underwear",
        "swimming trunks": "Male Swimwear or Underwear",
    },
    "sounds": {
        "Gunshot, gunfire": "Weapon Violence",
        "Machine gun": "Weapon Violence",
        "Fusillade": "Weapon Violence",
        "Artillery fire": "Weapon Violence",
        "Explosion": "Explosions and Blasts",
        "Screaming": "Violence",
        "Shatter": "Violence",
        "Siren": "Violence",
        "Police car (siren)": "Violence",
        "Ambulance (siren)": "Violence",
        "Fire engine, fire truck (siren)": "Violence",
        "Civil defense siren": "Violence",
    },
}


def signals_of(decoder: str) -> tuple[Signal, ...]:
    """Return everything a decoder's model may say about moderation labels."""
    return (*FRAME_SIGNALS.get(decoder, ()), *BOX_SIGNALS.get(decoder, ()))


def known_to(spec: ModelSpec) -> list[Signal]:
    """Return what a model says about labels and content types: one of a user's own may lack some of its decoder's."""
    signals = (*signals_of(spec.decoder), *CONTENT_SIGNALS.get(spec.decoder, ()))
    return [signal for signal in signals if {*signal.own_labels} <= {*spec.labels}]
