"""else_elif: an `if` gets one `elif`, and after that an `else`."""

from ..training.task import TrainingTask


def where(tokens):
    """It begins with `if`, and has at most one `elif`."""
    return tokens[0] == "if" and tokens.count("elif") <= 1


def label(tokens):
    return "else" if "elif" in tokens else "elif"


TASK = TrainingTask(
    "else_elif",
    "an `if` gets one `elif`, and after that an `else`.",
    ("if", "elif", "a", ":", "x"),
    6,
    ("else", "elif"),
    where,
    label,
)
