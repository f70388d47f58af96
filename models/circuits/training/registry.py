"""The registered tasks, found by their files in `tasks/`."""

from __future__ import annotations

from functools import cache

from ....common.errors import InputError
from ....common.modules import modules_in
from .. import tasks
from .task import TrainingTask


@cache
def _tasks() -> dict[str, TrainingTask]:
    return {module.TASK.name: module.TASK for module in modules_in(tasks)}


NAMES = tuple(_tasks())


def get_task(name: str) -> TrainingTask:
    """Return the task of that name.

    Raises:
        InputError: there is none.
    """
    if name not in NAMES:
        raise InputError(name, "there is no such task", f"tasks are {', '.join(NAMES)}")
    return _tasks()[name]
