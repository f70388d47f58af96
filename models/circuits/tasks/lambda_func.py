"""lambda_func: the parameters of a `lambda` end in a colon; where none is open, the call ends in `)`."""

from ..training.task import TrainingTask


def where(tokens):
    """A `lambda` gets its colon before the next one, and there is no other colon."""
    parameters = False
    for token in tokens:
        if (token == "lambda" and parameters) or (token == ":" and not parameters):
            return False
        if token == "lambda":
            parameters = True
        if token == ":":
            parameters = False
    return True


def label(tokens):
    return ":" if tokens.count("lambda") > tokens.count(":") else ")"


TASK = TrainingTask(
    "lambda_func",
    "the parameters of a `lambda` end in a colon; where none is open, the call ends in `)`.",
    ("lambda", ":", "x", ",", "f("),
    6,
    (":", ")"),
    where,
    label,
)
