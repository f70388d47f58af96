"""Sweeps over unrolled networks against brute force: exact, relaxed, in chunks; recurrent networks of a
hundred steps.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from clocks import later
from random_claims import random_claim, words_of
from reach_cases import claims, wrong_words
from relucid.common.errors import Unsupported
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import Affine, Network, Node, Relu
from relucid.models.program.program import Program
from relucid.verifiers.engines.reach import sweep as reach_sweep
from relucid.verifiers.engines.reach.chunks import Chunks, SweepLimits
from relucid.verifiers.engines.reach.sweep import Unrolled, merged, relaxed, runs


def recurrent(
    length: int,
    step: np.ndarray,
    reads: np.ndarray,
    readout: list[int],
    offset: int,
    program: str,
    tokens: str = "ab",
) -> WordClaim:
    """h = relu(step h + reads[token]), then readout . h + offset > 0, unrolled."""
    width, symbols = step.shape[0], len(tokens)
    nodes: list[Node] = []
    for t in range(length):
        here = np.zeros((width, length * symbols), dtype=np.int64)
        here[:, t * symbols : (t + 1) * symbols] = reads.T
        sources, weights = ((0, len(nodes)), (here, step)) if t else ((0,), (here,))
        nodes.append(Affine(sources, weights, np.zeros(width, dtype=np.int64)))
        nodes.append(Relu(len(nodes)))
    nodes.append(Affine((len(nodes),), (np.array([readout]),), np.array([offset])))
    return WordClaim(
        Network(length * symbols, tuple(nodes)),
        Program(program, "f"),
        Domain(tuple(tokens), length, length),
        Decision("sign", (False, True)),
    )


def counter(length: int, threshold: int, states: int) -> WordClaim:
    """A cell that counts a, against a program that asks for `states` of them."""
    text = f"def f(tokens):\n    return tokens.count('a') >= {states}\n"
    return recurrent(length, np.array([[1]]), np.array([[1], [0]]), [1], 1 - threshold, text)


@pytest.mark.parametrize(
    "limits",
    [SweepLimits(), SweepLimits(entries=3, width=2, pieces=2), SweepLimits(entries=1, width=1, pieces=3)],
)
@pytest.mark.parametrize("counting", [False, True])
def test_decided_and_counted_as_by_brute_force(limits: SweepLimits, counting: bool) -> None:
    outcomes = set()
    for claim in claims(30):
        wrong = wrong_words(claim)
        chunks = Chunks(claim, Unrolled(claim), counting, limits)
        assert chunks.run(later(), wanted=10**6)
        assert chunks.right + chunks.wrong == claim.domain_size and chunks.wrong == len(wrong)
        assert set(chunks.words) <= wrong and bool(chunks.words) == bool(wrong)
        outcomes.add((bool(wrong), chunks.crowded > 0))
    assert {True, False} <= {wrong for wrong, _ in outcomes} and (
        limits.entries > 3 or (True, True) in outcomes
    )


@pytest.mark.parametrize("width", [1, 2, 5, 100])
def test_a_relaxed_sweep_settles_only_what_is_so(width: int) -> None:
    settled = 0
    for seed in range(40):
        claim = random_claim(seed)
        network, wrong = Unrolled(claim), wrong_words(claim)
        entries, prefixes = network.start(), np.zeros((claim.language.layer_sizes[0], 0), dtype=np.int64)
        for _ in range(min(claim.language.length, 1 + seed % 2)):
            entries, step = network.advanced(entries)
            prefixes = np.concatenate([prefixes[step.parent], step.symbol[:, None]], axis=1)
        result = relaxed(network, entries, width, later())
        assert result is not None
        for k, prefix in enumerate(prefixes):
            mine = [
                w
                for w in words_of(claim)
                if w[: entries.t] == tuple(prefix) and _state(claim, w, entries.t) == entries.state[k]
            ]
            assert result.maybe_wrong[k] or not wrong & set(mine)
            assert result.maybe_right[k] or wrong >= set(mine)
            settled += not result.maybe_wrong[k] or not result.maybe_right[k]
        for lead, tail in zip(result.leads, result.tails, strict=True):
            assert claim.language.label_of((*map(int, prefixes[lead]), *map(int, tail))) is not None
        assert (
            relaxed(network, entries, width, time.monotonic() - 1) is None
            or entries.t == claim.language.length
        )
    assert settled


def _state(claim: WordClaim, word: tuple[int, ...], t: int) -> int:
    """Where the word's one path is after t symbols."""
    following = claim.language.completions()
    paths = [(s, s) for s in range(claim.language.layer_sizes[0])]
    for k, symbol in enumerate(word):
        paths = [
            (old if k >= t else target, target)
            for old, s in paths
            for source, read, target in claim.language.edges[k]
            if source == s and read == symbol
        ]
    assert len(paths) == 1 and following
    return paths[0][0]


