"""Which share of a batch job is done here, as each scheduler says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_zoo.errors import UsageError
from serve.process.sagemaker_config import read_hosts
from serve.process.settings import load_job_settings
from serve.process.shards import find_shard

NAMES = [f"folder/clip_{number}.mp4" for number in range(1000)]


@pytest.mark.parametrize(
    "variables",
    [
        {"SHARD_INDEX": "2", "SHARD_COUNT": "5"},
        {"JOB_COMPLETION_INDEX": "2", "SHARD_COUNT": "5"},
        {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETION_COUNT": "5"},
        {"AWS_BATCH_JOB_ARRAY_INDEX": "2", "AWS_BATCH_JOB_ARRAY_SIZE": "5"},
        {"AWS_BATCH_JOB_ARRAY_INDEX": "2", "SHARD_COUNT": "5"},
        {"SLURM_PROCID": "2", "SLURM_NTASKS": "5"},
        {"CLOUD_RUN_TASK_INDEX": "2", "CLOUD_RUN_TASK_COUNT": "5"},
        {"SHARD_INDEX": "2", "SHARD_COUNT": "5", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
    ],
)
def test_every_scheduler_says_the_share_by_its_own_variables(variables: dict[str, str]) -> None:
    shard = find_shard(load_job_settings(), variables, None)
    assert (shard.index, shard.count) == (2, 5)
    assert shard.source in variables
    assert shard.suffix == "-00002-of-00005"


def test_options_win_over_the_scheduler() -> None:
    job = load_job_settings(shard_index=0, shard_count=2)
    assert find_shard(job, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, None).count == 2
    only_count = load_job_settings(shard_count=7)
    assert find_shard(only_count, {"JOB_COMPLETION_INDEX": "3"}, None).count == 7


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"JOB_COMPLETION_INDEX": "2"}, "REELWARDEN_PROCESS_SHARD_COUNT or JOB_COMPLETION_COUNT or SHARD_COUNT"),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0"}, "AWS_BATCH_JOB_ARRAY_SIZE"),
        ({"SHARD_INDEX": "5", "SHARD_COUNT": "5"}, "not in the range of 5 shares, 0 to 4"),
        ({"SHARD_INDEX": "two", "SHARD_COUNT": "5"}, "SHARD_INDEX='two'"),
        ({"SHARD_INDEX": "-1", "SHARD_COUNT": "5"}, "not in the range"),
    ],
)
def test_half_a_share_is_refused_lest_every_host_does_everything(variables: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_shard(load_job_settings(), variables, None)


def test_a_count_without_an_index_is_refused() -> None:
    with pytest.raises(UsageError, match="REELWARDEN_PROCESS_SHARD_INDEX"):
        find_shard(load_job_settings(shard_count=3), {}, None)


def test_without_any_word_everything_is_done_here() -> None:
    shard = find_shard(load_job_settings(), {}, None)
    assert all(shard.has(name) for name in NAMES)
    assert shard.suffix == ""


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_shares_hold_every_input_once_and_are_about_even(count: int) -> None:
    shards = [find_shard(load_job_settings(shard_index=index, shard_count=count), {}, None) for index in range(count)]
    holders = [[shard.index for shard in shards if shard.has(name)] for name in NAMES]
    assert all(len(holder) == 1 for holder in holders)
    sizes = [sum(shard.has(name) for name in NAMES) for shard in shards]
    assert min(sizes) > 0.7 * len(NAMES) / count


def test_the_share_of_an_input_does_not_hang_on_the_others() -> None:
    shard = find_shard(load_job_settings(shard_index=1, shard_count=4), {}, None)
    # fixed: a version that splits otherwise would lose and double inputs of jobs that are resumed after an update
    assert [name for name in NAMES[:12] if shard.has(name)] == ["folder/clip_3.mp4", "folder/clip_8.mp4"]


def processing_job(
    folder: Path, distribution: str, hosts: int = 3, place: Path = Path("/opt/ml/processing/input")
) -> Path:
    names = [f"algo-{number}" for number in range(hosts, 0, -1)]
    resources = {"current_host": names[len(names) // 2], "hosts": names}
    (folder / "resourceconfig.json").write_text(json.dumps(resources))
    places = {"/opt/ml/processing": "FullyReplicated", str(place): distribution}
    inputs: list[object] = [
        {"InputName": "in", "S3Input": {"LocalPath": path, "S3DataDistributionType": how}}
        for path, how in places.items()
    ]
    inputs.append({"InputName": "dataset", "AppManaged": True, "DatasetDefinition": {}})
    (folder / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": inputs, "Environment": {}}))
    return folder


def test_replicated_inputs_are_split_among_the_hosts_of_a_processing_job(tmp_path: Path) -> None:
    hosts = read_hosts(processing_job(tmp_path, "FullyReplicated"), "/opt/ml/processing/input")
    shard = find_shard(load_job_settings(), {}, hosts)
    assert (shard.index, shard.count) == (1, 3)
    assert 0 < sum(shard.has(name) for name in NAMES) < len(NAMES)


def test_inputs_that_sagemaker_has_split_are_not_split_again(tmp_path: Path) -> None:
    hosts = read_hosts(processing_job(tmp_path, "ShardedByS3Key"), "/opt/ml/processing/input/videos")
    shard = find_shard(load_job_settings(), {}, hosts)
    assert all(shard.has(name) for name in NAMES)
    assert shard.suffix == "-00001-of-00003"  # the summaries of the hosts meet in one prefix


def test_outside_of_sagemaker_there_are_no_hosts(tmp_path: Path) -> None:
    assert read_hosts(tmp_path, "/opt/ml/processing/input") is None


@pytest.mark.parametrize("content", ["{", '{"hosts": []}', '{"current_host": "a", "hosts": ["b"]}', "[]"])
def test_a_configuration_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "resourceconfig.json").write_text(content)
    with pytest.raises(UsageError, match=r"resourceconfig\.json"):
        read_hosts(tmp_path, "/in")
