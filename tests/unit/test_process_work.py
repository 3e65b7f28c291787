"""When the answer of an earlier run is still the right one: the id of the work changes exactly when answers may."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.process.work import work_id
from serve.settings import load_settings

JSON = (".json",)
DOMAINS = "labels,objects"
BASE = work_id(load_settings(domains=DOMAINS), JSON)


@pytest.mark.parametrize(
    "settings",
    [
        {"interval_seconds": 2.0},
        {"frame_detail": True},
        {"biometrics": False},
        {"domains": "labels"},
        {"domains": "objects,labels"},
        {"policy": "none"},
        {"device": "cpu"},
    ],
)
def test_a_setting_that_may_change_an_answer_is_other_work(settings: dict[str, object]) -> None:
    assert work_id(load_settings(**{"domains": DOMAINS} | settings), JSON) != BASE


@pytest.mark.parametrize(
    "settings",
    [
        *({"threads": 3}, {"cache": "/elsewhere"}, {"offline": True}, {"max_bytes": 9}),
        *({"fetch_from": "s3://a"}, {"port": 9}, {"shipped_weights": "/opt"}),
    ],
)
def test_a_setting_that_cannot_is_the_same_work(settings: dict[str, object]) -> None:
    assert work_id(load_settings(domains=DOMAINS, **settings), JSON) == BASE


def test_another_form_is_other_work() -> None:
    assert work_id(load_settings(domains=DOMAINS), (".json", ".csv")) != BASE


def test_the_content_of_files_that_settings_name_counts(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    ids = []
    for content in ("one", "two", "one"):
        policy.write_text(content)
        ids.append(work_id(load_settings(domains=DOMAINS, policy=str(policy), gallery=tmp_path), JSON))
    assert ids[0] == ids[2] != ids[1]


def test_another_model_is_other_work(tmp_path: Path) -> None:
    nudenet = {"models": "moderation.body_parts=nudenet_320n", "licences": "any"}
    with_it, without = (work_id(load_settings(domains="moderation", **more), JSON) for more in (nudenet, {}))
    assert with_it != without
