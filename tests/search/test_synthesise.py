"""The search as a whole: short programs first, the loop with counterexamples, and the last resort."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from clocks import calls
from relucid.common.errors import InputError
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.models.program.syntax import BUILTINS
from relucid.search.candidate import Candidate
from relucid.search.filter import consistent
from relucid.search.problem import SearchProblem
from relucid.search.rank import description_length, rank_key
from relucid.search.render import docstring, function, function_name, literal
from relucid.search.synthesise import ProgramSearch, refine, synthesise
from relucid.search.ways.learn import learn_machines


def everything(domain: Domain, teacher: Callable[[tuple[str, ...]], object], labels: tuple) -> Labelled:
    parts = [
        domain.padded(s)
        for n in range(domain.min_length, domain.max_length + 1)
        for s in itertools.product(domain.tokens, repeat=n)
    ]
    words = np.array(parts, dtype=np.int16).reshape(len(parts), domain.max_length)
    return Labelled(words, np.array([labels.index(teacher(domain.unpadded(w))) for w in words]))


def prove(search: ProgramSearch, truth: Labelled, rounds: int = 60) -> Candidate | None:
    """The caller's side of the loop, with enumeration as the prover."""
    for _ in range(rounds):
        candidate = search.best()
        if candidate is None:
            return None
        wrong = np.flatnonzero(candidate.evaluate(truth.words) != truth.labels)
        if len(wrong) == 0:
            return candidate
        search.refine(truth.take(wrong[:1]))
    raise AssertionError("the loop does not end")


def brackets() -> tuple[Labelled, Domain, tuple[str, str]]:
    domain = Domain(("[", "]", ","), 8, 8)
    words = np.array(list(itertools.product(range(3), repeat=8)), dtype=np.int16)
    depth = np.cumsum((words == 0).astype(int) - (words == 1), axis=1)
    kept = (depth.min(axis=1) >= 0) & (depth.max(axis=1) <= 2) & (depth[:, -1] >= 1)
    assert kept.sum() == 696
    return Labelled(words[kept], depth[kept, -1] - 1), domain, ("]", "]]")


def quotes() -> tuple[Labelled, Domain, tuple[str, str]]:
    domain = Domain(("'", '"', ",", "a", "="), 8, 8)
    words = np.array(list(itertools.product(range(5), repeat=8)), dtype=np.int16)
    words = words[(words < 2).sum(axis=1) == 1]
    return Labelled(words, (words == 1).any(axis=1).astype(np.int64)), domain, ("'", '"')


def test_quote_closing_is_membership() -> None:
    truth, domain, labels = quotes()
    found = prove(ProgramSearch(SearchProblem.of(truth, domain, labels)), truth)
    assert (
        found is not None
        and found.source("close_quote").splitlines()[1] == """    return "'" if "'" in tokens else '"'"""
    )


def test_bracket_depth_is_a_difference_of_counts() -> None:
    truth, domain, labels = brackets()
    found = prove(ProgramSearch(SearchProblem.of(truth, domain, labels)), truth)
    assert found is not None and found.template == "count_difference"
    assert (
        found.source("depth").splitlines()[1]
        == '    return "]]" if tokens.count("[") - tokens.count("]") >= 2 else "]"'
    )


def test_short_programs_come_first_and_each_behaviour_once() -> None:
    truth, domain, labels = quotes()
    sample = truth.take(np.random.default_rng(0).choice(len(truth), 600, replace=False))
    found = synthesise(SearchProblem.of(sample, domain, labels))
    assert [c.key for c in found] == sorted(c.key for c in found)
    behaviours = {c.evaluate(sample.words).tobytes() for c in found}
    assert len(behaviours) == 1 and len(found) == 1  # all that is consistent does the same here


def test_counterexamples_lead_from_few_examples_to_the_truth() -> None:
    domain, labels = Domain(tuple("abcd"), 7, 7), (False, True)
    truth = everything(domain, lambda t: t.count("a") >= 4, labels)
    search = ProgramSearch(SearchProblem.of(truth, domain, labels), start=3, seed=1)
    found = prove(search, truth)
    assert found is not None and found.source("f").splitlines()[-1] == '    return tokens.count("a") >= 4'
    assert len(search.known) < 60 and search.refuted
    for refutation in search.refuted:
        given = refutation.candidate.evaluate(refutation.counterexamples.words)
        assert (given != refutation.counterexamples.labels).any()
        assert Program.from_source(refutation.candidate.source("f"))


