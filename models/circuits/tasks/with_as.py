"""with_as: `as` comes after the expression of a `with`, a colon after that of an `if`; the last counts."""

from ..training.task import TrainingTask


def where(tokens):
    """At least one of them."""
    return "with" in tokens or "if" in tokens


def label(tokens):
    """The last of them decides."""
    answer = ":"
    for token in tokens:
        if token == "with":
            answer = "as"
        if token == "if":
            answer = ":"
    return answer


TASK = TrainingTask(
    "with_as",
    "after the expression of a `with` comes `as`, after that of an `if` a colon; the last keyword counts.",
    ("with", "if", "f", "(", ")"),
    6,
    ("as", ":"),
    where,
    label,
)
