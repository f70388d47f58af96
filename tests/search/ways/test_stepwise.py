"""Step functions, enumerated: known behaviours are found, terms are what their text says, budgets hold."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest
from clocks import Ticking, ticking
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.problem import SearchProblem
from relucid.search.ways.stepwise import enumerated
from relucid.search.ways.terms import Bank, StepTerm, TermBudget


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search has a budget of seconds; here they pass by work done."""
    monkeypatch.setattr(time, "monotonic", Ticking(1e-5))


SILENT: Callable[[str], None] = lambda text: None  # noqa: E731

BEHAVIOURS = {
    "horner": (("0", "1"), "v = 0\n    for x in t:\n        v = (2 * v + int(x)) % 3\n    return v == 0", (True, False), "% 3"),
    "carry": (
        ("00", "01", "10", "11"),
        "v = 0\n    for x in t:\n        v = v // 2 + x.count('1')\n    return str(v % 2)",
        ("0", "1"),
        "value // 2",
    ),
    "changes": (
        ("a", "b", "c"),
        "return sum(x != y for x, y in zip(t, t[1:])) % 2",
        (0, 1),
        "previous",
    ),
    "latch": (
        ("a", "b", "c"),
        "f = False\n    for x in t:\n        f = x == 'a' or (f and x != 'b')\n    return f",
        (False, True),
        "flag = ",
    ),
    "longest run": (
        ("a", "b"),
        "n = m = 0\n    for x in t:\n        n = n + 1 if x == 'a' else 0\n        m = max(m, n)\n    return m",
        tuple(range(7)),
        "other = max(",
    ),
}  # fmt: skip


def words_of(domain: Domain) -> np.ndarray:
    parts = [
        domain.padded(s)
        for n in range(domain.min_length, domain.max_length + 1)
        for s in itertools.product(domain.tokens, repeat=n)
    ]
    return np.array(parts, dtype=np.int16).reshape(len(parts), domain.max_length)


def taught(name: str) -> tuple[Domain, tuple, Labelled, Callable]:
    tokens, body, labels, _ = BEHAVIOURS[name]
    names: dict = {}
    exec(f"def task(t):\n    {body}\n", names)
    domain = Domain(tokens, 1, 6 if len(tokens) < 3 else 4, pad="_")
    words = words_of(domain)
    return (
        domain,
        labels,
        Labelled(words, np.array([labels.index(names["task"](domain.unpadded(w))) for w in words])),
        names["task"],
    )


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_known_behaviours_are_found_and_right_everywhere(name: str) -> None:
    domain, labels, truth, _ = taught(name)
    found = enumerated(SearchProblem.of(truth, domain, labels), truth, 60, SILENT)
    assert found and [c.key for c in found] == sorted(c.key for c in found)
    assert BEHAVIOURS[name][3] in found[0].source()
    for candidate in found[:3]:
        assert candidate.way == "enumeration"
        source = candidate.source("task")
        names: dict = {}
        exec(source, names)
        program = Program.from_source(source)
        assert (candidate.evaluate(truth.words) == truth.labels).all()
        for word, label in zip(truth.words[::3], truth.labels[::3], strict=True):
            sequence = domain.unpadded(word)
            for value in (names["task"](sequence), program(sequence)):
                assert value == labels[label] and type(value) is type(labels[label]), source


def test_arrays_and_text_agree_where_nothing_was_learnt() -> None:
    """Candidates from few examples, on all words: the same labels as their Python, -1 for what is
    no label.
    """
    domain, labels, truth, _ = taught("carry")
    few = truth.take(np.random.default_rng(0).choice(len(truth), 5, replace=False))
    found = enumerated(SearchProblem.of(few, domain, labels), few, 60, SILENT)
    assert len(found) > 30
    for candidate in found[::9]:
        names: dict = {}
        exec(candidate.source("task"), names)
        for word, label in zip(truth.words[::5], candidate.evaluate(truth.words[::5]), strict=True):
            value = names["task"](domain.unpadded(word))
            assert (value == labels[label]) if label >= 0 else value not in labels, candidate.source()


def test_nothing_longer_than_asked_for_and_nothing_for_one_label() -> None:
    domain, labels, truth, _ = taught("carry")
    problem = SearchProblem.of(truth, domain, labels)
    length = enumerated(problem, truth, 60, SILENT)[0].description_length
    assert all(c.description_length < length for c in enumerated(problem, truth, length, SILENT))
    assert enumerated(problem, Labelled(truth.words, np.zeros(len(truth), dtype=np.int64)), 60, SILENT) == []


def test_the_time_budget_holds() -> None:
    domain, labels, truth, _ = taught("longest run")
    problem = SearchProblem.of(truth, domain, labels)
    with ticking(1.0) as clock:
        for seconds in (0.0, 5.0, 50.0):
            until = clock.now + seconds
            assert (
                enumerated(problem, truth, 60, SILENT, seconds=seconds) == [] and clock.now < until + 100
            )  # every stage looks once more


def test_terms_are_what_their_text_says_and_no_two_mean_the_same() -> None:
    """Every term of a bank against Python's own reading of its text."""
    value, token = (x.ravel() for x in np.meshgrid(np.arange(-3, 6), np.arange(3), indexing="ij"))
    grid = {"value": value, "token": token}
    leaves = {
        "int": [
            StepTerm("value", 1, lambda v: v["value"]),
            *(StepTerm(str(k), 1, lambda v, k=k: np.full(len(v["token"]), k)) for k in range(4)),
        ],
        "bool": [StepTerm("token == 1", 4, lambda v: v["token"] == 1, 4)],
    }
    bank = Bank(grid, leaves, TermBudget(terms=3000, weight=11))  # type: ignore[arg-type]
    for kind in ("int", "bool"):
        tables, terms = bank.tables(kind), bank.terms[kind]  # type: ignore[arg-type,index]
        assert len(terms) > 200 and len(np.unique(tables, axis=0)) == len(tables) == len(terms)
        weights = [t.weight for t in terms]
        assert weights == sorted(weights)
        for term, table in zip(terms, tables, strict=True):
            code = compile(term.text, "term", "eval")
            there = [
                eval(code, {"value": int(v), "token": int(t)}) for v, t in zip(value, token, strict=True)
            ]
            assert (np.clip(np.array(there, dtype=int), -100, 100) == table).all(), term.text
            assert (np.asarray(term.apply(grid)).astype(int) == np.array(there, dtype=int)).all(), term.text


def test_the_number_of_terms_is_bounded() -> None:
    grid = {"value": np.repeat(np.arange(4), 2), "token": np.tile(np.arange(2), 4)}
    leaves = {
        "int": [
            StepTerm("value", 1, lambda v: v["value"]),
            StepTerm("1", 1, lambda v: np.full(len(v["token"]), 1)),
        ],
        "bool": [],
    }
    bank = Bank(grid, leaves, TermBudget(terms=20, weight=9))  # type: ignore[arg-type]
    assert len(bank.terms["int"]) == 20
