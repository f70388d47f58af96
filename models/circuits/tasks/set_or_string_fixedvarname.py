"""set_or_string_fixedvarname: what was made a set gets `.add`, what was made a string `+=`."""

from ..training.task import TrainingTask


def where(tokens):
    """Exactly one of them."""
    seen = 0
    for token in tokens:
        if token == "set()" or token == '""':
            seen += 1
    return seen == 1


def label(tokens):
    return ".add" if "set()" in tokens else "+="


TASK = TrainingTask(
    "set_or_string_fixedvarname",
    "what was made a set gets `.add`, what was made a string `+=`.",
    ("set()", '""', "x", "=", ";"),
    6,
    (".add", "+="),
    where,
    label,
)