def test_a_counting_cell_over_more_than_10_to_the_30_inputs() -> None:
    right = counter(120, 40, 40)
    assert Chunks(right, Unrolled(right)).run(later())
    claim = counter(120, 41, 40)  # wrong exactly where there are 40
    chunks = Chunks(claim, Unrolled(claim), counting=True)
    assert claim.domain_size > 10**30 and chunks.run(later())
    assert (chunks.wrong, chunks.right) == (math.comb(120, 40), 2**120 - math.comb(120, 40))
    assert chunks.most <= 2 * 200


def test_a_cell_that_remembers_the_last_mark() -> None:
    """The mark, u1 - u2, goes up by 2 on a and down by 2 on b and is kept in 0 .. 1."""
    step, reads = np.array([[1, -1], [1, -1]]), np.array([[2, 1], [-2, -3], [0, -1]])
    text = "def f(tokens):\n    mark = {}\n    for t in tokens:\n        if t != 'c':\n            mark = t == 'a'\n    return mark\n"
    right = recurrent(100, step, reads, [1, -1], 0, text.format(False), "abc")
    chunks = Chunks(right, Unrolled(right))
    assert chunks.run(later()) and not chunks.words and chunks.most < 100
    claim = recurrent(100, step, reads, [1, -1], 0, text.format(True), "abc")
    chunks = Chunks(claim, Unrolled(claim), counting=True)
    assert chunks.run(later()) and (chunks.right, chunks.wrong) == (3**100 - 1, 1)
    assert list(chunks.words) == [(2,) * 100]


def test_relaxed_sweeps_settle_what_exact_sets_cannot_hold() -> None:
    """A cell whose sums never meet: halves of every earlier one."""
    step, reads = np.array([[1]]), np.array([[3], [1]])
    nodes = recurrent(24, step, reads, [1], -1, "def f(tokens):\n    return True\n").network.nodes
    weights = [2**t for t in range(24)]  # h_t = h + 2^t * read: all 2^24 sums differ
    changed: list[Node] = []
    for k, node in enumerate(nodes):
        if isinstance(node, Affine) and k < 48:
            changed.append(
                Affine(node.sources, (node.weights[0] * weights[k // 2], *node.weights[1:]), node.bias)
            )
        else:
            changed.append(node)
    claim = WordClaim(
        Network(48, tuple(changed)),
        Program("def f(tokens):\n    return True\n", "f"),
        Domain(("a", "b"), 24, 24),
        Decision("sign", (False, True)),
    )
    chunks = Chunks(claim, Unrolled(claim), counting=True, limits=SweepLimits(entries=200, width=100))
    assert chunks.run(later()) and chunks.right == 2**24 and chunks.crowded
    alone = Chunks(claim, Unrolled(claim), limits=SweepLimits(entries=200, width=100))
    assert not alone.run(later(), alone=False)  # one sweep is not enough
    assert alone.run(later())


def test_time_and_width() -> None:
    claim = counter(60, 20, 20)
    chunks = Chunks(claim, Unrolled(claim))
    assert not chunks.run(time.monotonic() - 1)
    while not chunks.run(time.monotonic() + 0.001):
        assert chunks.right + chunks.wrong <= claim.domain_size
    assert chunks.right == claim.domain_size
    growing = recurrent(
        80, np.array([[4]]), np.array([[1], [0]]), [1], 0, "def f(tokens):\n    return 'a' in tokens\n"
    )
    with pytest.raises(Unsupported, match="64 bits"):
        Chunks(growing, Unrolled(growing)).run(later())


def test_equal_entries_are_found_however_they_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, state = np.array([[1, 2], [3, 4], [1, 2], [1, 2], [3, 4]]), np.array([0, 0, 0, 1, 0])
    for multipliers in (reach_sweep.MULTIPLIERS, np.zeros_like(reach_sweep.MULTIPLIERS)):
        monkeypatch.setattr(reach_sweep, "MULTIPLIERS", multipliers)
        order, first = runs(keys, state)
        groups = [sorted(part.tolist()) for part in np.split(order, first[1:])]
        assert sorted(groups) == [[0, 2], [1, 4], [3]]
    monkeypatch.setattr(reach_sweep, "MULTIPLIERS", np.zeros_like(reach_sweep.MULTIPLIERS))
    claim = counter(40, 11, 10)
    chunks = Chunks(claim, Unrolled(claim), counting=True)
    assert chunks.run(later()) and chunks.wrong == math.comb(40, 10)


def test_merged_entries_keep_their_weight() -> None:
    claim = counter(50, 20, 20)
    network = Unrolled(claim)
    entries = network.start()
    for _ in range(50):
        entries, step = network.advanced(entries)
        entries, _ = merged(entries, step)
    assert int(entries.weight.sum()) == 2**50
