"""The steps of fitting: corrections hit only their inputs, rounding keeps the function it says, built
networks run the automaton.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.automata.layered import smallest_layered
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.surrogates import correct
from relucid.models.surrogates.correct import _grown, boxes_for, corrected
from relucid.models.surrogates.one_hot import one_hot_network
from relucid.models.surrogates.quantise import decide, outputs_of, pruned, quantised


def every_word(symbols: int, length: int) -> np.ndarray:
    return np.array(list(itertools.product(range(symbols), repeat=length)), dtype=np.int16).reshape(
        symbols**length, length
    )


@pytest.mark.parametrize("seed", range(4))
def test_corrections_fix_the_wrong_inputs_and_no_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    domain = Domain(("a", "b", "c"), 4, 4, prefix=("<",))
    words = every_word(3, 4)
    ids = domain.ids(words)
    layers = [
        (rng.integers(-3, 4, (5, domain.input_size)), rng.integers(-2, 3, 5)),
        (rng.integers(-2, 3, (4, 5)), np.zeros(4)),
    ]
    layers += [(rng.integers(-2, 3, (3, 4)), np.zeros(3))]
    labels = decide(layers, ids)
    wrong = rng.choice(len(words), 9, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    boxes = boxes_for(wrong, words, labels, 3, limit=9)
    assert boxes is not None and len(boxes) <= 9
    for box in boxes:
        assert (labels[box.contains(words)] == box.label).all()
    assert (np.any([box.contains(words) for box in boxes], axis=0)[wrong]).all()
    assert (decide(corrected(layers, boxes, Labelled(words, labels), ids, 1), ids) == labels).all()


def test_one_box_corrects_many_inputs_that_share_places() -> None:
    words = every_word(3, 5)
    labels = ((words[:, 0] == 1) & (words[:, 3] != 2)).astype(np.int64)
    boxes = boxes_for(np.flatnonzero(labels == 1), words, labels, 3, limit=3)
    assert boxes is not None and len(boxes) == 1 and boxes[0].positions == [0, 3]


def test_too_many_corrections_are_refused() -> None:
    words = every_word(2, 6)
    labels = words.sum(axis=1) % 2
    assert boxes_for(np.flatnonzero(labels), words, labels, 2, limit=31) is None
    assert len(boxes_for(np.flatnonzero(labels), words, labels, 2, limit=32) or []) == 32


def test_fine_rounding_keeps_the_decisions_and_pruning_the_outputs() -> None:
    rng = np.random.default_rng(0)
    domain = Domain(("a", "b", "c"), 5, 5)
    ids = domain.ids(every_word(3, 5))
    layers = [(rng.normal(size=(6, 15)), rng.normal(size=6)), (rng.normal(size=(3, 6)), rng.normal(size=3))]
    before = decide(layers, ids)
    used = np.ones((5, 3), dtype=bool)
    rounded = list(quantised(layers, used, ids, before))
    errors = [int((decide(r, ids) != before).sum()) for r in rounded]
    assert errors[-1] <= len(ids) // 50 and errors[0] > errors[-1]
    assert all(
        (w * 4 == np.round(w * 4)).all() and (b * 4 == np.round(b * 4)).all() for r in rounded for w, b in r
    )
    dead = [(np.concatenate([w, np.zeros((1, 15))]), np.append(b, 2.0)) for w, b in rounded[-1][:1]]
    dead += [(np.concatenate([rounded[-1][1][0], np.ones((3, 1))], axis=1), rounded[-1][1][1])]
    assert (outputs_of(pruned(dead), ids) == outputs_of(dead, ids)).all()
    assert len(pruned(dead)[0][1]) == 6


@pytest.mark.parametrize("seed", range(6))
def test_built_networks_run_their_automaton(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states, tokens, longest = int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(1, 6))
    step, out = rng.integers(0, states, (states, tokens)), rng.integers(0, 3, states)
    domain = Domain(tuple("abc"[:tokens]), 0, longest, pad="_", prefix=("<",), suffix=("a",))
    rows, labels = [], []
    for n in range(longest + 1):
        for word in itertools.product(range(tokens), repeat=n):
            state = 0
            for symbol in word:
                state = step[state, symbol]
            rows.append((*word, *[tokens] * (longest - n)))
            labels.append(out[state])
    keep = rng.permutation(len(rows))[: max(1, 3 * len(rows) // 4)]  # a part of all words: don't-cares
    labelled = Labelled(np.array(rows, dtype=np.int16)[keep], np.array(labels, dtype=np.int64)[keep])
    layered = smallest_layered(labelled, tokens + 1, 10**6)
    assert layered is not None
    network = one_hot_network(layered.automaton(tokens + 1), domain, np.eye(3, dtype=np.int64))
    decision = Decision("argmax", (0, 1, 2))
    assert (decision.decide(network.evaluate(domain.one_hot(labelled.words))) == labelled.labels).all()
    assert (
        smallest_layered(labelled, tokens + 1, 1) is None
        or len(layered.finals) + sum(len(t) for t in layered.tables) == 1
    )


def test_hopeless_corrections_are_left_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels drawn by chance on 2**14 inputs: not worth a thousand boxes, which take the better part of a
    minute on 2**17.
    """
    words = every_word(2, 14)
    labels = np.random.default_rng(0).integers(0, 2, len(words))
    grown = []
    monkeypatch.setattr(correct, "_grown", lambda *given: grown.append(given) or _grown(*given))
    assert boxes_for(np.flatnonzero(labels), words, labels, 2, limit=256) is None
    assert len(grown) == 2 * correct.TRIED


def test_many_boxes_are_found_where_they_suffice() -> None:
    words = every_word(2, 10)
    labels = np.zeros(len(words), dtype=np.int64)
    wrong = np.random.default_rng(0).choice(len(words), 150, replace=False)
    labels[wrong] = 1
    boxes = boxes_for(wrong, words, labels, 2, limit=1024)
    assert boxes is not None and correct.TRIED < len(boxes) <= 150
    assert (np.any([box.contains(words) for box in boxes], axis=0) == (labels == 1)).all()
