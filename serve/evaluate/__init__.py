"""Measure quality on a labelled folder: one file a kind of label, all of them listed here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from model_zoo.errors import UsageError
from serve.evaluate import faces, objects, screen, shots, speech, toxicity
from serve.evaluate.task import Figure, Task
from serve.settings import Settings

__all__ = ["TASKS", "Figure", "evaluate"]

TASKS: tuple[Task, ...] = (speech.TASK, toxicity.TASK, faces.TASK, objects.TASK, screen.TASK, shots.TASK)


def evaluate(folder: Path, settings: Settings, only: Collection[str] = ()) -> list[tuple[Task, Figure]]:
    """Return what was measured on the labelled folders inside `folder`, on all of them or `only` on those named.

    Raises UsageError where there is none.
    """
    wanted = [task for task in TASKS if (folder / task.folder).is_dir() and (not only or task.folder in only)]
    if not wanted:
        names = ", ".join(f"{task.folder}/" for task in TASKS if not only or task.folder in only)
        raise UsageError(f"{folder}: none of the folders {names or ', '.join(only)} is in it; see docs/evaluate.md")
    return [(task, figure) for task in wanted for figure in task.measure(folder / task.folder, settings)]
