"""What does not matter: words are changed in that only, and expressions that see it are left out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.search.expressions.bank import ExpressionBank
from relucid.search.expressions.focus import changed_words
from relucid.search.findings import findings
from relucid.search.problem import SearchProblem
from relucid.search.synthesise import ProgramSearch

TOKENS = ("a", "b", "c")
FOCUSED = {
    "the order": 'str(tokens.count("a") % 2)',
    "all but the last two": 'tokens[-2] if len(tokens) > 1 else "a"',
    "all but the first": 'tokens[0] if tokens[0] != "b" else "a"',
}


def problem_of(expression: str) -> SearchProblem:
    program = Program.from_source(f"def f(tokens):\n    return {expression}\n", "f")
    domain = Domain(TOKENS, 1, 5, pad="_")
    words = [w for n in range(1, 6) for w in itertools.product(TOKENS, repeat=n)]
    values = [program(w) for w in words]
    labels = tuple(sorted(set(values)))
    padded = np.array([domain.padded(w) for w in words], dtype=np.int16)
    return SearchProblem(TOKENS, 1, 5, labels, Labelled(padded, np.array([labels.index(v) for v in values])))


@pytest.mark.parametrize("what", FOCUSED)
def test_changed_words_have_the_same_lengths_and_labels(what: str) -> None:
    problem = problem_of(FOCUSED[what])
    words, labels = problem.examples.words, problem.examples.labels
    changed = changed_words(findings(problem, whole=True), words, problem.size)
    assert changed is not None
    assert ((changed < problem.size) == (words < problem.size)).all()
    assert (changed != words).any(axis=1).mean() > 0.4
    label_of = {w.tobytes(): y for w, y in zip(words, labels, strict=True)}
    assert [label_of[w.astype(np.int16).tobytes()] for w in changed] == labels.tolist()


def test_expressions_that_see_what_does_not_matter_are_left_out() -> None:
    problem = problem_of(FOCUSED["the order"])
    words = problem.examples.words
    whole = ExpressionBank(problem, words)
    focused = ExpressionBank(
        problem, words, changed_words(findings(problem, whole=True), words, problem.size)
    )
    texts = [{e.text for k in bank.kinds.values() for e in k.expressions} for bank in (whole, focused)]
    assert 'tokens.count("a")' in texts[1] and "tokens[0]" in texts[0] and "tokens[0]" not in texts[1]
    assert len(texts[1]) < len(texts[0]) / 2


def test_nothing_is_known_to_be_of_no_matter() -> None:
    problem = problem_of('"a" if tokens[0] == tokens[-1] else "b"')
    assert changed_words(findings(problem, whole=True), problem.examples.words, problem.size) is None


def test_sets_of_tokens_that_labels_do_not_tell_apart() -> None:
    """Four vowels among sixteen letters: no list of small sets has them."""
    letters = tuple("abcdefghijklmnop")
    words = np.array(list(itertools.product(range(16), repeat=2)), dtype=np.int16)
    vowels = np.isin(words, [letters.index(v) for v in "aeio"]).sum(axis=1)
    problem = SearchProblem(letters, 2, 2, ("0", "1", "2"), Labelled(words, vowels))
    best = ProgramSearch(problem).best()
    assert best is not None and best.description_length <= 20, best and best.source()
