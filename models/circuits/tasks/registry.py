"""The tasks by name.  A new one is a file with a `TASK` and a line here."""

from __future__ import annotations

from importlib import import_module

from ....common.errors import InputError
from .task import TrainingTask

NAMES = (
    "single_double_quote", "bracket_counting", "set_or_string_fixedvarname", "with_as", "for_while", "else_elif", "if_ternary",
    "bracket_brace", "fstring_brace", "var_swap", "lambda_func", "while_return_true",
)  # fmt: skip


def get_task(name: str) -> TrainingTask:
    """The task of that name, or one clear line."""
    if name not in NAMES:
        raise InputError(name, "there is no such task", f"tasks are {', '.join(NAMES)}")
    task = import_module(f".{name}", __package__).TASK
    assert isinstance(task, TrainingTask)
    return task
