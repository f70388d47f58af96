"""var_swap: `x, y = y,` ends with the first variable."""

from ..training.task import TrainingTask


def where(tokens):
    """Three words of anything, then `x , y = y ,` with two different variables."""
    if tokens[4] != "," or tokens[6] != "=" or tokens[8] != ",":
        return False
    if tokens[3] == "," or tokens[3] == "=" or tokens[5] == "," or tokens[5] == "=":
        return False
    return tokens[3] != tokens[5] and tokens[7] == tokens[5]


def label(tokens):
    return tokens[3]


TASK = TrainingTask(
    "var_swap",
    "`x, y = y,` ends with the first variable.",
    ("a", "b", "c", ",", "="),
    9,
    ("a", "b", "c"),
    where,
    label,
)
