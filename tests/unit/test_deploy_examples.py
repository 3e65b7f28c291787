"""The examples in deploy/ say nothing that the settings, the schedulers' APIs or the other examples do not know."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from deploy.sagemaker.requests import Deployment, requests
from serve.process.settings import PREFIX, JobSettings, load_job_settings
from serve.process.shards import find_shard
from serve.settings import Settings, load_settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = {
    document["kind"]: document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text("utf-8"))
}
PODS = {kind: MANIFESTS[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "Job")}


def read(path: str) -> Any:
    return json.loads((DEPLOY / path).read_text("utf-8"))


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in pod["containers"][0]["env"]}


def problems(service: str, operation: str, request: dict[str, Any]) -> str:
    """Return what botocore's model of the API has to say against a request."""
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    return str(ParamValidator().validate(request, shape).generate_report())


@pytest.mark.parametrize("kind", PODS)
def test_every_variable_of_a_pod_is_a_setting_with_a_value_it_takes(kind: str) -> None:
    job, other = {}, {}
    for name, value in environment(PODS[kind]).items():
        if name.startswith(PREFIX):
            job[name.removeprefix(PREFIX).lower()] = value
        elif name.startswith("REELWARDEN_"):
            other[name.removeprefix("REELWARDEN_").lower()] = value
    assert set(job) <= set(JobSettings.model_fields)
    assert set(other) <= set(Settings.model_fields)
    load_job_settings(**job)
    load_settings(**other)


@pytest.mark.parametrize("kind", PODS)
def test_pods_run_without_rights(kind: str) -> None:
    pod = PODS[kind]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]  # noqa: S108
    assert container["args"] in (["serve"], ["process"])


def test_a_pod_is_given_the_time_that_it_takes_to_leave() -> None:
    server, job = PODS["Deployment"], PODS["Job"]
    drain = float(environment(server)["REELWARDEN_DRAIN_SECONDS"])
    pause = float(server["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert server["terminationGracePeriodSeconds"] > drain + pause + 5
    assert job["terminationGracePeriodSeconds"] > float(environment(job)[f"{PREFIX}GRACE_SECONDS"]) + 5


def test_probes_ask_for_what_the_server_has() -> None:
    from serve.web.tracing import QUIET

    container = PODS["Deployment"]["containers"][0]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert set(probes.values()) <= QUIET
    assert probes["liveness"] != probes["readiness"]
    labels = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["Service"]["spec"]["selector"].items() <= labels.items()


def test_the_indexed_job_does_every_share_once() -> None:
    spec, variables = MANIFESTS["Job"]["spec"], environment(PODS["Job"])
    count = int(variables[f"{PREFIX}SHARD_COUNT"])
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == count
    job = load_job_settings(shard_count=count)
    shards = [find_shard(job, {"JOB_COMPLETION_INDEX": str(index)}, None) for index in range(count)]
    assert [sum(shard.has(f"clip{number}.mp4") for shard in shards) for number in range(50)] == [1] * 50


def test_examples_name_their_image_by_a_digest_which_deploy_ecr_prints() -> None:
    states = read("step_functions/process.asl.json")["States"]
    names = [
        *(pod["containers"][0]["image"] for pod in PODS.values()),
        read("aws_batch/job_definition.json")["containerProperties"]["image"],
        states["Process"]["Parameters"]["AppSpecification"]["ImageUri"],
    ]
    assert [name for name in names if not re.fullmatch(r"[\w./-]+/reelwarden-\w+@sha256:[0-9a-f]{64}", name)] == []


def test_the_page_says_how_the_account_of_the_job_is_made_and_how_it_is_run_again() -> None:
    page = (ROOT / "docs" / "process.md").read_text("utf-8")
    assert f"kubectl create serviceaccount {PODS['Job']['serviceAccountName']}" in page
    assert "kubectl replace --force -f deploy/kubernetes/job.yaml" in page


def test_schedulers_know_every_exit_code() -> None:
    page = (ROOT / "docs" / "process.md").read_text("utf-8")
    table = page.split("## Exit codes")[1].split("##")[0]
    documented = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")}
    rules = MANIFESTS["Job"]["spec"]["podFailurePolicy"]["rules"]
    named = {code for rule in rules for code in rule.get("onExitCodes", {}).get("values", ())}
    assert named == documented - {0}
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert yaml.safe_load(example)["podFailurePolicy"]["rules"] == rules


def test_a_share_with_a_corrupt_upload_ends_no_other_share() -> None:
    spec = MANIFESTS["Job"]["spec"]
    actions = {
        code: rule["action"]
        for rule in spec["podFailurePolicy"]["rules"]
        for code in rule.get("onExitCodes", {}).get("values", ())
    }
    assert {code for code, action in actions.items() if action == "FailJob"} == {2, 3}
    assert actions[1] == "FailIndex"
    # what Kubernetes asks of a Job with that action
    assert spec["completionMode"] == "Indexed"
    assert spec["backoffLimitPerIndex"] > 0
    assert "backoffLimit" not in spec  # shares that wait for S3 would use it up for all
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_aws_batch_takes_the_requests() -> None:
    definition, job = read("aws_batch/job_definition.json"), read("aws_batch/submit_job.json")
    assert problems("batch", "RegisterJobDefinition", definition) == ""
    assert problems("batch", "SubmitJob", job) == ""
    assert job["jobDefinition"] == definition["jobDefinitionName"]
    assert set(job["parameters"]) == set(definition["parameters"])
    variables = {item["name"]: item["value"] for item in job["containerOverrides"]["environment"]}
    shard = find_shard(load_job_settings(), variables | {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, None)
    assert shard.count == job["arrayProperties"]["size"]
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "process.md").read_text("utf-8"), re.DOTALL)
    assert json.loads(example)["retryStrategy"] == definition["retryStrategy"]


def test_a_job_on_aws_batch_downloads_to_a_volume_that_takes_the_rights_of_the_images_tmp() -> None:
    container = read("aws_batch/job_definition.json")["containerProperties"]
    assert container["readonlyRootFilesystem"]
    (volume,) = container["volumes"]
    assert "host" not in volume  # Docker makes a missing sourcePath for root alone
    assert [(mount["sourceVolume"], mount["containerPath"]) for mount in container["mountPoints"]] == [
        (volume["name"], "/tmp")  # noqa: S108
    ]


def test_step_functions_hand_sagemaker_a_request_that_it_takes() -> None:
    machine = read("step_functions/process.asl.json")
    states = machine["States"]
    reached = {machine["StartAt"], *re.findall(r'"Next": "(\w+)"', json.dumps(machine))}
    assert reached == set(states)
    request = plain(states["Process"]["Parameters"])
    assert problems("sagemaker", "CreateProcessingJob", request) == ""
    job = load_job_settings()
    assert request["ProcessingInputs"][0]["S3Input"]["LocalPath"] == job.input
    assert request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] == job.output


