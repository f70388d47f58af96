"""Words that are run: exactly, and prefixes that nothing tells apart only once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_claims import random_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.proof.format import ProofTooLarge, Rejected
from relucid.verifiers.proof.words.sweep import run_words


def right(claim: WordClaim, label: int) -> bool:
    language = claim.language.restricted(label)
    return all((claim.network_labels(words) == label).all() for words, _ in language.words())


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_random_networks_with_branches_and_contexts(start: int) -> None:
    answers = set()
    for claim in map(random_claim, range(start, start + 20)):
        for label in range(len(claim.decision.labels)):
            language = claim.language.restricted(label)
            if language.empty:
                continue
            try:
                run_words(claim, label, language, 10**6)
                said = True
            except Rejected:
                said = False
            assert said == right(claim, label)
            answers.add(said)
    assert answers == {True, False}


def unrolled(
    length: int, cell: np.ndarray, own: np.ndarray, bias: np.ndarray, read: np.ndarray, offset: int
) -> Network:
    """h = relu(cell h + own[symbol] + bias) at every position, then read h + offset."""
    width, symbols = len(bias), own.shape[1]
    nodes: list[Affine | Relu] = []
    for t in range(length):
        here = np.zeros((width, length * symbols), dtype=np.int64)
        here[:, t * symbols : (t + 1) * symbols] = own
        sources, weights = ((0,), (here,)) if t == 0 else ((0, len(nodes)), (here, cell))
        nodes += [
            Affine(sources, tuple(map(integer_array, weights)), integer_array(bias)),
            Relu(len(nodes) + 1),
        ]
    nodes.append(Affine((len(nodes),), (integer_array(read),), integer_array([offset])))
    return Network(length * symbols, tuple(nodes))


PARITY = "def odd(tokens):\n    seen = False\n    for t in tokens:\n        if t == 'a':\n            seen = not seen\n    return seen\n"
# y1 = [x = a and h = 0], y2 = [x = b and h = 1]; h is their sum
CELL = (np.array([[-1, -1], [1, 1]]), np.array([[1, 0], [0, 1]]), np.array([0, -1]), np.array([[1, 1]]), 0)


def parity(length: int, cell: tuple = CELL) -> WordClaim:
    domain = Domain(("a", "b"), length, length)
    return WordClaim(unrolled(length, *cell), Program(PARITY, "odd"), domain, Decision("sign", (False, True)))


def test_a_cell_takes_as_many_prefixes_as_it_has_states_at_any_length() -> None:
    small, large = parity(6), parity(64)
    assert all(right(small, label) for label in (0, 1))
    followed = [run_words(large, label, large.language.restricted(label), 10**4) for label in (0, 1)]
    assert max(followed) < 64 * 2 * 2 * 2 and large.language.restricted(0).size == 2**63


def test_one_word_among_many_that_is_wrong_is_seen() -> None:
    claim = parity(40)
    network = claim.network
    word = np.zeros((1, 80), dtype=np.int64)
    word[0, ::2] = 1  # aaaa...: even, so False; a unit that sees only this word turns it
    match = Affine((0,), (integer_array(word),), integer_array([-39]))
    last = network.nodes[-1]
    assert isinstance(last, Affine)
    ends = replace(
        last, sources=(*last.sources, len(network.nodes) + 1), matrices=(*last.weights, integer_array([[1]]))
    )
    spoilt = replace(claim, network=Network(80, (*network.nodes[:-1], match, Relu(len(network.nodes)), ends)))
    run_words(spoilt, 1, spoilt.language.restricted(1), 10**5)
    with pytest.raises(Rejected, match="the network errs on a word that was run"):
        run_words(spoilt, 0, spoilt.language.restricted(0), 10**5)


def test_more_than_it_may_follow() -> None:
    claim = parity(64)
    with pytest.raises(ProofTooLarge, match="too much to be run"):
        run_words(claim, 0, claim.language.restricted(0), 60)


def test_it_is_stopped_between_positions() -> None:
    claim, ticks = parity(64), []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) > 10:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        run_words(claim, 0, claim.language.restricted(0), 10**6, tick)


def test_a_network_without_weights_is_left_alone() -> None:
    domain = Domain(("a", "b"), 1, 1)
    claim = WordClaim(
        Network(2, (Relu(0),)),
        Program("def f(tokens):\n    return tokens[0]\n", "f"),
        domain,
        Decision("argmax", ("a", "b")),
    )
    with pytest.raises(ProofTooLarge, match="without weights"):
        run_words(claim, 0, claim.language.restricted(0), 10)


def test_numbers_beyond_64_bits() -> None:
    big = 2**70
    domain = Domain(("a", "b"), 2, 2)
    nodes = (
        Affine((0,), (integer_array([[big, 1, 0, big], [0, big, big, 0]]),), integer_array([-big, -1])),
        Relu(1),
        Affine((2,), (integer_array([[1, -1]]),), integer_array([0])),
        Relu(3),
    )
    program = Program("def f(tokens):\n    return tokens == ('a', 'b')\n", "f")
    claim = WordClaim(Network(4, nodes), program, domain, Decision("sign", (False, True)))
    for label in (0, 1):
        language = claim.language.restricted(label)
        try:
            assert run_words(claim, label, language, 100) and right(claim, label)
        except Rejected:
            assert not right(claim, label)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3))
def test_random_cells(seed: int, length: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    cell = (
        rng.integers(-2, 3, (width, width)),
        rng.integers(-2, 3, (width, 2)),
        rng.integers(-2, 3, width),
        rng.integers(-2, 3, (1, width)),
        int(rng.integers(-2, 3)),
    )
    claim = parity(length, cell)
    for label in (0, 1):
        language = claim.language.restricted(label)
        try:
            run_words(claim, label, language, 10**6)
        except Rejected:
            assert not right(claim, label)
        else:
            assert right(claim, label)


def test_plain_layers_too() -> None:
    layers = [(np.array([[1.0, 0.0, -1.0, 0.5]]), np.array([-0.25])), (np.array([[1.0]]), np.array([-0.5]))]
    claim = WordClaim(
        feed_forward(layers),
        Program("def f(tokens):\n    return tokens == ('a', 'b')\n", "f"),
        Domain(("a", "b"), 2, 2),
        Decision("sign", (False, True)),
    )
    for label in (0, 1):
        assert right(claim, label) and run_words(claim, label, claim.language.restricted(label), 100)
