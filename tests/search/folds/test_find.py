"""Loops: what is found is what was asked for, and every program is its arrays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.candidate import Candidate
from relucid.search.filter import mixed
from relucid.search.folds.find import folded
from relucid.search.folds.loops import assignment
from relucid.search.problem import SearchProblem
from relucid.search.rank import description_length

LETTERS, DIGITS = ("a", "b", "c"), ("0", "1", "2")
BEHAVIOURS = {
    "carry": (("00", "01", "10", "11"), 5, """
def f(tokens):
    total = 0
    for t in tokens:
        total = total // 2 + int(t[0]) + int(t[1])
    return str(total % 2)
"""),
    "position and speed": (("-1", "0", "1"), 6, """
def f(tokens):
    speed = 0
    total = 0
    for t in tokens:
        speed += int(t)
        total += speed
    return str(total)
"""),
    "spring": (("-1", "0", "1"), 5, """
def f(tokens):
    speed = 0
    total = 0
    for t in tokens:
        speed += int(t) - total
        total += speed
    return str(total)
"""),
    "longest run": (LETTERS, 6, """
def f(tokens):
    run = 0
    best = 0
    previous = ""
    for t in tokens:
        run = run + 1 if t == previous else 1
        best = max(best, run)
        previous = t
    return str(best)
"""),
    "first that occurs once": (LETTERS, 5, """
def f(tokens):
    for t in tokens:
        if tokens.count(t) == 1:
            return t
    return "none"
"""),
    "after the last token's like": (LETTERS, 5, """
def f(tokens):
    found = "none"
    previous = ""
    for t in tokens:
        if previous == tokens[-1]:
            found = t
        previous = t
    return found
"""),
    "last place": (LETTERS, 5, """
def f(tokens):
    place = "none"
    for i, t in enumerate(tokens):
        if t == "a":
            place = str(i)
    return place
"""),
    "sum since a reset": (("1", "2", "r"), 5, """
def f(tokens):
    total = 0
    for t in tokens:
        total = 0 if t == "r" else total + int(t)
    return str(total)
"""),
    "never below": (("(", ")"), 8, """
def f(tokens):
    depth = 0
    for t in tokens:
        depth += 1 if t == "(" else -1
        if depth < 0:
            return "no"
    return "yes" if depth == 0 else "no"
"""),
    "clamped": (DIGITS, 5, """
def f(tokens):
    level = 0
    for t in tokens:
        level = min(level + int(t), 4)
    return str(level)
"""),
}  # fmt: skip


def taught(tokens: tuple[str, ...], longest: int, source: str) -> SearchProblem:
    """Return the labels of a program on all words of 1 to `longest` tokens."""
    domain = Domain(tokens, 1, longest, pad="<pad>")
    program = Program.from_source(source.lstrip("\n"), "f")
    words = [w for n in range(1, longest + 1) for w in itertools.product(tokens, repeat=n)]
    values = [program(w) for w in words]
    labels = tuple(sorted(set(values)))
    examples = Labelled(
        np.array([domain.padded(w) for w in words], dtype=np.int16),
        np.array([labels.index(v) for v in values]),
    )
    return SearchProblem(tokens, 1, longest, labels, examples)


def assert_right(candidate: Candidate, problem: SearchProblem) -> None:
    """The interpreter runs the source, and gives every example its label."""
    program = Program.from_source(candidate.source("f"), "f")
    step = max(1, len(problem.examples) // 300)
    for word, label in zip(problem.examples.words[::step], problem.examples.labels[::step], strict=True):
        tokens = tuple(problem.tokens[s] for s in word if s < problem.size)
        assert program(tokens) == problem.labels[label], (candidate.source(), tokens)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_loop_is_found(name: str) -> None:
    tokens, longest, source = BEHAVIOURS[name]
    problem = taught(tokens, longest, source)
    found = folded(problem, mixed(problem.examples, 0), 100, lambda text: None)
    assert found
    for candidate in found[:4]:
        assert_right(candidate, problem)
    assert found[0].description_length <= 1.3 * description_length(source.lstrip("\n")), found[0].source()


def test_labels_without_a_rule_give_nothing() -> None:
    problem = taught(("a", "b"), 5, BEHAVIOURS["last place"][2])
    noise = Labelled(problem.examples.words, np.random.default_rng(0).integers(0, 2, len(problem.examples)))
    assert folded(problem, mixed(noise, 0), 40, lambda text: None) == []


def test_one_label_or_one_place_is_no_subject_for_loops() -> None:
    problem = taught(("a", "b"), 3, BEHAVIOURS["last place"][2])
    same = Labelled(problem.examples.words, np.zeros(len(problem.examples), dtype=np.int64))
    assert folded(problem, same, 100, lambda text: None) == []


def test_assignments_take_their_plainest_form() -> None:
    plain = {
        "v + 1": ("v += 1",),
        "v": (),
        "v + 1 if t else v": ("if t:", "    v += 1"),
        "v if t else v - 2": ("if not (t):", "    v -= 2"),
        "v + 1 if t else v - 1": ("v += 1 if t else -1",),
        "0 if t else v + 1": ("v = 0 if t else v + 1",),
        "1 if s else v + 1 if t else v": ("if s:", "    v = 1", "elif t:", "    v += 1"),
        "1 - v": ("v = 1 - v",),
    }
    assert {text: assignment("v", text, {}) for text in plain} == plain
    assert assignment("v", "v if t == a else 0", {"t == a": "t != a"}) == ("if t != a:", "    v = 0")
