"""Processor, memory and disks, as this process may use them: a container's limits count, not the host's."""

from __future__ import annotations

import shutil
from pathlib import Path

from model_zoo.errors import UsageError
from serve.cores import threads_for, usable_cores
from serve.doctor.check import Check, Place, gigabytes
from serve.temporary import temporary_folder

LEAST_MEMORY_BYTES = 2_000_000_000
LEAST_TEMPORARY_BYTES = 5_000_000_000
CGROUP = "sys/fs/cgroup"


def check_processor(place: Place, threads: int) -> Check:
    """Say how many cores there are, and whether the threads fit them."""
    cores = usable_cores(place.root)
    says = f"{cores:g} cores for {threads} threads"
    if threads > (enough := threads_for(cores)):
        return Check("processor", "hinders", says, f"set REELWARDEN_THREADS={enough}: more only wait")
    return Check("processor", "works", says)


def check_memory(place: Place) -> Check:
    """Say how much memory is free within the limit of the container."""
    lines = _first(place.root / "proc/meminfo", whole=True).splitlines()
    facts = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if rest}
    free, total = facts.get("MemAvailable", 0), facts.get("MemTotal", 0)
    limit, used = _first(place.root / CGROUP / "memory.max"), _first(place.root / CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit():
        total, free = min(total, int(limit)), min(free, max(0, int(limit) - int(used)))
    says = f"{gigabytes(free)} free of {gigabytes(total)}"
    if free < LEAST_MEMORY_BYTES:
        fix = f"give it {gigabytes(LEAST_MEMORY_BYTES)}, or lower REELWARDEN_VIDEOS_AT_ONCE and REELWARDEN_MAX_PIXELS"
        return Check("memory", "hinders", says, fix)
    return Check("memory", "works", says)


def check_shared_memory(place: Place) -> Check:
    """Say how large /dev/shm is; nothing of ours needs it, so SageMaker's 64 MB do no harm."""
    folder = place.root / "dev" / "shm"
    if not folder.is_dir():
        return Check("shared memory", "absent", "no /dev/shm; nothing needs it")
    return Check(
        "shared memory", "works", f"{shutil.disk_usage(folder).total / 1e6:.0f} MB in /dev/shm; nothing needs it"
    )


def check_temporary(largest_body_bytes: int) -> Check:
    """Say how much room there is for uploads, and whether it can be written to."""
    try:
        folder = temporary_folder()
    except UsageError as error:
        says, _, fix = str(error).partition(": ")
        return Check("TMPDIR", "fails", says, fix)
    free = shutil.disk_usage(folder).free
    says = f"{gigabytes(free)} free in {folder}"
    if free < max(LEAST_TEMPORARY_BYTES, largest_body_bytes):
        fix = "uploads go there: set TMPDIR to a larger disk, or lower REELWARDEN_MAX_BODY_BYTES"
        return Check("TMPDIR", "hinders", says, fix)
    return Check("TMPDIR", "works", says)


def _first(path: Path, *, whole: bool = False) -> str:
    """Return the first line of a small file of the kernel, or all of it; empty where there is none."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        return ""
    return text if whole else text.strip().split("\n")[0]
