"""Folding by alignment: the machine behind a layered automaton is found where its middle layers are copies of
it.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.search.ways.align import aligned
from relucid.search.ways.learn import learn_machines


def truth_of(step: np.ndarray, labels: np.ndarray, length: int) -> Labelled:
    words = np.array(list(itertools.product(range(step.shape[1]), repeat=length)), dtype=np.int16)
    state = np.zeros(len(words), dtype=np.int64)
    for t in range(length):
        state = step[state, words[:, t]]
    return Labelled(words, labels[state])


@pytest.mark.parametrize("states", [5, 7, 9])
def test_machines_too_large_for_backtracking_are_found(states: int) -> None:
    """Up, reset and jump on a ring, from the labels of the last states alone; as few states as there are,
    right on every word.
    """
    ring = np.arange(states)
    step = np.stack([(ring + 1) % states, np.where(ring > 2, 0, ring), (states - 1 - ring)], axis=1)
    labels = (ring == 0) + 2 * (ring == 3)
    truth = truth_of(step, labels, 9)
    (machine,) = learn_machines(truth, 3)
    assert len(machine.step) == states
    pairs = np.unique(np.stack([machine.run(truth.words), truth.labels], axis=1), axis=0)
    assert len(np.unique(pairs[:, 0])) == len(pairs)
    longer = truth_of(step, labels, 11)  # the machine itself was found, not only what the words show of it
    pairs = np.unique(np.stack([machine.run(longer.words), longer.labels], axis=1), axis=0)
    assert len(np.unique(pairs[:, 0])) == len(pairs)


def test_layers_that_are_no_copies_give_nothing() -> None:
    one = np.array([[0, 1], [1, 0]])
    other = np.zeros((2, 2), dtype=int)
    assert (
        list(aligned([one, other, one])) == []
        and list(aligned([one])) == []
        and list(aligned([one[:1], one[:1]])) == []
    )


def test_equal_layers_are_their_own_copies() -> None:
    one = np.array([[0, 1], [1, 0]])
    found = list(aligned([one, one, one, one]))
    assert any((table == one).all() for table in found)
