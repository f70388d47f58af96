"""Bounds and the reduced network against every word of small languages."""

from __future__ import annotations

import time

import numpy as np
import pytest
from random_claims import random_claim, words_of
from relucid.encoders import bounds
from relucid.encoders.presolve import reduced
from relucid.models.automata.automaton import Automaton
from relucid.models.automata.extremes import maxima
from relucid.models.claims.domain import Domain
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward

AB = Domain(("a", "b"), 2, 2)
EVERYTHING = Automaton(2, (1, 1, 1), (((0, 0, 0), (0, 1, 0)),) * 2, (0,))


def indicators(language: Automaton, word: tuple[int, ...]) -> np.ndarray:
    out = np.zeros((language.length, language.symbol_count), dtype=object)
    for t, symbol in enumerate(word):
        out[t, symbol] = 1
    return out.reshape(-1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("large", [1, 2**80])
def test_maxima_are_attained_maxima(seed: int, large: int) -> None:
    claim = random_claim(seed)
    rng = np.random.default_rng(seed)
    weights = integer_array(
        rng.integers(-9, 10, size=(5, claim.language.length, claim.language.symbol_count)).astype(object)
        * large
    )
    flat = weights.reshape(5, -1).astype(object)
    want = [max(int(row @ indicators(claim.language, w)) for w in words_of(claim)) for row in flat]
    assert [int(v) for v in maxima(claim.language, weights)] == want


@pytest.mark.parametrize("seed", range(40))
def test_a_reduced_network_is_the_network_within_its_bounds(seed: int) -> None:
    claim = random_claim(seed)
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if language.empty:
            continue
        small = reduced(claim.network, claim.domain, language)
        low, high = small.bounds(small.outputs)
        seen: dict[int, list[int]] = {j: [] for j in range(len(small.relus))}
        for word in (w for w, y in words_of(claim).items() if y == label):
            x, outputs = indicators(language, word), np.array([], dtype=object)
            for j, relu in enumerate(small.relus):
                value = int(relu.symbols @ x) + int(relu.relus @ outputs[: len(relu.relus)]) + relu.constant
                assert relu.lower <= value <= relu.upper
                seen[j].append(value)
                outputs = np.append(outputs, max(0, value))
            got = (
                small.outputs.symbols @ x
                + small.outputs.widened(len(outputs)) @ outputs
                + small.outputs.constant
            )
            want = claim.network.evaluate(claim.domain.one_hot(np.array([word])))[0]
            assert [int(v) for v in got] == [int(v) for v in want]
            assert all(int(a) <= int(v) <= int(b) for a, v, b in zip(low, got, high, strict=True))
        first = min((r.layer for r in small.relus), default=0)
        for j, relu in enumerate(small.relus):
            if relu.layer == first and not relu.relus.any():  # directly on the words: attained
                assert (min(seen[j]), max(seen[j])) == (relu.lower, relu.upper)


def test_settled_relus_leave_no_variable() -> None:
    first = (np.array([[1.0, 0, 1, 0], [-1, -1, -1, -1], [1, -1, 0, 0]]), np.array([0.0, 1, 0]))
    network = feed_forward([first, (np.ones((1, 3)), np.zeros(1))])
    small = reduced(network, AB, EVERYTHING)
    assert (small.active, small.dead, len(small.relus)) == (1, 1, 1)


def test_backward_substitution_beats_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """relu(s) - relu(s + 1), s from -2 to 2: lines give s/2 + 1 - (s + 1) <= 1, intervals alone 2."""
    s = np.array([1.0, -1, 1, -1])
    network = feed_forward([(np.array([s, s]), np.array([0.0, 1])), (np.array([[1.0, -1]]), np.zeros(1))])
    small = reduced(network, AB, EVERYTHING)
    assert int(small.bounds(small.outputs)[1][0]) == 1

    def useless(rows, group, first):
        return bounds.AffineRows(rows.symbols, rows.relus[:, :first], rows.constant + 10**6)

    monkeypatch.setattr(bounds, "_substituted", useless)
    assert int(small.bounds(small.outputs)[1][0]) == 2


def test_skip_connections_and_a_relu_on_the_input() -> None:
    one = integer_array(np.eye(4, dtype=np.int64))
    row = integer_array([[3, -5, 2, -1]])
    nodes = (
        Relu(0),
        Affine((1,), (row,), integer_array([1]), 2),
        Relu(2),
        Affine(
            (3, 0, 2),
            (integer_array([[7]]), integer_array([[1, 2, 3, 4]]), integer_array([[-1]])),
            integer_array([0]),
            3,
        ),
    )
    for network in (
        Network(4, nodes),
        Network(4, (Relu(0),)),
        Network(4, (Affine((0,), (one,), integer_array([0] * 4)), Relu(1))),
    ):
        small = reduced(network, AB, EVERYTHING)
        for word in ((0, 0), (0, 1), (1, 0), (1, 1)):
            x = indicators(EVERYTHING, word)
            y = np.array([max(0, int(r.symbols @ x) + r.constant) for r in small.relus], dtype=object)
            got = small.outputs.symbols @ x + small.outputs.widened(len(y)) @ y + small.outputs.constant
            assert [int(v) for v in got] == [
                int(v) for v in network.evaluate(AB.one_hot(np.array([word])))[0]
            ]


def test_a_deadline_is_kept() -> None:
    claim = random_claim(1)
    with pytest.raises(TimeoutError):
        reduced(claim.network, claim.domain, claim.language, time.monotonic() - 1)


def test_bounds_are_rounded_to_the_multiples_that_a_neuron_can_take() -> None:
    """Second-layer rows are multiples of 64, their bounds need not be: no open ReLU may have a bound of 0 in
    its own units.
    """
    settled = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        first = (rng.integers(-4, 5, size=(3, 4)) / 1.0, rng.integers(-3, 4, size=3) / 1.0)
        second = (64.0 * rng.integers(-2, 3, size=(3, 3)), 64.0 * rng.integers(-3, 4, size=3))
        small = reduced(feed_forward([first, second, (np.ones((1, 3)), np.zeros(1))]), AB, EVERYTHING)
        assert all(r.lower < 0 < r.upper for r in small.relus)
        settled += small.active + small.dead
    assert settled


def test_slopes_are_the_tight_ones() -> None:
    """relu(s) + relu(-s), s from -2 to 2: the lines s/2 + 1 and -s/2 + 1 add up to 2; intervals and steeper
    lines give 4.
    """
    s = np.array([1.0, -1, 1, -1])
    small = reduced(
        feed_forward([(np.array([s, -s]), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]), AB, EVERYTHING
    )
    assert int(small.bounds(small.outputs)[1][0]) == 2
