"""Automata: a program always comes out and is exact; what is written is what the machine does, on
every word.
"""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.automata.labelled import Labelled
from relucid.models.automata.layered import Layered
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program
from relucid.search.candidate import Candidate
from relucid.search.problem import SearchProblem
from relucid.search.synthesise import ProgramSearch
from relucid.search.ways import automata, numbered
from relucid.search.ways.automata import learnt, tabulated
from relucid.search.ways.machine import TokenMachine
from relucid.search.ways.recognise import written


def words_of(domain: Domain) -> np.ndarray:
    parts = [
        domain.padded(s)
        for n in range(domain.min_length, domain.max_length + 1)
        for s in itertools.product(domain.tokens, repeat=n)
    ]
    return np.array(parts, dtype=np.int16).reshape(len(parts), domain.max_length)


def under_cpython(source: str) -> Callable[[tuple[str, ...]], object]:
    names: dict = {}
    exec(source, names)
    return names["task"]


def assert_does(candidate: Candidate, domain: Domain, labels: Sequence[object], truth: Labelled) -> None:
    """CPython, our interpreter and the arrays give each of these words its label, with its type."""
    source = candidate.source("task", "What it does.")
    function, program = under_cpython(source), Program.from_source(source, "task")
    assert (candidate.evaluate(truth.words) == truth.labels).all(), source
    if candidate.machine is not None:  # it says the same, or nothing where no example went
        said = [candidate.machine.run([t for t in w if t < len(domain.tokens)]) for w in truth.words.tolist()]
        assert all(y in (-1, label) for y, label in zip(said, truth.labels.tolist(), strict=True)), source
    for word, label in zip(truth.words, truth.labels, strict=True):
        sequence = domain.unpadded(word)
        for value in (function(sequence), program(sequence)):
            assert value == labels[label] and type(value) is type(labels[label]), (source, sequence)


LABELS = [(True, False), ("v", "state", "yes"), (0, 1, 2), ("1", "0", "-1")]
TOKENS = [("a", "b"), ("v", "v == 0", "token"), ("'", '"', "\\"), ("1 - v", "", "x")]


@st.composite
def machines(draw: st.DrawFn) -> tuple[TokenMachine, np.ndarray, Domain, tuple]:
    """Up to seven states; every state's label; odd tokens and labels."""
    tokens, labels = draw(st.sampled_from(TOKENS)), draw(st.sampled_from(LABELS))
    count = draw(st.integers(1, 7))
    state = st.integers(0, count - 1)
    step = draw(
        st.lists(st.lists(state, min_size=len(tokens), max_size=len(tokens)), min_size=count, max_size=count)
    )
    kinds = draw(st.lists(st.integers(0, len(labels) - 1), min_size=count, max_size=count))
    shortest = draw(st.integers(0, 2))
    return TokenMachine(np.array(step), 0), np.array(kinds), Domain(tokens, shortest, 4, pad="pad"), labels


