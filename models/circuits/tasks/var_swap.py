"""var_swap: `x, y = y,` ends with the first variable."""

from .task import TrainingTask


def where(tokens):
    """One word of anything, then `x , y = y ,` with two different variables."""
    if tokens[2] != "," or tokens[4] != "=" or tokens[6] != ",":
        return False
    if tokens[1] == "," or tokens[1] == "=" or tokens[3] == "," or tokens[3] == "=":
        return False
    return tokens[1] != tokens[3] and tokens[5] == tokens[3]


def label(tokens):
    return tokens[1]


TASK = TrainingTask("var_swap", "`x, y = y,` ends with the first variable.", ("a", "b", "c", ",", "="), 7, ("a", "b", "c"), where, label)
