"""Array formulas: computed as Python computes, and the same in meaning with anything in their holes."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relucid.search.folds import updates
from relucid.search.formula import ArrayFormula, level_of
from relucid.search.rank import description_length

FORMS = [
    *updates.with_number([2, 3]),
    *updates.with_test([2, 3]),
    *updates.with_two_tests(),
    *updates.with_number_and_test(),
    *updates.of_flags(),
    *updates.of_flags_by_two(),
]


def test_updates_are_computed_as_python_computes() -> None:
    for update in FORMS:
        text, number = update.formula.text, update.holes[0] == "number"
        flag = any(part in text for part in ("not v", "v or", "v and")) or text in ("x", "v != x")
        values = (0, 1) if flag else (-7, -1, 0, 1, 2, 5, 13)
        for v, x, y in itertools.product(values, (-3, 0, 1, 4) if number else (0, 1), (0, 1)):
            arrays = {"v": np.array([v]), "x": np.array([x]), "y": np.array([y])}
            here = {"v": v, "x": x if number else bool(x), "y": bool(y)}
            assert int(update.formula.on(arrays)[0]) == int(eval(text, here)), (text, here)


def test_weights_are_description_lengths() -> None:
    for update in FORMS:
        source = f"def f(tokens):\n    for t in tokens:\n        return {update.formula.text}\n"
        frame = description_length("def f(tokens):\n    for t in tokens:\n        return 0\n") - 1
        signals = len(re.findall(r"\b[xy]\b", update.formula.text))
        assert update.weight + signals == description_length(source) - frame, update.formula.text


PARTS = (
    "a",
    "a + 1",
    "a - 1",
    "2 * a",
    "a % 3",
    "-a",
    "a if a > 1 else 4",
    "a > 1",
    "a == 1 or a == 2",
    "not a",
)


@given(st.sampled_from(FORMS), st.sampled_from(PARTS), st.sampled_from(PARTS), st.integers(-5, 5))
def test_filling_a_hole_keeps_the_meaning(update: updates.Update, x: str, y: str, a: int) -> None:
    v = 3
    filled = update.formula.filled({"v": "v", "x": x, "y": y})
    inner = {"v": v, "x": eval(x, {"a": a}), "y": eval(y, {"a": a})}
    assert eval(filled, {"v": v, "a": a}) == eval(update.formula.text, inner), filled


def test_levels() -> None:
    order = ["a if b else c", "a or b", "a and b", "not a", "a < b", "a + b", "a * b", "-a", "f(a)"]
    assert [level_of(text) for text in order] == sorted(level_of(text) for text in order)
    assert len({level_of(text) for text in order}) == len(order)


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(ValueError, match="is not part of a formula"):
        ArrayFormula("v[x]").on({"v": np.array([1]), "x": np.array([2])})
