"""Every template, by the registry: it finds its own example from labels alone, and its Python is
its arrays.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.candidate import Candidate, read_feature
from relucid.search.families import all_families, all_templates
from relucid.search.problem import SearchProblem
from relucid.search.reading import readings
from relucid.search.synthesise import synthesise

DOMAINS = {
    "abc6": Domain(("a", "b", "c"), 6, 6),
    "abcd2-4": Domain(("a", "b", "c", "d"), 2, 4, pad="_"),
    "odd words": Domain(("'", '"', "\\", ""), 1, 4, pad="none"),
    "one token": Domain(("a",), 0, 3, pad="_"),
    "single place": Domain(("a", "b"), 1, 1),
}


def words_of(domain: Domain) -> np.ndarray:
    parts = [
        domain.padded(s)
        for n in range(domain.min_length, domain.max_length + 1)
        for s in itertools.product(domain.tokens, repeat=n)
    ]
    return np.array(parts, dtype=np.int16).reshape(len(parts), domain.max_length)


def run_python(source: str) -> Callable[[tuple[str, ...]], object]:
    """The one function in a source text, under CPython."""
    names: dict[str, Callable[[tuple[str, ...]], object]] = {}
    exec(source, names)
    return names[next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))]


def taught(source: str, domain: Domain) -> tuple[Labelled, tuple]:
    teacher = run_python(source)
    words = words_of(domain)
    values = [teacher(domain.unpadded(w)) for w in words]
    labels = tuple(dict.fromkeys((type(v), v) for v in values))
    return Labelled(words, np.array([labels.index((type(v), v)) for v in values])), tuple(
        v for _, v in labels
    )


def assert_same(candidate: Candidate, domain: Domain, labels: tuple, words: np.ndarray) -> None:
    """CPython, our interpreter and the arrays say the same on these words."""
    source = candidate.source("task", "One line.")
    function, program = run_python(source), Program.from_source(source)
    for word, index in zip(words, candidate.evaluate(words), strict=True):
        sequence = domain.unpadded(word)
        value = function(sequence)
        assert program(sequence) == value and type(program(sequence)) is type(value)
        if index >= 0:
            assert type(value) is type(labels[index]) and value == labels[index], (source, sequence)
        else:
            assert not any(type(value) is type(y) and value == y for y in labels), (source, sequence)


@pytest.mark.parametrize("name", all_templates())
def test_a_template_finds_its_example(name: str) -> None:
    module = all_templates()[name]
    assert module.__doc__ and module.EXAMPLE.strip().startswith("def ")
    for domain in (DOMAINS["abc6"], DOMAINS["abcd2-4"]):
        labelled, labels = taught(module.EXAMPLE, domain)
        found = synthesise(SearchProblem.of(labelled, domain, labels), templates=[name])
        assert found, f"{name} does not find its own example"
        assert found[0].template == name
        assert (found[0].evaluate(labelled.words) == labelled.labels).all()
        assert_same(found[0], domain, labels, labelled.words[::7])


@pytest.mark.parametrize("name", all_templates())
def test_a_template_is_needed_for_its_example(name: str) -> None:
    """With all templates at hand nothing longer than the template's own answer comes first."""
    domain = DOMAINS["abcd2-4"]
    labelled, labels = taught(all_templates()[name].EXAMPLE, domain)
    alone, best = (
        synthesise(SearchProblem.of(labelled, domain, labels), templates=t)[0] for t in ([name], None)
    )
    assert best.key <= alone.key


@pytest.mark.parametrize("where", DOMAINS)
@pytest.mark.parametrize("name", all_templates())
def test_python_and_arrays_agree(name: str, where: str) -> None:
    """Every family of every template, random features, labels of every type given to random values of the
    feature.
    """
    domain = DOMAINS[where]
    rng = np.random.default_rng(len(name) * 31 + len(where))
    words = words_of(domain)
    chosen = words[rng.permutation(len(words))[:24]]
    for labels in ((True, False), ("x", "y", "z"), (0, 1, 2), (*domain.tokens, "none")):
        count = min(len(labels), 3)
        examples = Labelled(words, np.array([len(set(w.tolist())) % count for w in words]))
        problem = SearchProblem.of(examples, domain, labels)
        for family in all_families(problem, [name]):
            for row in rng.choice(family.size, min(1, family.size), replace=False):
                values = family.evaluate(words, np.array([row]))[0]
                low = int(values.min())
                given = {
                    "random": {int(v): int(rng.integers(count)) for v in np.unique(values)},
                    "ordered": {int(v): min(int(v) - low, count - 1) for v in np.unique(values)},
                    "tokens": {int(v): int(v) if v < len(labels) else 0 for v in np.unique(values)},
                }
                for meaning in given.values():
                    if any(not 0 <= y < len(labels) for y in meaning.values()):
                        continue
                    targets = np.array([meaning[int(v)] for v in values])
                    for reading in readings(family, int(row), problem, values, targets):
                        candidate = read_feature(family, int(row), reading)
                        assert (candidate.evaluate(words) == targets).all(), candidate.source()
                        assert_same(candidate, domain, labels, chosen)


def test_unseen_values_read_alike_too() -> None:
    """Readings inferred from few values still agree with their text on all others."""
    domain = DOMAINS["abc6"]
    labelled, labels = taught("def f(t):\n    return min(t.count('a'), 2)", domain)
    few = labelled.take(np.array([0, 1, 364, 700, 728]))
    found = synthesise(SearchProblem.of(few, domain, labels), words=labelled.words)
    assert len(found) > 20
    for candidate in found[::5]:
        assert_same(candidate, domain, labels, labelled.words[::29])
