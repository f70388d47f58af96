"""Which neuron is split, with scripted looks ahead."""

from __future__ import annotations

import numpy as np
from relucid.verifiers.engines.boxes.pseudo_costs import RELIABLE, PseudoCosts


def looks(margins):
    asked = []

    def look(neuron, side):
        asked.append((neuron, side))
        return margins[neuron][side]

    return look, asked


def test_the_best_product_wins():
    look, asked = looks({3: (0.0, 9.0), 5: (6.0, 6.0), 8: (9.5, 9.5)})
    neurons, shares = np.array([3, 5, 8]), np.full((2, 3), 0.5)
    assert PseudoCosts(10).best(neurons, shares, 10.0, look) == 1 and len(asked) == 6


def test_nobody_else_is_asked_where_both_halves_are_over():
    look, asked = looks({3: (-1.0, -np.inf), 5: (0.0, 0.0)})
    assert PseudoCosts(10).best(np.array([3, 5]), np.array([[0.5, 0.4], [0.5, 0.4]]), 10.0, look) == 0
    assert asked == [(3, 0), (3, 1)]


def test_what_is_known_well_is_not_looked_at_and_counts_by_the_share():
    costs = PseudoCosts(10)
    for neuron, gain in ((3, 1.0), (5, 2.0)):
        for _ in range(RELIABLE):
            for side in (0, 1):
                costs.learn(neuron, side, gain, 0.5)
    look, asked = looks({})
    neurons = np.array([3, 5])
    assert costs.best(neurons, np.full((2, 2), 0.5), 10.0, look) == 1
    assert costs.best(neurons, np.array([[0.5, 0.1], [0.5, 0.1]]), 10.0, look) == 0 and not asked


def test_a_look_that_tells_nothing_gains_nothing():
    look, _ = looks({3: (np.inf, np.inf), 5: (9.0, 9.0)})
    assert PseudoCosts(10).best(np.array([3, 5]), np.full((2, 2), 0.5), 10.0, look) == 1
