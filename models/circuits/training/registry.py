"""The registered tasks, found by their files in `tasks/`."""

from __future__ import annotations

import importlib
import pkgutil

from ....common.errors import InputError
from .. import tasks
from .task import TrainingTask

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(tasks.__path__)))


def get_task(name: str) -> TrainingTask:
    """Return the task of that name.

    Raises:
        InputError: there is none.
    """
    if name not in NAMES:
        raise InputError(name, "there is no such task", f"tasks are {', '.join(NAMES)}")
    task = importlib.import_module(f"{tasks.__name__}.{name}").TASK
    assert isinstance(task, TrainingTask)
    return task
