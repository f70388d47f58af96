"""fstring_brace: inside a brace of an f-string comes `}`, outside the quote."""

from ..training.task import TrainingTask


def where(tokens):
    """Braces open and close in turn."""
    depth = 0
    for token in tokens:
        if token == "{":
            depth += 1
        if token == "}":
            depth -= 1
        if depth < 0 or depth > 1:
            return False
    return True


def label(tokens):
    return "}" if tokens.count("{") > tokens.count("}") else '"'


TASK = TrainingTask(
    "fstring_brace",
    "inside a brace of an f-string comes `}`, outside the quote.",
    ("{", "}", "a", "b"),
    6,
    ("}", '"'),
    where,
    label,
)
