"""bracket_counting: one open bracket is closed by `]`, two or three by `]]`."""

from ..training.task import TrainingTask


def where(tokens):
    """Validly nested, at most three deep, and not closed at the end."""
    depth = 0
    for token in tokens:
        if token == "[":
            depth += 1
        if token == "]":
            depth -= 1
        if depth < 0 or depth > 3:
            return False
    return depth > 0


def label(tokens):
    return "]" if tokens.count("[") - tokens.count("]") == 1 else "]]"


TASK = TrainingTask(
    "bracket_counting",
    "one open bracket is closed by `]`, two or three by `]]`.",
    ("[", "]", ",", "a"),
    7,
    ("]", "]]"),
    where,
    label,
)
