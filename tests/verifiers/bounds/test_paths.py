"""Maximal paths against all words: masks, many functions, automata that are not deterministic, averages."""

from __future__ import annotations

import numpy as np
import pytest
from random_claims import random_claim
from relucid.models.automata.automaton import Automaton
from relucid.verifiers.bounds.paths import Paths


def all_words(language: Automaton) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Words with the states that they pass."""
    runs = [((), (s,)) for s in range(language.layer_sizes[0])]
    for layer in language.edges:
        runs = [((*w, s), (*p, n)) for w, p in runs for q, s, n in layer if q == p[-1]]
    return runs


@pytest.mark.parametrize("seed", range(30))
def test_best_is_the_best_of_all_words(seed: int) -> None:
    language = random_claim(seed).language
    paths, rng = Paths.of(language), np.random.default_rng(seed)
    weights = rng.integers(-9, 10, size=(language.length, language.symbol_count, 7)).astype(float)
    weights[rng.random(weights.shape) < 0.2] = -np.inf
    states = np.where(rng.random((language.length + 1, paths.width, 7)) < 0.1, -np.inf, 0.0)
    for mask in (None, states):
        found, words, passed = paths.best(weights, mask)
        again = paths.best(weights, mask, trace=False)[0]
        for f in range(7):
            values = {}
            for word, run in all_words(language):
                value = sum(weights[t, s, f] for t, s in enumerate(word))
                values[word, run] = value + (
                    0 if mask is None else sum(mask[t, q, f] for t, q in enumerate(run))
                )
            assert found[f] == again[f] == max(values.values())
            if np.isfinite(found[f]):
                assert values[tuple(map(int, words[f])), tuple(map(int, passed[f]))] == found[f]


@pytest.mark.parametrize("seed", range(10))
def test_averages_are_those_of_the_words_that_pass(seed: int) -> None:
    language = random_claim(seed).language
    weights = np.random.default_rng(seed).normal(size=(language.length, language.symbol_count, 3))
    averages = Paths.of(language).averages(weights)
    runs = all_words(language)
    for t, size in enumerate(language.layer_sizes):
        for state in range(size):
            mine = [sum(weights[i, s] for i, s in enumerate(w)) for w, p in runs if p[t] == state]
            np.testing.assert_allclose(
                averages[t][state], np.mean(mine, axis=0) if language.length else 0, atol=1e-9
            )


def test_two_edges_with_one_symbol() -> None:
    """Which of the two a run takes is decided by what follows."""
    language = Automaton(2, (1, 2, 1), (((0, 0, 0), (0, 0, 1)), ((0, 0, 0), (1, 1, 0))), (0,))
    weights = np.zeros((2, 2, 2))
    weights[1, 0], weights[1, 1] = [5, 1], [2, 8]
    best, words, _ = Paths.of(language).best(weights)
    assert best.tolist() == [5, 8] and words.tolist() == [[0, 0], [0, 1]]