def test_answers_are_uploaded_when_all_are_whole_by_examples_requests_and_docs_alike() -> None:
    made = requests(Deployment("a", "image", "cpu", "role", "bucket"))["CreateProcessingJob"]
    example = read("step_functions/process.asl.json")["States"]["Process"]["Parameters"]
    for request in (made, example):
        outputs = request["ProcessingOutputConfig"]["Outputs"]
        assert {output["S3Output"]["S3UploadMode"] for output in outputs} == {"EndOfJob"}
    page = (ROOT / "docs" / "process.md").read_text("utf-8")
    assert "`/opt/ml/processing/output` with `EndOfJob`" in page


def test_the_example_for_slurm_is_requeued_as_a_batch_job_and_starts_a_task_a_share() -> None:
    (line,) = re.findall(r"^sbatch .*$", (ROOT / "docs" / "process.md").read_text("utf-8"), re.MULTILINE)
    options, wrapped = shlex.split(line)[1:-1], shlex.split(shlex.split(line)[-1])
    assert options == ["--requeue", "--ntasks=8", "--wrap"]
    assert wrapped[:3] == ["srun", "reelwarden", "process"]  # srun knows no --requeue
    places = dict(zip(wrapped[3::2], wrapped[4::2], strict=True))
    assert set(places) == {"--input", "--output"}
    job = load_job_settings(input=places["--input"], output=places["--output"])
    shards = [find_shard(job, {"SLURM_PROCID": str(rank), "SLURM_NTASKS": "8"}, None) for rank in range(8)]
    assert [shard.suffix for shard in shards] == [f"-{rank:05}-of-00008" for rank in range(8)]


def plain(value: Any) -> Any:
    """Return the parameters with a text for every path, as the state machine would fill it in."""
    if isinstance(value, dict):
        return {key.removesuffix(".$"): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