@settings(max_examples=20, deadline=None)
@given(machines())
def test_every_way_to_write_a_machine_is_the_machine(
    drawn: tuple[TokenMachine, np.ndarray, Domain, tuple],
) -> None:
    machine, kinds, domain, labels = drawn
    words = words_of(domain)
    truth = Labelled(words, kinds[machine.run(words)])
    problem = SearchProblem.of(truth, domain, labels)
    candidates = [*written(machine, problem, truth), *tabulated(machine, kinds, problem)]
    assert len(candidates) > 1
    for candidate in candidates[:: max(1, len(candidates) // 6)]:
        assert_does(candidate, domain, labels, truth)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.sampled_from(LABELS))
def test_random_automata_always_end_with_an_exact_program(seed: int, states: int, labels: tuple) -> None:
    rng = np.random.default_rng(seed)
    domain = Domain(("a", "b"), 0, 7, pad="_")
    machine = TokenMachine(rng.integers(0, states, (states, 2)), 0)
    words = words_of(domain)
    truth = Labelled(words, rng.integers(0, len(labels), states)[machine.run(words)])
    found = learnt(SearchProblem.of(truth, domain, labels), truth, lambda text: None)
    assert [c.key for c in found] == sorted(c.key for c in found)
    assert_does(found[0], domain, labels, truth)


@pytest.mark.parametrize("seed", range(3))
def test_any_labels_on_any_part_of_the_words_end_with_an_exact_program(seed: int) -> None:
    """Don't-cares: only some words have a label; nothing foldable in it."""
    rng = np.random.default_rng(seed)
    domain, labels = Domain(("a", "b", "c"), 0, 5, pad="_"), ("x", "y", "z")
    words = words_of(domain)[rng.random(364) < 0.6]
    truth = Labelled(words, rng.integers(0, 3, len(words)))
    best = ProgramSearch(SearchProblem.of(truth, domain, labels), seed=seed).best()
    assert best is not None and best.template == "table"
    assert_does(best, domain, labels, truth)


def test_large_tables_are_cut_into_constants_that_the_subset_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automata, "ELEMENTS", 40)
    rng = np.random.default_rng(1)
    domain, labels = (
        Domain(("a", "b", "c"), 0, 4, pad="_"),
        ("x", "y"),
    )  # every state is the last one of some word
    words = words_of(domain)
    truth = Labelled(words, rng.integers(0, 2, len(words)))
    (best,) = learnt(SearchProblem.of(truth, domain, labels), truth, lambda text: None)
    assert "NEXT_2 = " in best.source()
    assert_does(best, domain, labels, truth)


@pytest.mark.parametrize("count", range(2, 6))
def test_conditions_on_numbers_hold_for_just_these(count: int) -> None:
    for size in range(1, count):
        for numbers in itertools.combinations(range(count), size):
            condition = numbered._among(list(numbers), count)
            assert [v for v in range(count) if eval(condition, {"v": v})] == list(numbers), condition


def test_a_random_function_on_many_words_is_a_table_within_the_limits() -> None:
    domain, labels = Domain(("a", "b", "c", "d"), 8, 8), (False, True)
    words = words_of(domain)
    truth = Labelled(words, np.random.default_rng(0).integers(0, 2, len(words)))
    found = learnt(SearchProblem.of(truth, domain, labels), truth, lambda text: None)
    some = truth.take(np.arange(0, len(truth), 997))
    assert_does(found[0], domain, labels, some)
    assert len(found[0].source()) < 1_000_000
    language = build_language(domain, Program.from_source(found[0].source("task"), "task"), labels)
    given = {
        tuple(w): y
        for words, ys in language.words()
        for w, y in zip(words.tolist(), ys.tolist(), strict=True)
    }
    assert given == {tuple(w): y for w, y in zip(truth.words.tolist(), truth.labels.tolist(), strict=True)}


def test_a_table_that_no_file_holds_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automata, "LARGEST", 300)
    domain, labels = Domain(("a", "b", "c"), 4, 4), ("x", "y")
    truth = Labelled(words_of(domain), np.random.default_rng(1).integers(0, 2, 81))
    assert learnt(SearchProblem.of(truth, domain, labels), truth, lambda text: None) == []
    assert ProgramSearch(SearchProblem.of(truth, domain, labels)).best() is None