def test_counterexamples_from_outside_the_examples_are_learnt_too() -> None:
    """The caller may know inputs that the search was not given; even the last resort learns from them."""
    domain, labels = Domain(tuple("abc"), 7, 7), (0, 1)
    step = {"a": (1, 2, 0), "b": (2, 1, 0), "c": (0, 0, 1)}

    def teacher(tokens: tuple[str, ...]) -> int:
        state = 0
        for token in tokens:
            state = step[token][state]
        return int(state == 2)

    truth = everything(domain, teacher, labels)
    part = truth.take(np.random.default_rng(0).choice(len(truth), 30, replace=False))
    search = ProgramSearch(SearchProblem.of(part, domain, labels), start=5)
    found = prove(search, truth, rounds=len(truth))
    assert found is not None and found.template == "state_machine"
    assert len(search.known) > 5 and search.refuted


def test_a_feature_with_two_labels_for_one_value_is_out() -> None:
    values = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [-3, 5, 7, 7], [-3, 7, 7, 5]])
    assert consistent(values, np.array([0, 0, 1, 1]), 2).tolist() == [True, False, True, False]


def test_refine_filters_candidates() -> None:
    domain, labels = Domain(tuple("abc"), 4, 4), (False, True)
    truth = everything(domain, lambda t: t[0] == "a", labels)
    few = truth.take(np.array([0, 40, 80]))
    many = synthesise(SearchProblem.of(few, domain, labels), words=truth.words)
    kept = refine(many, truth)
    assert 0 < len(kept) < len(many)
    assert all((c.evaluate(truth.words) == truth.labels).all() for c in kept)


def test_a_refutation_must_refute() -> None:
    truth, domain, labels = quotes()
    search = ProgramSearch(SearchProblem.of(truth, domain, labels))
    assert search.best() is not None
    with pytest.raises(ValueError, match="do not refute"):
        search.refine(truth.take(np.array([0])))
    with pytest.raises(ValueError, match="needs a counterexample"):
        search.refine(truth.take(np.array([], dtype=int)))


def test_programs_always_return_labels() -> None:
    """Few examples suggest `return tokens.count("a")`; with other counts around that is no label, so it is
    not offered.
    """
    domain, labels = Domain(("a", "b"), 4, 4), (1, 2)
    truth = everything(domain, lambda t: 1 if t.count("a") <= 1 else 2, labels)
    for seed in range(5):
        search = ProgramSearch(SearchProblem.of(truth, domain, labels), start=2, seed=seed)
        assert all((c.evaluate(truth.words) >= 0).all() for c in search.candidates())
        while (candidate := search.best()) is not None:
            assert (candidate.evaluate(truth.words) >= 0).all()
            wrong = np.flatnonzero(candidate.evaluate(truth.words) != truth.labels)
            if len(wrong) == 0:
                break
            search.refine(truth.take(wrong[:1]))
        assert candidate is not None


def test_one_label_is_a_constant() -> None:
    domain, labels = Domain(("a", "b"), 0, 3, pad="_"), ("x", "y")
    truth = everything(domain, lambda t: "y", labels)
    found = ProgramSearch(SearchProblem.of(truth, domain, labels)).best()
    assert found is not None and found.source("f") == 'def f(tokens):\n    return "y"\n'


def test_types_of_labels_are_kept() -> None:
    domain = Domain(("a", "b"), 3, 3)
    for labels, text in (
        ((False, True), 'return "a" in tokens'),
        ((0, 1), 'return 1 if "a" in tokens else 0'),
    ):
        truth = Labelled(
            everything(domain, lambda t: "ab"["a" in t], ("a", "b")).words,
            everything(domain, lambda t: "a" in t, (False, True)).labels,
        )
        found = prove(ProgramSearch(SearchProblem.of(truth, domain, labels)), truth)
        assert found is not None and found.source("f").splitlines()[-1].strip() == text


@pytest.mark.parametrize("seed", range(8))
def test_small_machines_are_nearly_always_found(seed: int) -> None:
    """Random machines of two or three states over three tokens, from labels on all words of seven tokens."""
    rng = np.random.default_rng(seed)
    states = 2 + seed % 2
    step, final = rng.integers(0, states, (states, 3)), rng.permutation(states) == 0
    domain, labels = Domain(tuple("abc"), 7, 7), ("no", "yes")

    def teacher(tokens: tuple[str, ...]) -> str:
        state = 0
        for token in tokens:
            state = step[state, "abc".index(token)]
        return labels[int(final[state])]

    truth = everything(domain, teacher, labels)
    found = prove(ProgramSearch(SearchProblem.of(truth, domain, labels)), truth)
    assert found is not None
    namespace: dict = {}
    exec(found.source("f"), namespace)
    assert all(
        namespace["f"](domain.unpadded(w)) == labels[y]
        for w, y in zip(truth.words, truth.labels, strict=True)
    )


