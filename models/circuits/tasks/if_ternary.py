"""if_ternary: a line that begins with `if` goes on with a colon; one inside an expression wants an `else`."""

from ..training.task import TrainingTask


def where(tokens):
    """Exactly one `if`."""
    return tokens.count("if") == 1


def label(tokens):
    return ":" if tokens[0] == "if" else "else"


TASK = TrainingTask(
    "if_ternary",
    "a line that begins with `if` goes on with a colon; an `if` inside an expression wants an `else`.",
    ("if", "=", "a", "b"),
    6,
    (":", "else"),
    where,
    label,
)
