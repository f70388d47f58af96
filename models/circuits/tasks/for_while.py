"""for_while: a line that begins with `for` goes on with `in`, one that begins with `while` with a colon."""

from ..training.task import TrainingTask


def where(tokens):
    """The line begins with a keyword."""
    return tokens[0] == "for" or tokens[0] == "while"


def label(tokens):
    return "in" if tokens[0] == "for" else ":"


TASK = TrainingTask(
    "for_while",
    "a line that begins with `for` goes on with `in`, one that begins with `while` with a colon.",
    ("for", "while", "x", "y"),
    6,
    ("in", ":"),
    where,
    label,
)
