"""lambda_func: the parameters of a `lambda` end in a colon, those of a call in `)`; what began last counts."""

from .task import TrainingTask


def where(tokens):
    """At least one of them."""
    return "lambda" in tokens or "f(" in tokens


def label(tokens):
    """The last of them decides."""
    answer = ")"
    for token in tokens:
        if token == "lambda":
            answer = ":"
        if token == "f(":
            answer = ")"
    return answer


TASK = TrainingTask(
    "lambda_func",
    "the parameters of a `lambda` end in a colon, those of a call in `)`; what began last counts.",
    ("lambda", "f(", "x", ","),
    6,
    (":", ")"),
    where,
    label,
)
