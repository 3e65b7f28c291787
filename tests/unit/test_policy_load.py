"""A policy file is read strictly, and what is wrong with it is said with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from model_zoo.errors import PolicyError
from serve.cli import app
from serve.policy import NamedPolicy, find_policy
from serve.policy.load import SHIPPED, read_policy
from serve.policy.rules import Rule
from serve.settings import load_settings

HEAD = "schema: reelwarden.policy/1\nname: mine\nversion: 3\n"


def read(tmp_path: Path, text: str) -> NamedPolicy:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    return read_policy(path, load_settings())


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_the_shipped_policies_are_right() -> None:
    shipped = sorted(SHIPPED.glob("*.yaml"))
    assert [path.stem for path in shipped] == ["default"]
    for path in shipped:
        assert read_policy(path, load_settings()).policy.name == path.stem


def test_the_default_policy_is_used_unless_another_or_none_is_set(tmp_path: Path) -> None:
    default = find_policy(load_settings())
    assert default is not None
    assert default.policy.name == "default"
    assert find_policy(load_settings(policy="none")) is None
    (tmp_path / "mine.yaml").write_text(HEAD + "domains:\n  moderation: {any: block}\n", "utf-8")
    mine = find_policy(load_settings(policy=str(tmp_path / "mine.yaml")))
    assert mine is not None
    assert (mine.policy.name, mine.policy.version) == ("mine", 3)


def test_a_rule_may_be_one_word(tmp_path: Path) -> None:
    text = HEAD + "domains:\n  moderation:\n    labels: {Violence: review, Alcohol: allow}\n    levels: {1: block}\n"
    rules = read(tmp_path, text).policy.domains["moderation"]
    assert rules.labels == {"Violence": Rule(review=0.0), "Alcohol": Rule()}
    assert rules.levels == {1: Rule(block=0.0)}


def test_a_misspelt_label_is_named_with_its_line_and_the_nearest_label(tmp_path: Path) -> None:
    text = HEAD + "domains:\n  moderation:\n    labels:\n      Violence: review\n      Explicit nuditty: block\n"
    assert problems(tmp_path, text) == [
        "mine.yaml:8: domains.moderation.labels.Explicit nuditty: no label of moderation "
        "(did you mean 'Explicit Nudity'?)"
    ]


def test_every_problem_is_listed_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = HEAD + "on_err: review\ndomains:\n  moderation:\n    any: {review: 7}\n    labels:\n      Alcohol: maybe\n"
    found = problems(tmp_path, text)
    assert [problem.split(": ")[0] for problem in found] == ["mine.yaml:4", "mine.yaml:7", "mine.yaml:9"]
    assert "did you mean 'on_error'?" in found[0]
    assert found[1].endswith("less than or equal to 1, not 7")
    assert "'maybe' is no rule; write allow, review, block or {review: 0.7, block: 0.9}" in found[2]


def test_unknown_names_are_listed_beside_what_else_is_wrong(tmp_path: Path) -> None:
    text = HEAD + (
        "on_err: review\ndomains:\n  moderashun: {any: 7}\n  moderation:\n    levels: {4: block, x: block}\n"
        "    labels:\n      Violense: block\n      Alcohol: maybe\n      7: block\n  toxicity: allow\n"
    )
    places = [problem.split(": ")[:2] for problem in problems(tmp_path, text)]
    assert places == [
        ["mine.yaml:4", "on_err"],
        ["mine.yaml:6", "domains.moderashun"],
        ["mine.yaml:6", "domains.moderashun.any"],
        ["mine.yaml:8", "domains.moderation.levels.4"],
        ["mine.yaml:8", "domains.moderation.levels.x"],
        ["mine.yaml:10", "domains.moderation.labels.Violense"],
        ["mine.yaml:11", "domains.moderation.labels.Alcohol"],
        ["mine.yaml:12", "domains.moderation.labels.7"],
        ["mine.yaml:13", "domains.toxicity"],
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("domains:\n  moderashun: {any: block}\n", "mine.yaml:5: domains.moderashun: no such domain (did you mean"),
        ("domains:\n  moderation: {levels: {4: block}}\n", "mine.yaml:5: domains.moderation.levels.4: no level"),
        ("domains:\n  moderation: {any: {review: 0.9, block: 0.5}}\n", "review (0.9) must not be above block (0.5)"),
        ("domains:\n  moderation: {any: block}\n  moderation: {}\n", "mine.yaml:6: 'moderation' stands here a second"),
        ("domains:\n  moderation: {any: block\n", "no YAML"),
        ("domains: {}\n", "mine.yaml:4: domains: "),
        ("hints: block\ndomains:\n  moderation: {any: block}\n", "mine.yaml:4: hints: Input should be 'ignore' or"),
        ("", "mine.yaml:1: domains: is missing"),
        ("domains: &a\n  moderation: {any: block}\nextra: *a\n", "mine.yaml:6: YAML aliases"),
        ("domains:\n  moderation: {any: {review: .nan}}\n", "mine.yaml:5: domains.moderation.any.review"),
        ("domains:\n  moderation: !!python/name:os.system\n", "mine.yaml:5"),
        ("domains:\n  moderation: {labels: {? [a, b] : block}}\n", "mine.yaml:5: a key must be a word"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, body: str, said: str) -> None:
    assert any(said in problem for problem in problems(tmp_path, HEAD + body))


def test_labels_of_our_own_namespace_and_of_open_lists_are_accepted(tmp_path: Path) -> None:
    text = HEAD + "domains:\n  moderation: {labels: {'x:Visible hate text': block}}\n  faces: {labels: {Ada: review}}\n"
    assert set(read(tmp_path, text).policy.domains) == {"moderation", "faces"}


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"\xff\xfe\x00", b"[" * 5000, b"a: \x00"])
def test_what_is_no_policy_at_all_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(PolicyError, match=r"odd\.yaml"):
        read_policy(path, load_settings())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.text(alphabet="schemadomnypl/1:{}[]&*!|>?-#'\"%@`,. \n\t\\0~<=", max_size=60))
def test_any_text_is_a_policy_or_refused_by_the_typed_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    for body in (text, HEAD + text, HEAD + "domains:\n  moderation:\n    labels:\n      " + text):
        path.write_text(body, "utf-8")
        with contextlib.suppress(PolicyError):
            assert read_policy(path, load_settings()).policy.domains


def test_a_missing_file_is_named() -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read as a policy"):
        find_policy(load_settings(policy="nowhere.yaml"))


def test_the_shown_default_can_be_checked_as_a_file_of_ones_own(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["policy", "show"])
    (tmp_path / "mine.yaml").write_text(shown.stdout, "utf-8")
    checked = CliRunner().invoke(app, ["policy", "check", str(tmp_path / "mine.yaml")])
    assert checked.exit_code == 0
    assert checked.stdout.startswith("default version 1: ")


def test_check_prints_every_problem_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        HEAD + "domains:\n  moderation:\n    labels:\n      Violense: block\n      Alcool: block\n", "utf-8"
    )
    checked = CliRunner().invoke(app, ["policy", "check", str(path)])
    assert checked.exit_code == 2
    assert [line.split(": ")[0] for line in checked.stderr.splitlines()] == [f"{path}:7", f"{path}:8"]
