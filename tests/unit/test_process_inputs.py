"""What a batch job finds to do: folders, manifests, S3; and what every answer is called."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from model_zoo.errors import MediaError, MediaNotFoundError, UsageError
from serve.containers import named_os_errors
from serve.fetching import Fetcher
from serve.process.inputs import list_inputs, rules_with_input
from serve.process.job import FETCH_SECONDS
from serve.process.names import Inputs, Item, settle, unusable
from serve.process.outputs import open_outputs
from serve.settings import load_settings
from tests.s3_server import s3_server


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"media")


def names_of(place: object, match: tuple[str, ...] = ()) -> list[str]:
    return [item.name for item in list_inputs(str(place), match).items]


def test_a_folder_is_searched_for_media_at_every_depth(tmp_path: Path) -> None:
    put(tmp_path, "b.MP4", "a/x.jpg", "a/b/c/y.wav", "notes.txt", ".hidden.mp4", ".git/z.mp4", "a/._x.jpg", "no_suffix")
    inputs = list_inputs(str(tmp_path), ())
    assert sorted(item.name for item in inputs.items) == ["a/b/c/y.wav", "a/x.jpg", "b.MP4"]
    assert inputs.ignored == 5
    assert names_of(tmp_path, ("no_*", "a/*.jpg")) == ["no_suffix", "a/x.jpg"]


def test_files_of_text_are_taken_where_a_pattern_names_them_and_lists_stay_lists(tmp_path: Path) -> None:
    put(tmp_path, "a/comments.jsonl", "b.txt", "c.mp4")
    assert names_of(tmp_path, ("*.jsonl", "*.txt")) == ["b.txt", "a/comments.jsonl"]
    (item,) = list_inputs(str(tmp_path / "a" / "comments.jsonl"), ("*.jsonl",)).items
    assert item == Item("comments.jsonl", str(tmp_path / "a" / "comments.jsonl"))
    (tmp_path / "list.txt").write_text("c.mp4\n")
    assert names_of(tmp_path / "list.txt", ("*.jsonl",)) == ["c.mp4"]
    (tmp_path / "c.mp4").unlink()
    with pytest.raises(MediaNotFoundError, match=r"such as --match '\*\.jsonl' for texts"):
        list_inputs(str(tmp_path), ())


def test_links_that_lead_out_are_refused_and_others_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    put(folder, "..data/a.mp4")
    put(outside, "secret.mp4")
    (folder / "a.mp4").symlink_to(folder / "..data" / "a.mp4")  # as Kubernetes mounts a ConfigMap
    (folder / "secret.mp4").symlink_to(outside / "secret.mp4")
    (folder / "gone.mp4").symlink_to(folder / "nothing.mp4")
    (folder / "circle.mp4").symlink_to(folder / "circle.mp4")
    (folder / "all").symlink_to(outside)
    os.mkfifo(folder / "pipe.mp4")
    inputs = list_inputs(str(folder), ())
    assert [item.name for item in inputs.items] == ["a.mp4"]
    assert sorted(item.name for item in inputs.refused) == ["circle.mp4", "gone.mp4", "pipe.mp4", "secret.mp4"]
    assert "leads out" in next(item.message for item in inputs.refused if item.name == "secret.mp4")


def test_a_link_that_is_changed_after_the_listing_is_not_followed_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(folder, "a.mp4")
    (item,) = list_inputs(str(folder), ()).items
    (folder / "a.mp4").unlink()
    (folder / "a.mp4").symlink_to("/etc/hostname")
    rules = rules_with_input(load_settings().fetch_rules(), str(folder))
    with pytest.raises(MediaError, match="not below an allowed folder"), Fetcher(rules).fetched(item.source):
        pass


def test_a_single_file_is_an_input(tmp_path: Path) -> None:
    put(tmp_path, "clip.mp4")
    assert names_of(tmp_path / "clip.mp4") == ["clip.mp4"]


def test_nothing_to_do_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    put(tmp_path, "notes.doc")
    with pytest.raises(MediaNotFoundError, match=r"\.mp4 .*--match"):
        list_inputs(str(tmp_path), ())
    with pytest.raises(MediaNotFoundError, match="no such file or folder; check --input"):
        list_inputs(str(tmp_path / "gone"), ())


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".txt", "a.mp4\n\n  ./b/c.mp4  \ns3://clips/in/d.mp4\nhttps://media.example/e%20f.mp4?X-Amz-Signature=1\n"),
        (
            ".jsonl",
            '{"source": "a.mp4"}\n{"source-ref": "b/c.mp4", "class": 3}\n\n{"source": "s3://clips/in/d.mp4"}\n'
            '{"source": "https://media.example/e%20f.mp4?X-Amz-Signature=1"}\n',
        ),
    ],
)
def test_a_manifest_lists_paths_and_addresses(tmp_path: Path, suffix: str, content: str) -> None:
    manifest = tmp_path / f"list{suffix}"
    manifest.write_text("\ufeff" + content)
    items = list_inputs(str(manifest), ()).items
    assert [(item.name, item.source) for item in items] == [
        ("a.mp4", f"{tmp_path}/a.mp4"),
        ("b/c.mp4", f"{tmp_path}/b/c.mp4"),
        ("s3/clips/in/d.mp4", "s3://clips/in/d.mp4"),
        ("https/media.example/e f.mp4", "https://media.example/e%20f.mp4?X-Amz-Signature=1"),
    ]


def test_a_manifest_file_of_sagemaker_has_prefixes(tmp_path: Path) -> None:
    manifest = tmp_path / "input.manifest"
    manifest.write_text(json.dumps([{"prefix": "s3://clips/in/"}, "a.mp4", "b/c.mp4"]))
    items = list_inputs(str(manifest), ()).items
    assert [(item.name, item.source) for item in items] == [
        ("a.mp4", "s3://clips/in/a.mp4"),
        ("b/c.mp4", "s3://clips/in/b/c.mp4"),
    ]


def test_a_row_may_say_what_its_answer_is_called(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    rows = [{"source": "a.mp4", "name": "user/7"}, {"source": "b.mp4", "name": "user/7"}, {"source": "a.mp4"}]
    manifest.write_text("\n".join(map(json.dumps, rows)))
    inputs = list_inputs(str(manifest), ())
    assert [(item.name, item.source) for item in inputs.items] == [
        ("user/7", f"{tmp_path}/a.mp4"),
        ("a.mp4", f"{tmp_path}/a.mp4"),
    ]
    assert [item.name for item in inputs.refused] == ["user/7"]
    assert "give each a `name`" in inputs.refused[0].message


@pytest.mark.parametrize(
    "content", ['{"sauce": "a.mp4"}', '{"source": 3}', "{", '["a.mp4", 3]', '[{"prefix": 1}]', "\xff"]
)
def test_a_wrong_manifest_is_named_with_its_line(tmp_path: Path, content: str) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"list\.jsonl"):
        list_inputs(str(manifest), ())


def test_a_manifest_opens_its_own_folder_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, "lists/a.mp4", "b.mp4")
    manifest = tmp_path / "lists" / "list.txt"
    manifest.write_text(f"a.mp4\n{tmp_path}/b.mp4\n../b.mp4\n")
    inputs = list_inputs(str(manifest), ())
    assert [item.name for item in inputs.refused] == ["../b.mp4"]
    inside, outside = inputs.items
    fetcher = Fetcher(rules_with_input(load_settings().fetch_rules(), str(manifest)))
    with fetcher.fetched(inside.source) as path:
        assert path.read_bytes() == b"media"
    with pytest.raises(MediaError, match="fetch_from"), fetcher.fetched(outside.source):
        pass


@pytest.mark.parametrize(
    "name",
    [
        *("", "a//b.mp4", "/a.mp4", "a/../b.mp4", "..", "./a", "a\0", "x" * 251, "ü" * 126),
        *("summary", "summary-x", "summary.json/a.mp4", "summary-00000-of-00002"),
    ],
)
def test_a_name_that_no_answer_can_have_is_refused(name: str) -> None:
    assert unusable(name)


@pytest.mark.parametrize(
    "name", ["a.mp4", "a/summary", "summary.mp4", "summary.json", "a b/ü.mp4", "x" * 250, "a.json"]
)
def test_other_names_are_fine(name: str) -> None:
    assert unusable(name) is None


def test_answers_never_lie_where_another_does() -> None:
    names = ["a", "a.json", "a.json/b", "a.json.json", "d/e", "d/e.json/f/g", "d"]
    inputs = settle(Inputs(tuple(Item(name, f"/in/{name}") for name in names)))
    answers = {f"{item.name}.json" for item in inputs.items}
    assert len(answers) == len(inputs.items)
    assert not any(above in answers for answer in answers for above in map(str, Path(answer).parents))
    assert sorted(item.name for item in inputs.refused) == ["a.json/b", "d/e.json/f/g"]


def test_names_that_are_not_unicode_are_found(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.mp4"
    Path(os.fsdecode(odd)).write_bytes(b"media")
    assert names_of(tmp_path) == [os.fsdecode(b"\xff\xfe.mp4")]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment, s3_server(environment) as client:
        for key in ("in/a.mp4", "in/b/ü c.mp4", "in/notes.doc", "in/b/", "input2/z.mp4", "in/odd//x.mp4"):
            client.put_object(Bucket="clips", Key=key, Body=b"" if key.endswith("/") else key.encode())
        store = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]  # by requests it would take a minute
        for number in range(1100):  # more than one page
            store.put_object("clips", f"many/{number}.jpg", b"x")
        client.put_object(Bucket="clips", Key="lists/list.txt", Body=b"a.mp4\ns3://clips/in/a.mp4\n")
        client.put_object(Bucket="clips", Key="lists/a.mp4", Body=b"media")
        yield client


@pytest.mark.parametrize("place", ["s3://clips/in", "s3://clips/in/"])
def test_a_prefix_is_a_folder(s3: Any, place: str) -> None:
    inputs = list_inputs(place, ())
    assert [(item.name, item.source) for item in inputs.items] == [
        ("a.mp4", "s3://clips/in/a.mp4"),
        ("b/ü c.mp4", "s3://clips/in/b/ü c.mp4"),
    ]
    assert [item.name for item in inputs.refused] == ["odd//x.mp4"]
    assert inputs.ignored == 1
    assert all(item.etag for item in inputs.items)


def test_a_prefix_of_more_than_a_page_and_a_single_object(s3: Any) -> None:
    assert len(names_of("s3://clips/many")) == 1100
    assert names_of("s3://clips/in/a.mp4") == ["a.mp4"]
    assert "in/a.mp4" in names_of("s3://clips")
    with pytest.raises(MediaNotFoundError):
        list_inputs("s3://clips/nothing", ())


def test_a_manifest_in_s3_opens_its_own_folder(s3: Any) -> None:
    inside, outside = list_inputs("s3://clips/lists/list.txt", ()).items
    assert (inside.name, inside.source) == ("a.mp4", "s3://clips/lists/a.mp4")
    fetcher = Fetcher(rules_with_input(load_settings().fetch_rules(), "s3://clips/lists/list.txt"))
    with fetcher.fetched(inside.source) as path:
        assert path.read_bytes() == b"media"
    with pytest.raises(MediaError, match="fetch_from"), fetcher.fetched(outside.source):
        pass


def test_further_forms_count_as_answers(tmp_path: Path) -> None:
    put(tmp_path, "a", "a.srt", "a.x", "a.x.json")
    match, suffixes = ("*",), (".json", ".srt.json")
    inputs = list_inputs(str(tmp_path), match, suffixes)
    answers = [item.name + suffix for item in inputs.items for suffix in suffixes]
    assert len(set(answers)) == len(answers)
    assert [item.name for item in inputs.refused] == ["a.srt"]
    assert "a.srt.json is the answer of another input" in inputs.refused[0].message


def test_a_job_may_fetch_one_file_for_longer_than_a_server_unless_the_time_is_set() -> None:
    as_set = load_settings(fetch_total_seconds=5).fetch_rules(FETCH_SECONDS).patience
    assert as_set.total_seconds == 5
    of_server, of_job = load_settings().fetch_rules().patience, load_settings().fetch_rules(FETCH_SECONDS).patience
    assert (of_server.total_seconds, of_job.total_seconds) == (600, 14_400)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named_and_not_the_one_above(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(MediaError, match=f"{tmp_path}/locked: cannot be read"):
        list_inputs(str(tmp_path), ())


def test_an_error_of_the_system_names_what_lies_below() -> None:
    with pytest.raises(MediaError, match=r"^/in/locked: cannot be read"), named_os_errors(Path("/in")):
        raise PermissionError(errno.EACCES, "Permission denied", "/in/locked")


def test_an_output_that_cannot_be_written_names_the_option_of_the_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"choose another place with --output$"):
        open_outputs(str(tmp_path / "file"), "").write("a.json", "{}")
