"""while_return_true: `while ... True` goes on with a colon, `return ... True` with a new line."""

from ..training.task import TrainingTask


def where(tokens):
    """Exactly one keyword, and `True` at the end."""
    seen = 0
    for token in tokens:
        if token == "while" or token == "return":
            seen += 1
    return seen == 1 and tokens[5] == "True"


def label(tokens):
    return ":" if "while" in tokens else "<nl>"


TASK = TrainingTask(
    "while_return_true",
    "`while ... True` goes on with a colon, `return ... True` with a new line.",
    ("while", "return", "not", "x", "True"),
    6,
    (":", "<nl>"),
    where,
    label,
)
