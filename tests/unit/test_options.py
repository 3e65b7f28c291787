"""What a request may ask for: values that would cost too much are refused with what is allowed."""

from __future__ import annotations

import pytest

from model_zoo.errors import UsageError
from serve.settings import load_settings
from serve.web.options import named_of, options_of
from serve.web.refusals import UnreadableRequestError, status_of


@pytest.mark.parametrize("text", ["1e-9", "1e-320", "0", "-1", "nan", "3601"])
def test_an_interval_that_no_media_needs_is_refused_in_a_query_in_json_and_in_a_setting(text: str) -> None:
    with pytest.raises(UsageError, match=r"interval_seconds: .*(0\.001|3600)") as refused:
        options_of({"interval_seconds": text}, None)
    assert status_of(refused.value) == 400
    if text != "nan":  # which JSON cannot say
        with pytest.raises(UnreadableRequestError, match="interval_seconds") as unreadable:
            named_of(f'{{"media": "/a", "options": {{"interval_seconds": {text}}}}}'.encode())
        assert status_of(unreadable.value) == 422
    with pytest.raises(UsageError, match="--interval-seconds or REELWARDEN_INTERVAL_SECONDS"):
        load_settings(interval_seconds=text)


def test_the_least_interval_is_taken() -> None:
    assert options_of({"interval_seconds": "0.001"}, None).interval_seconds == 0.001


def test_a_variable_that_is_empty_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of Compose and Kubernetes write `NAME=` for what nobody has set."""
    usual = load_settings()
    for name in type(usual).model_fields:
        monkeypatch.setenv(f"REELWARDEN_{name.upper()}", "")
    assert load_settings() == usual
