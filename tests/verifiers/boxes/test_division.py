"""Nothing is lost where parts are divided or refuted together: halves cover the whole, and no combination
refutes a point that is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from box_truth import random_network
from hypothesis import given
from hypothesis import strategies as st
from relucid.verifiers.bounds import clip
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.relaxation import first_lower_slopes
from relucid.verifiers.bounds.subdomains import BoxSubdomains, Subdomains
from relucid.verifiers.bounds.tighten import tightened
from relucid.verifiers.engines.boxes import relu_split
from relucid.verifiers.engines.boxes.depth_first import depth_first
from relucid.verifiers.engines.boxes.halves import split_neurons
from relucid.verifiers.engines.boxes.input_split import _divided
from relucid.verifiers.engines.boxes.request import SearchRequest
from relucid.verifiers.engines.boxes.tree import Tree


@given(st.integers(0, 10**6))
def test_halves_cover_the_part(seed):
    """Cut inputs share the cut; split neurons share their zero; everything else is kept."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2)
    net = float_network(network, [Fraction(-1, 3)] * 2, [Fraction(2, 3)] * 2)
    parts = BoxSubdomains.whole(net)
    known = tightened(net, parts, share=True)
    steep, loss = rng.normal(0, 1, (1, 2)), rng.random((1, net.count)) * rng.choice([0.0, 5.0])
    tree = Tree(2)
    parts.node = np.array([tree.join(tree.roots)])
    halves = _divided(net, tree, parts, steep, loss, known.share)
    assert halves.node.tolist() == [3, 4] and len(halves) == 2 and halves.weight.tolist() == [0.5, 0.5]
    for name in ("low", "high", "lower", "upper"):
        a, b = getattr(halves, name)
        whole = getattr(parts, name)[0]
        changed = np.flatnonzero((a != whole) | (b != whole))
        assert (
            (np.minimum(a, b) == whole).all()
            if name in ("low", "lower")
            else (np.maximum(a, b) == whole).all()
        )
        assert len(changed) <= 1
    input_cut = np.flatnonzero(halves.high[0] != parts.high[0])
    assert (halves.high[0, input_cut] == halves.low[1, input_cut]).all()
    neuron = np.flatnonzero(halves.phase[0])
    assert len(input_cut) + len(neuron) == 1
    assert (halves.upper[0, neuron] == 0).all() and (halves.lower[1, neuron] == 0).all()
    assert (halves.phase[0, neuron] == -1).all() and (halves.phase[1, neuron] == 1).all()


@given(st.integers(0, 10**6))
def test_phases_cover_the_part(seed):
    rng = np.random.default_rng(seed)
    lower, upper = -rng.random((3, 5)), rng.random((3, 5))
    zero = np.zeros((3, 5))
    tree = Tree(3)
    some = np.zeros(3, dtype=int)
    slopes = first_lower_slopes(lower, upper)
    whole = relu_split.PhaseSubdomains(
        lower, upper, zero.astype(np.int8), slopes, zero, some, np.ones(3), zero[:, 0], tree.roots
    )
    neuron = rng.integers(0, 5, 3)
    at = np.arange(3)
    off, on = split_neurons(tree, whole, neuron)
    assert (off.phase[at, neuron] == -1).all() and (on.phase[at, neuron] == 1).all()
    assert (
        sorted([*off.node, *on.node]) == [3, 4, 5, 6, 7, 8] and (off.weight + on.weight == whole.weight).all()
    )
    for side in (0, 1):
        half = relu_split._half(whole, neuron, side)
        assert ((half.lower if side else half.upper)[at, neuron] == 0).all() and (
            half.phase[at, neuron] == 2 * side - 1
        ).all()
        (half.lower if side else half.upper)[at, neuron] = (lower if side else upper)[at, neuron]
        assert (
            (half.lower == lower).all()
            and (half.upper == upper).all()
            and (np.abs(half.phase).sum(axis=1) == 1).all()
        )


@given(st.integers(0, 10**6), st.sampled_from([0, 2**-60, 2**-40]))
def test_no_combination_refutes_a_point_that_satisfies_all_rows(seed, slack):
    """UnsafeRows through a rational point of the box, exactly or by a hair above; nothing may refute them."""
    rng = np.random.default_rng(seed)
    count, rows, inputs = 4, int(rng.integers(1, 6)), int(rng.integers(1, 4))
    low = rng.integers(-8, 8, (count, inputs)) / 8
    high = low + rng.integers(0, 17, (count, inputs)) / 8
    point = low + (high - low) * rng.integers(0, 5, (count, inputs)) / 4
    slope = rng.integers(-9, 10, (count, rows, inputs)) / 4
    constant = -np.einsum("prn,pn->pr", slope, point) + slack  # exact: few bits
    part = clip._Boxes(low.copy(), high.copy())
    assert not clip._contradict(part, slope, constant, rows).any()
    for _ in range(3):
        assert not clip._clip(
            part, slope, clip._largest(part, slope, constant), np.zeros(rows, dtype=bool)
        ).any()
    assert ((part.low <= point) & (point <= part.high)).all()


def test_contradictions_are_found():
    """x + y >= 1 and x + y <= 0 on a box where neither fails alone."""
    part = clip._Boxes(np.array([[-2.0, -2.0]]), np.array([[2.0, 2.0]]))
    slope = np.array([[[1.0, 1.0], [-1.0, -1.0]]])
    assert clip._contradict(part, slope, np.array([[-1.0, 0.0]]), 2).all()
    assert not clip._contradict(part, slope, np.array([[-1.0, 1.0]]), 2).any()


@dataclass(eq=False)
class _Numbers(Subdomains):
    values: np.ndarray
    phase: np.ndarray
    weight: np.ndarray
    node: np.ndarray

    @classmethod
    def of(cls, values):
        return cls(np.asarray(values), *(np.zeros(len(values)) for _ in range(3)))


def asked(threads: int) -> SearchRequest:
    """Of a search that needs no network."""
    return SearchRequest(None, None, None, float("inf"), threads=threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch", [1, 7])
def test_every_part_is_visited_once(threads, batch):
    """A binary tree of numbers up to 500: all of them, whatever the order."""
    seen = []

    def step(parts):
        seen.extend(parts.values.tolist())
        children = [c for v in parts.values.tolist() for c in (2 * v, 2 * v + 1) if c <= 500]
        return (_Numbers.of(children) if children else None), ""

    found = depth_first(asked(threads), _Numbers.of([1]), step, batch=batch)
    assert sorted(seen) == list(range(1, 501)) and (found.status, found.subdomains) == ("done", 500)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_step_that_fails_is_no_proof(threads):
    def step(parts):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        depth_first(asked(threads), _Numbers.of([1]), step, batch=4)
