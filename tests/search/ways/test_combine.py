"""Two features in one program: and, or, different, one after the other; found from labels alone, and the text
is the arrays.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.families import all_families, all_templates
from relucid.search.filter import mixed
from relucid.search.problem import SearchProblem
from relucid.search.ways.combine import combined
from relucid.search.ways.fuse import fused

BEHAVIOURS = {
    "and": ("return 'yes' if t.count('a') % 2 == 1 and 'b' in t else 'no'", ("yes", "no"), "and"),
    "or": ("return t.count('a') >= 3 or t.count('b') == 0", (False, True), "or"),
    "xor": ("return (t.count('a') >= 2) != (t[-1] == 'b')", (True, False), ") == ("),
    "two loops": (
        "d = m = 0\n    for x in t:\n        d += (x == 'a') - (x == 'b')\n        m = max(m, d)\n    return m >= 2 and t.count('c') % 2 == 0",
        (True, False),
        "and",
    ),
    "list": (
        "if 'c' in t:\n        return 'stop'\n    return 'many' if t.count('a') >= 3 else 'few'",
        ("few", "many", "stop"),
        "if",
    ),
    "list then number": (
        "if t[0] == 'b':\n        return 'b'\n    return str(t.count('a') % 3)",
        ("b", "0", "1", "2"),
        "% 3",
    ),
}


def taught(body: str, labels: tuple) -> tuple[Domain, Labelled]:
    domain = Domain(("a", "b", "c"), 2, 6, pad="_")
    names: dict = {}
    exec(f"def task(t):\n    {body}\n", names)
    words = [domain.padded(s) for n in range(2, 7) for s in itertools.product(domain.tokens, repeat=n)]
    return domain, Labelled(
        np.array(words, dtype=np.int16),
        np.array([labels.index(names["task"](domain.unpadded(w))) for w in words]),
    )


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_two_features_are_found(name: str) -> None:
    body, labels, sign = BEHAVIOURS[name]
    domain, truth = taught(body, labels)
    problem = SearchProblem.of(truth, domain, labels)
    found = combined(problem, list(all_families(problem, all_templates())), mixed(truth, 0))
    assert found and sign in found[0].source()
    for candidate in found[:6]:
        source = candidate.source("task")
        assert (candidate.evaluate(truth.words) == truth.labels).all(), source
        names: dict = {}
        exec(source, names)
        program = Program.from_source(source)
        for word, label in list(zip(truth.words, truth.labels, strict=True))[::5]:
            sequence = domain.unpadded(word)
            for value in (names["task"](sequence), program(sequence)):
                assert value == labels[label] and type(value) is type(labels[label]), source


def test_one_loop_where_both_loop_and_no_name_twice() -> None:
    first = ("count = 0", "for token in tokens:", '    if token == "count":', "        count += 1")
    lines, rename = fused(first, first)
    assert lines == (
        "count = 0",
        "count2 = 0",
        "for token in tokens:",
        '    if token == "count":',
        "        count += 1",
        '    if token == "count":',
        "        count2 += 1",
    )
    assert rename('count + tokens.count("count")') == 'count2 + tokens.count("count")'


def test_loops_that_return_or_differ_stay_apart() -> None:
    early = ("for token in tokens:", '    if token == "a":', "        return 1")
    other = ("for mark in tokens:", "    last = mark")
    assert fused(early, early)[0] == (*early, *early)
    assert fused(other, other)[0] == (*other, "for mark2 in tokens:", "    last2 = mark2")
