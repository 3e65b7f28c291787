"""Findings for the people of other tools, in the shapes that these document."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import botocore.session
import liquid
import pytest
from botocore.validate import validate_parameters
from typer.testing import CliRunner, Result

from model_zoo.errors import UsageError
from model_zoo.report import Report
from serve.cli import app
from serve.review.a2i import human_loop_request, worker_template
from serve.review.label_studio import label_studio_config, label_studio_tasks
from tests.conftest import MEDIA
from tests.review_reports import HOSTILE, demo_report

FLOW = "arn:aws:sagemaker:eu-central-1:111122223333:flow-definition/video-review"
URL = "s3://uploads/demo.mp4"


@pytest.fixture(scope="module")
def report() -> Report:
    return demo_report(MEDIA / "demo.mp4")


def test_a_human_loop_request_fits_the_service(report: Report) -> None:
    request = human_loop_request(report, URL, FLOW)
    service = botocore.session.get_session().get_service_model("sagemaker-a2i-runtime")
    shape = service.operation_model("StartHumanLoop").input_shape
    validate_parameters(request, shape)
    name = shape.members["HumanLoopName"].metadata
    assert len(request["HumanLoopName"]) <= name["max"]
    content = json.loads(request["HumanLoopInput"]["InputContent"])
    assert content["taskObject"] == URL
    assert [(item["label"], item["startSeconds"]) for item in content["findings"]] == [
        ("Weapons", 15.0),
        ("insult", 21.5),
    ]


def test_the_same_report_does_not_start_a_second_loop(report: Report) -> None:
    again = report.model_copy(update={"run": report.run.model_copy(update={"wall_seconds": 9.0})})
    assert human_loop_request(report, URL, FLOW) == human_loop_request(again, URL, FLOW)


def test_an_arn_of_something_else_is_refused(report: Report) -> None:
    with pytest.raises(UsageError, match="flow-definition='arn:aws:s3:::b': write the ARN"):
        human_loop_request(report, URL, "arn:aws:s3:::b")


# Of the crowd elements that Amazon documents: those that the template uses, and their attributes
CROWD = {
    "crowd-form": set(),
    "short-instructions": set(),
    "full-instructions": {"header"},
    "crowd-radio-group": set(),
    "crowd-radio-button": {"name", "value"},
    "crowd-input": {"name", "label"},
}


def as_workers_see_it(report: Report) -> ElementTree.Element:
    """Render the template as the service does, with its filter for S3; raises where it is not well-formed."""
    engine = liquid.Environment(autoescape=True, undefined=liquid.StrictUndefined)
    engine.add_filter("grant_read_access", lambda url: f"https://signed/{url}")
    given = json.loads(human_loop_request(report, URL, FLOW)["HumanLoopInput"]["InputContent"])
    html = engine.from_string(worker_template()).render(task={"input": given})
    html = html.replace(" controls muted", "")  # attributes without a value are HTML, not XML
    return ElementTree.fromstring(f"<page>{html}</page>")  # noqa: S314


def test_the_workers_of_a_human_loop_see_the_media_and_decide_about_every_finding(report: Report) -> None:
    page = as_workers_see_it(report)
    assert [script.get("src") for script in page.iter("script")] == ["https://assets.crowd.aws/crowd-html-elements.js"]
    for element in page.iter():
        if "-" in element.tag:
            assert set(element.attrib) <= CROWD[element.tag]
    (form,) = page.iter("crowd-form")
    assert [video.get("src") for video in form.iter("video")] == [f"https://signed/{URL}"]
    assert [title.text for title in form.iter("h3")] == ["1. Weapons", "2. insult"]
    names = [element.get("name") for element in form.iter() if element.get("name")]
    assert names == [f"finding-{number}-{what}" for number in (0, 1) for what in ("accept", "reject", "note")]


def test_what_workers_see_of_a_hostile_name_is_text(report: Report) -> None:
    hostile = report.model_copy(update={"media": report.media.model_copy(update={"name": HOSTILE})})
    page = as_workers_see_it(hostile)
    assert [title.text for title in page.iter("h2")] == [HOSTILE]
    assert len(list(page.iter("script"))) == 1


def test_where_nothing_was_flagged_workers_are_told_so(report: Report) -> None:
    page = as_workers_see_it(report.model_copy(update={"domains": {}, "verdict": None}))
    assert "Nothing was flagged." in {element.text for element in page.iter("p")}
    assert not list(page.iter("crowd-radio-group"))


def test_a_task_of_label_studio_has_every_finding_and_its_boxes(report: Report) -> None:
    (task,) = label_studio_tasks(report, URL)
    assert task["data"]["video"] == URL
    weapons, insult, box = task["predictions"][0]["result"]
    assert weapons["value"] == {"ranges": [{"start": 376, "end": 451}], "timelinelabels": ["Weapons"]}
    assert insult["value"]["timelinelabels"] == ["insult"]
    assert box["value"]["sequence"] == [
        {
            "frame": 413,
            "time": 16.5,
            "enabled": True,
            "rotation": 0,
            "x": 60.0,
            "y": 50.0,
            "width": 20.0,
            "height": 40.0,
        }
    ]
    assert box["value"]["framesCount"] == 780


def test_the_configuration_names_what_the_task_refers_to(report: Report) -> None:
    root = ElementTree.fromstring(label_studio_config(report))  # noqa: S314
    names = {element.get("name"): element for element in root}
    for result in label_studio_tasks(report, URL)[0]["predictions"][0]["result"]:
        assert result["from_name"] in names
        assert result["to_name"] in names
    assert [label.get("value") for label in names["findings"]] == ["Weapons", "insult"]
    assert names["video"].get("frameRate") == "25"


def test_a_configuration_has_no_group_without_labels(report: Report) -> None:
    nothing = label_studio_config(report.model_copy(update={"domains": {}, "verdict": None}))
    root = ElementTree.fromstring(nothing)  # noqa: S314
    assert [element.tag for element in root] == ["Video", "TimelineLabels"]
    assert [label.get("value") for label in root.iter("Label")] == ["missed"]


def test_hostile_labels_stay_text_in_the_configuration() -> None:
    hostile = demo_report(MEDIA / "demo.mp4", hostile=True)
    moderation = hostile.domains["moderation"]
    evil = [segment.model_copy(update={"label": HOSTILE}) for segment in moderation.segments]
    part = moderation.model_copy(update={"segments": evil})
    text = label_studio_config(hostile.model_copy(update={"domains": {"moderation": part}, "verdict": None}))
    assert HOSTILE in [label.get("value") for label in ElementTree.fromstring(text).iter("Label")]  # noqa: S314


def test_sound_becomes_a_task_of_its_own_kind_and_a_picture_none(report: Report) -> None:
    sound = report.model_copy(update={"media": report.media.model_copy(update={"kind": "audio"})})
    (task,) = label_studio_tasks(sound, URL)
    assert task["predictions"][0]["result"][1]["value"] == {"start": 21.5, "end": 26.0, "labels": ["insult"]}
    picture = report.model_copy(update={"media": report.media.model_copy(update={"kind": "image"})})
    with pytest.raises(UsageError, match="image: only videos and sounds"):
        label_studio_tasks(picture, URL)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["review", "export", *map(str, arguments)])


def test_the_command_writes_what_other_tools_read(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(report.model_dump_json())
    printed = run(path, "--to", "a2i", "--media-url", URL, "--flow-definition", FLOW)
    assert json.loads(printed.stdout)["FlowDefinitionArn"] == FLOW
    tasks, config = tmp_path / "tasks.json", tmp_path / "config.xml"
    run(path, "--to", "label-studio", "--media-url", URL, "--out", tasks, "--config", config)
    assert json.loads(tasks.read_text())[0]["data"]["name"] == "demo.mp4"
    assert config.read_text().startswith("<View>")
    assert "flow-definition is missing" in str(run(path, "--to", "a2i", "--media-url", URL).exception)
