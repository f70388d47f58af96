"""The same label for every input.

If the inputs have several labels, the feature's single value cannot tell them apart, and nothing uses it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..feature import Body, Family
from ..problem import SearchProblem

EXAMPLE = """
def always(tokens):
    return "a"
"""


def families(problem: SearchProblem) -> Iterator[Family]:
    """Yield the constant feature 0."""
    yield Family(
        "constant",
        "number",
        1,
        lambda words, rows: np.zeros((len(rows), len(words)), dtype=np.int16),
        lambda row: Body((), "0"),
    )
