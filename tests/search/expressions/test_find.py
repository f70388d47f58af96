"""Programs without a loop: what is found is about as short as what a person wrote."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.expressions.find import expressed
from relucid.search.expressions.logic import chained
from relucid.search.filter import mixed
from relucid.search.problem import SearchProblem
from relucid.search.rank import description_length

ABC, DIGITS, PAIRS = ("a", "b", "c"), ("0", "1", "2", "3"), ("00", "01", "10", "11")
SIGNED = ("-2", "-1", "0", "1", "2")
BEHAVIOURS = {
    "largest": (DIGITS, 4, "max(tokens)"),
    "middle": (DIGITS, 4, "sorted(tokens)[len(tokens) // 2]"),
    "window sum": (DIGITS, 5, "str(sum(int(t) for t in tokens[-3:]))"),
    "token before": (ABC, 4, 'tokens[-2] if len(tokens) > 1 else "a"'),
    "distance": (SIGNED, 3, 'str(abs(int(tokens[-1]) - int(tokens[-2] if len(tokens) > 1 else "0")))'),
    "sum modulo": (DIGITS, 5, "str(sum(int(t) for t in tokens) % 3)"),
    "mean": (DIGITS, 4, "str(sum(int(t) for t in tokens) // len(tokens))"),
    "distinct": (ABC, 5, "str(len(set(tokens)))"),
    "most frequent": (ABC, 5, 'max(("a", "b", "c"), key=tokens.count)'),
    "place of the largest": (DIGITS, 4, "str(tokens.index(max(tokens)))"),
    "count of the last": (ABC, 5, "str(tokens.count(tokens[-1]))"),
    "mirror": (ABC, 4, "str(sum(a != b for a, b in zip(tokens, tokens[::-1])))"),
    "inversions": (ABC, 4, "str(sum(a > b for i, a in enumerate(tokens) for b in tokens[i + 1:]))"),
    "rises": (DIGITS, 4, "str(sum(a < b for a, b in zip(tokens, tokens[1:])))"),
    "ascending": (DIGITS, 4, '"yes" if tuple(sorted(tokens)) == tokens else "no"'),
    "ends in": (ABC, 4, '"yes" if tokens[-2:] == ("a", "b") else "no"'),
    "peak": (DIGITS, 3, '"yes" if len(tokens) == 3 and tokens[0] < tokens[-1] else "no"'),
    "pairs": (PAIRS, 4, "str(sum(int(t[0]) * int(t[1]) for t in tokens))"),
    "weights": (ABC, 4, 'str(sum({"a": 1, "b": 5, "c": 10}[t] for t in tokens))'),
    "places": (DIGITS, 4, "str(sum(i * int(t) for i, t in enumerate(tokens)))"),
    "words": (("1", "2"), 3, '("none", "one", "two", "three", "four", "five", "six")[sum(int(t) for t in tokens)]'),
    "dictionary": (DIGITS, 3, '{"0": "red", "1": "green", "2": "red"}.get(tokens[-1], "blue")'),
    "tripled": (ABC, 5, 'str(3 * tokens.count("a") + 1)'),
    "what is left": (DIGITS, 4, "str(9 - max(int(t) for t in tokens))"),
    "place or length": (ABC, 5, 'str(tokens.index("c") if "c" in tokens else len(tokens))'),
    "or": (ABC, 5, '"yes" if "a" in tokens or tokens.count("b") > 2 else "no"'),
    "halves": (("a", "b"), 6, '"yes" if tokens[:len(tokens) // 2] == tokens[len(tokens) // 2:] else "no"'),
    "clamped": (SIGNED, 4, "str(min(max(sum(int(t) for t in tokens), -2), 2))"),
    "three cases": (
        ABC, 4, '"same" if len(set(tokens)) == 1 else "new" if len(set(tokens)) == len(tokens) else "mixed"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_an_expression_is_found(name: str) -> None:
    tokens, longest, expression = BEHAVIOURS[name]
    reference = f"def f(tokens):\n    return {expression}\n"
    program = Program.from_source(reference, "f")
    domain = Domain(tokens, 1, longest, pad="<pad>")
    words = [w for n in range(1, longest + 1) for w in itertools.product(tokens, repeat=n)]
    values = [program(w) for w in words]
    labels = tuple(sorted(set(values)))
    examples = Labelled(
        np.array([domain.padded(w) for w in words], dtype=np.int16),
        np.array([labels.index(v) for v in values]),
    )
    problem = SearchProblem(tokens, 1, longest, labels, examples)
    found = expressed(problem, mixed(examples, 0), 100, lambda text: None)
    assert found
    assert found[0].description_length <= 1.3 * description_length(reference), found[0].source()
    for candidate in found[:3]:
        written = Program.from_source(candidate.source("f"), "f")
        assert [written(w) for w in words[::3]] == values[::3], candidate.source()


def test_comparisons_with_a_common_side_are_chained() -> None:
    assert chained("a[0] < a[1]", "a[2] < a[1]") == "a[0] < a[1] > a[2]"
    assert chained("x == y", "y == z") == "x == y == z"
    assert chained("x < y", "u < v") == ""
    assert chained("x in y", "y == z") == ""
    assert chained("len(x) > 1", "len(y) > 1") == ""  # a constant in the middle is hard to read
