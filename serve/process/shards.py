"""Which share of the inputs is done here: every scheduler says it by variables of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.errors import UsageError
from serve.process.sagemaker_config import Hosts
from serve.process.settings import PREFIX, JobSettings

# variable of the index, then the variables that may say the count; the first that is set decides
SCHEDULERS = (
    ("SHARD_INDEX", ("SHARD_COUNT",)),
    ("JOB_COMPLETION_INDEX", ("JOB_COMPLETION_COUNT", "SHARD_COUNT")),  # Kubernetes does not tell the count
    ("AWS_BATCH_JOB_ARRAY_INDEX", ("AWS_BATCH_JOB_ARRAY_SIZE", "SHARD_COUNT")),
    ("CLOUD_RUN_TASK_INDEX", ("CLOUD_RUN_TASK_COUNT",)),
    ("SLURM_PROCID", ("SLURM_NTASKS", "SLURM_STEP_NUM_TASKS")),
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of the inputs."""

    index: int  # from 0
    count: int
    source: str  # who said so
    split_already: bool = False  # what is there is this share
    given_nothing: bool = False  # nothing is there, as there are more shares than inputs

    def has(self, name: str) -> bool:
        """Say whether an input belongs to this share: a stable split, whatever else is there."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return self.split_already or int.from_bytes(digest[:8], "big") % self.count == self.index

    @property
    def suffix(self) -> str:
        """Return what is added to the names of files of which every share writes its own."""
        return "" if self.count == 1 else f"-{self.index:05}-of-{self.count:05}"


ALL = Shard(0, 1, "nothing says that the inputs are split")


def find_shard(job: JobSettings, environment: Mapping[str, str], hosts: Hosts | None) -> Shard:
    """Return the share of this process; raises UsageError for an index without a count, or out of its range."""
    count_name = f"{PREFIX}SHARD_COUNT"
    if job.shard_index is not None:
        return _shard(job.shard_index, job.shard_count, f"{PREFIX}SHARD_INDEX", (count_name,))
    for index_name, count_names in SCHEDULERS:
        if environment.get(index_name):
            given = next((name for name in count_names if environment.get(name)), None)
            count = job.shard_count or (_number(given, environment[given]) if given else None)
            return _shard(_number(index_name, environment[index_name]), count, index_name, (count_name, *count_names))
    if job.shard_count is not None:
        raise UsageError(f"{count_name}={job.shard_count}: which share is this? Set {PREFIX}SHARD_INDEX, too")
    if hosts and len(hosts.names) > 1:
        said = "; none of its files is for this one" if hosts.given_nothing else ""
        source = f"the hosts of the Processing job{said}"
        return Shard(hosts.index, len(hosts.names), source, hosts.split_already, hosts.given_nothing)
    return ALL


def _shard(index: int, count: int | None, index_name: str, count_names: tuple[str, ...]) -> Shard:
    if count is None:
        raise UsageError(
            f"{index_name}={index}: in how many shares the inputs are split is not said; set {' or '.join(count_names)}"
        )
    if not 0 <= index < count:
        raise UsageError(f"{index_name}={index}: not in the range of {count} shares, 0 to {count - 1}")
    return Shard(index, count, index_name)


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name}={text!r}: not a whole number; unset it where no scheduler splits the job") from None
