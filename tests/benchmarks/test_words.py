"""Random and extreme words against listing all words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.benchmarks.words import Walks, border
from relucid.models.automata.automaton import Automaton
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program

SOURCE = """
def label(tokens):
    depth = 0
    for t in tokens:
        if t == "(":
            depth = min(depth + 1, 2)
        elif t == ")":
            depth = max(depth - 1, 0)
    return depth


def inside(tokens):
    return tokens.count("a") <= 3
"""


def language(shortest: int = 5, where: bool = True) -> Automaton:
    predicate = Program(SOURCE, "inside") if where else None
    domain = Domain(("(", ")", "a"), shortest, 5, "_" if shortest < 5 else None, predicate)
    return build_language(domain, Program(SOURCE, "label"), (0, 1, 2))


def listed(automaton: Automaton) -> dict[tuple[int, ...], int]:
    return {
        tuple(map(int, w)): int(y)
        for words, labels in automaton.words()
        for w, y in zip(words, labels, strict=True)
    }


@pytest.mark.parametrize("shortest", [5, 2])
def test_sampled_words_are_words_of_the_language(shortest: int) -> None:
    automaton = language(shortest).restricted(1)
    known = listed(automaton)
    words = Walks(automaton).varied(np.random.default_rng(0), 300)
    assert words.shape == (300, 5)
    assert all(tuple(w) in known for w in words.tolist())
    assert len({tuple(w) for w in words.tolist()}) > len(known) // 3


def test_without_tilts_every_word_is_equally_likely() -> None:
    automaton = language().restricted(0)
    known = listed(automaton)
    drawn = Walks(automaton).uniform(np.random.default_rng(1), 200 * len(known))
    counts = np.array([np.all(drawn == np.array(w), axis=1).sum() for w in known])
    assert counts.sum() == len(drawn)
    assert abs(counts - 200).max() < 6 * 200**0.5


def test_a_tilt_makes_its_symbol_common() -> None:
    walks = Walks(language(where=False))
    words = walks.sample(np.random.default_rng(2), 400, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]))
    share = (words == 2).mean(axis=1)
    assert abs(share[:400].mean() - 1 / 3) < 0.05  # all words: each symbol is as likely
    assert abs(share[400:].mean() - np.exp(3) / (np.exp(3) + 2)) < 0.03


def test_best_words_have_the_largest_value() -> None:
    automaton = language(2).restricted(2)
    weights = np.random.default_rng(3).standard_normal((20, 5, automaton.symbol_count))
    best = Walks(automaton).best(weights)
    every = np.array(list(listed(automaton)))
    for function, word in zip(weights, best, strict=True):
        values = function[np.arange(5), every].sum(axis=1)
        assert function[np.arange(5), word].sum() == pytest.approx(values.max())


@pytest.mark.parametrize("label", [0, 1, 2])
def test_the_border_is_what_one_change_takes_to_another_label(label: int) -> None:
    automaton = language()
    known = listed(automaton)
    near = set()
    for word, own in known.items():
        for t, symbol in itertools.product(range(5), range(3)):
            other = known.get((*word[:t], symbol, *word[t + 1 :]))
            if own == label and other not in (None, own):
                near.add(word)
    assert near  # and not all of them: aaa at the front leaves little to change
    assert set(listed(border(automaton, label))) == near


def test_a_border_that_would_be_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relucid.benchmarks.words.BORDER_EDGES", 3)
    assert border(language(), 1).empty
