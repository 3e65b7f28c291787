"""Manifests and code say the same: which moderation labels a model gives evidence for, and how good it is."""

from __future__ import annotations

import pytest

from model_zoo.catalog import catalog
from model_zoo.manifest import ModelSpec
from model_zoo.moderation.signals import CONTENT_SIGNALS, OTHER_DOMAINS, signals_of


@pytest.mark.parametrize("spec", catalog(), ids=lambda spec: spec.name)
def test_a_card_promises_what_the_moderation_part_reports(spec: ModelSpec) -> None:
    signals = [*signals_of(spec.decoder), *CONTENT_SIGNALS.get(spec.decoder, ())]
    meant = {signal.label: signal.grade for signal in signals}
    meant |= dict.fromkeys(OTHER_DOMAINS.get(spec.domain, {}).values(), "weak evidence")
    assert {entry.label: entry.grade for entry in spec.coverage} == meant
