"""bracket_brace: the bracket that was opened last is closed by its own kind."""

from ..training.task import TrainingTask


def where(tokens):
    """At least one of them."""
    return "[" in tokens or "{" in tokens


def label(tokens):
    """The last of them decides."""
    answer = "}"
    for token in tokens:
        if token == "[":
            answer = "]"
        if token == "{":
            answer = "}"
    return answer


TASK = TrainingTask(
    "bracket_brace",
    "the bracket that was opened last is closed by its own kind.",
    ("[", "{", ",", "a"),
    6,
    ("]", "}"),
    where,
    label,
)
