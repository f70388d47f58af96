"""Two integers that read each other, as position and speed do: `speed += x - total`, then `total += speed`.

After `judge.py`, for `find.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from ...common.deadline import check
from ..feature import Body, Family
from .judge import LoopJudge
from .loops import FAR
from .signals import Signal, Steps


def mutual(judge: LoopJudge, numbers: Sequence[Signal]) -> None:
    """Find such programs.

    Args:
        judge: the examples.
        numbers: of the token.
    """
    for x, sign, other in product(numbers, (1, -1), (1, -1)):
        check()
        for which, name in ((1, "total"), (0, "speed")):
            if judge.explains(_last(Steps(judge.sample, judge.problem.size), x, sign, other)[which]):
                _written(judge, (x, sign, other), which, name)


def _written(judge: LoopJudge, form: tuple[Signal, int, int], which: int, name: str) -> None:
    x, sign, other = form
    lines = (
        "speed = 0", "total = 0", "for t in tokens:",
        f"    speed += {x.text} {'+' if sign > 0 else '-'} total",
        f"    total {'+' if other > 0 else '-'}= speed",
    )  # fmt: skip
    body = Body(lines, name, "value")
    family, size = Family("loop", "number", 1, lambda w, r: w, lambda row: body), judge.problem.size
    judge.read(family, lambda words: _last(Steps(words, size), *form)[which])


def _last(steps: Steps, x: Signal, sign: int, other: int) -> np.ndarray:
    """Return speed and total after each word, (2, n)."""
    value = np.zeros((2, steps.symbols.shape[1]), dtype=np.int64)
    for seen, inside in zip(x.on(steps), steps.inside, strict=True):
        speed = value[0] + seen + sign * value[1]
        after = np.stack([speed, value[1] + other * speed])
        value = np.where(inside, np.clip(after, -FAR, FAR), value)
    result: np.ndarray = value
    return result