COUNTERS = {
    "modular": (
        "return t.count('a') % 5",
        (0, 1, 2, 3, 4),
        ["count = 0", 'if token == "a":', "count = (count + 1) % 5", "return count"],
    ),
    "toggle": (
        "s = False\n    for x in t:\n        s = (not s) if x == 'a' else False if x == 'b' else s\n    return s",
        (False, True),
        [
            "inside = False",
            'if token == "a":',
            "inside = not inside",
            'elif token == "b":',
            "inside = False",
            "return inside",
        ],
    ),
    "flag": (
        "s = False\n    for x in t:\n        s = True if x == 'a' else False if x == 'b' else s\n    return s",
        (False, True),
        [
            "flag = False",
            'if token == "a":',
            "flag = True",
            'elif token == "b":',
            "flag = False",
            "return flag",
        ],
    ),
    "clamped": (
        "s = 0\n    for x in t:\n        s = min(s + 1, 3) if x == 'a' else max(s - 1, 0) if x == 'b' else s\n    return s",
        (0, 1, 2, 3),
        [
            "depth = 0",
            'if token == "a":',
            "depth = min(depth + 1, 3)",
            'elif token == "b":',
            "depth = max(depth - 1, 0)",
            "return depth",
        ],
    ),
    "sink": (
        "s = 0\n    for x in t:\n        s += (x == 'a') - (x == 'b')\n        if s < 0: return 'bad'\n    return 'good'",
        ("good", "bad"),
        None,
    ),
    "last token": (
        "s = 'c'\n    for x in t:\n        s = x if x != 'c' else s\n    return s",
        ("a", "b", "c"),
        [
            'state = "c"',
            'if token == "a":',
            'state = "a"',
            'elif token == "b":',
            'state = "b"',
            "return state",
        ],
    ),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_well_known_machines_are_recognised(name: str) -> None:
    body, labels, lines = COUNTERS[name]
    domain = Domain(("a", "b", "c"), 0, 6, pad="_")
    teacher = under_cpython(f"def task(t):\n    {body}\n")
    words = words_of(domain)
    truth = Labelled(words, np.array([labels.index(teacher(domain.unpadded(w))) for w in words]))
    best = learnt(SearchProblem.of(truth, domain, labels), truth, lambda text: None)[0]
    assert_does(best, domain, labels, truth)
    if lines is not None:
        assert [line.strip() for line in best.source().splitlines()[1:] if "for token" not in line] == lines
    else:
        assert '            return "bad"' in best.source() or '                return "bad"' in best.source()


@pytest.mark.parametrize("name", ["modular", "clamped", "sink"])
def test_what_is_written_is_formatted(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """As `ruff format` would, docstring, tables and all."""
    body, labels, _ = COUNTERS[name]
    domain = Domain(("a", "b", "c"), 0, 6, pad="_")
    teacher = under_cpython(f"def task(t):\n    {body}\n")
    words = words_of(domain)
    truth = Labelled(words, np.array([labels.index(teacher(domain.unpadded(w))) for w in words]))
    problem = SearchProblem.of(truth, domain, labels)
    found = learnt(problem, truth, lambda text: None)
    noise = learnt(
        problem,
        Labelled(words, np.random.default_rng(0).integers(0, len(labels), len(words))),
        lambda text: None,
    )
    for i, candidate in enumerate([*found, *noise]):
        text = candidate.source("task", "One line.\n\nAnother paragraph.")
        assert (
            ast.get_docstring(next(n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)))
            == "One line.\n\nAnother paragraph."
        )
        (tmp_path / f"program{i}.py").write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--check",
        "--isolated",
        "--line-length",
        "100",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_automaton_learnt_by_asking_reaches_beyond_the_sample() -> None:
    """Long words, of which a sample shows no machine; the layered automaton from elsewhere does."""
    step, final = np.array([[1, 0, 0], [2, 1, 1], [0, 0, 2], [3, 3, 3]]), np.array([0, 1, 2, 0])
    domain, labels = Domain(("a", "b", "c"), 16, 16), ("x", "y", "z")
    words = np.random.default_rng(0).integers(0, 3, (1500, 16)).astype(np.int16)
    machine = TokenMachine(step, 0)
    sample = Labelled(words, final[machine.run(words)])
    layered = Layered((step[:1], *[step] * 15), final)
    alone = ProgramSearch(SearchProblem.of(sample, domain, labels)).best()
    assert alone is None or alone.template == "table"
    asked = ProgramSearch(SearchProblem.of(sample, domain, labels), automaton=lambda: layered)
    found = asked.best()
    assert found is not None and found.template == "state_machine"
    others = np.random.default_rng(1).integers(0, 3, (300, 16)).astype(np.int16)
    assert_does(found, domain, labels, Labelled(others, final[machine.run(others)]))
