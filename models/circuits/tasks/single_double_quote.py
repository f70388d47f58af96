"""single_double_quote: a string is closed by the quote that opened it."""

from ..training.task import TrainingTask


def where(tokens):
    """Exactly one of them."""
    seen = 0
    for token in tokens:
        if token == "'" or token == '"':
            seen += 1
    return seen == 1


def label(tokens):
    return "'" if "'" in tokens else '"'


TASK = TrainingTask(
    "single_double_quote",
    "a string is closed by the quote that opened it.",
    ("'", '"', "a", "b", "="),
    6,
    ("'", '"'),
    where,
    label,
)