def test_learnt_machines_are_minimal_and_right() -> None:
    domain, labels = Domain(tuple("ab"), 0, 7, pad="_"), (0, 1, 2)
    truth = everything(domain, lambda t: (t.count("a") + 2 * t.count("b")) % 3, labels)
    machines = learn_machines(truth, 2)
    assert len(machines) == 1 and machines[0].step.shape == (3, 2)
    final = machines[0].run(truth.words)
    assert len({(int(s), int(y)) for s, y in zip(final, truth.labels, strict=True)}) == 3


def test_random_labels_become_a_table() -> None:
    """The last resort always ends, and is exact."""
    domain, labels = Domain(tuple("abcd"), 5, 5), (0, 1)
    truth = everything(domain, lambda t: 0, labels)
    noise = Labelled(truth.words, np.random.default_rng(0).integers(0, 2, len(truth)))
    found = prove(ProgramSearch(SearchProblem.of(noise, domain, labels)), noise)
    assert found is not None and (found.way, found.template) == ("automaton", "table")
    program = Program.from_source(found.source("noise"))
    for word, label in list(zip(noise.words, noise.labels, strict=True))[::3]:
        assert program(domain.unpadded(word)) == labels[label]


def test_ten_thousand_features_in_seconds() -> None:
    domain, labels = Domain(tuple("abcdefghijklm"), 6, 6), (False, True)
    rng = np.random.default_rng(0)
    words = rng.integers(0, 13, (10_000, 6)).astype(np.int16)
    truth = Labelled(words, ((words == 3).sum(axis=1) > (words == 8).sum(axis=1)).astype(np.int64))
    search = ProgramSearch(SearchProblem.of(truth, domain, labels))
    answers: list[Candidate | None] = []
    assert calls(lambda: answers.append(prove(search, truth))) < 2_500_000
    (found,) = answers
    assert search.instances > 10_000
    assert (
        found is not None
        and found.source("f").splitlines()[-1] == '    return tokens.count("d") - tokens.count("i") > 0'
    )


def test_no_examples_and_unknown_templates_are_errors() -> None:
    domain = Domain(("a",), 1, 1)
    with pytest.raises(InputError, match="no examples"):
        none = Labelled(np.zeros((0, 1), dtype=np.int16), np.zeros(0, dtype=np.int64))
        ProgramSearch(SearchProblem.of(none, domain, ("x",)))
    one = Labelled(np.zeros((1, 1), dtype=np.int16), np.zeros(1, dtype=np.int64))
    with pytest.raises(InputError, match="no template 'magic'"):
        synthesise(SearchProblem.of(one, domain, ("x",)), templates=["magic"])


@pytest.mark.parametrize("value", ["a", "'", '"', "'\"", "\\", "\n", "", "ß", True, 0, -3])
def test_literals_read_back(value: object) -> None:
    back = eval(literal(value))
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize(
    "task,name",
    [
        ("close quote", "close_quote"),
        ("3-way", "task_3_way"),
        ("", "program"),
        ("__", "program"),
        ("if", "task_if"),
        ("tokens", "task_tokens"),
        *((built_in, f"task_{built_in}") for built_in in BUILTINS),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}bs", "task_abs"),
        ("a\N{SUPERSCRIPT TWO}", "a2"),
        ("a\N{BENGALI CURRENCY NUMERATOR ONE}", "a"),
        ("\N{LATIN SMALL LIGATURE FI}t", "fit"),
    ],
)
def test_task_names_become_identifiers(task: str, name: str) -> None:
    assert function_name(task) == name
    assert Program.from_source(function(("return len(tokens)",), task)).name == name


@pytest.mark.parametrize("doc", ["Plain.", 'ends in "', 'has """ inside', "back\\slash", "two\nlines"])
def test_docstrings_do_not_break_the_source(doc: str) -> None:
    source = function(("return 1",), "f", doc)
    namespace: dict = {}
    exec(source, namespace)
    assert namespace["f"](()) == 1 and source.count("\n") == 3
    assert docstring(doc) in source


def test_length_counts_what_a_reader_reads() -> None:
    short, long = (
        'def f(tokens):\n    return "a" in tokens\n',
        'def f(tokens):\n    return tokens.count("a") > 0\n',
    )
    documented = 'def f(tokens):\n    """Doc."""\n    return "a" in tokens\n'
    assert description_length(short) < description_length(long)
    assert description_length(short) == description_length(documented)
    assert rank_key(short) < rank_key(long)
