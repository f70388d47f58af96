"""Networks built so that float64 arithmetic, taken at its word, proves something false.  None of it may be
proved.

Each trap has a point that is unsafe over the rationals (checked exactly here) although a plain float64 run of
the network, or of interval arithmetic without error bounds, stays on the safe side everywhere.
"""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from box_truth import ENGINES, above, alone, floats
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.subdomains import BoxSubdomains
from relucid.verifiers.bounds.tighten import tightened
from relucid.verifiers.bounds.unsafe_rows import UnsafeRows
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions

TINY, HUGE = Fraction(2.0**-149), Fraction(2.0**127)  # the smallest and (nearly) the largest float32
HALF = Fraction(1, 2)


def chain(*factors: Fraction):
    """x -> relu(f1 x) -> ... -> fn relu(...), all in one dimension."""
    return floats(*(([[f]], [0]) for f in factors))


def cancelled(big):
    """relu(x + big) - big: x, but floats that round x + big to big see 0."""
    return floats(([[1]], [big]), ([[1]], [-big]))


def spread(count):
    """sum over k of relu(x + 2**k) - 2**k, minus the same twice: large terms that cancel in pairs, x is left
    once.
    """
    weights, biases = [[1]], [0]
    last = [1]
    for k in range(count):
        weights += [[1], [0]]
        biases += [2**k, 2**k]
        last += [Fraction(1, count), -Fraction(1, count)]
    return floats((weights, biases), ([last], [0]))


def late_cancellation():
    """Two large neurons of later layers whose difference is x / 2**10."""
    big = 2**50
    return floats(
        ([[1], [1]], [big, big]),
        ([[1, 0], [0, 1]], [0, 0]),
        ([[1 + Fraction(1, 2**10), -1]], [-Fraction(big, 2**10)]),
    )


def skipped():
    """relu(x + 2**60) - 2**60 by a residual edge instead of a bias."""
    big = 2**60
    nodes = (
        Affine((0,), (integer_array([[1], [0]]),), integer_array([big, big])),
        Relu(1),
        Affine((2, 0), (integer_array([[1, -1]]), integer_array([[0]])), integer_array([0])),
    )
    return Network(1, nodes, "real")


def third():
    """3 * (x / 3) >= 1 at x = 1, which no binary fraction shows."""
    return floats(([[Fraction(1, 3)]], [0]), ([[3]], [0]))


TRAPS = {
    "cancellation": (cancelled(2**60), above(HALF), [Fraction(1)]),
    "cancellation in float32's range": (cancelled(Fraction(2.0**100)), above(HALF), [Fraction(1)]),
    "cancellation at the edge of 53 bits": (cancelled(2**54), above(1), [Fraction(1)]),
    "cancellation of many": (spread(60), above(1), [Fraction(1)]),
    "cancellation behind two layers": (late_cancellation(), above(Fraction(1, 2**11)), [Fraction(1)]),
    "cancellation across a skip": (skipped(), above(HALF), [Fraction(1)]),
    "tiny weights, then huge": (
        chain(*[TINY] * 8, *[HUGE] * 9, Fraction(2) ** 49),
        above(HALF),
        [Fraction(1)],
    ),
    "huge weights, then tiny": (
        chain(*[HUGE] * 9, *[TINY] * 8, Fraction(2) ** 49),
        above(HALF),
        [Fraction(1)],
    ),
    "alternating": (chain(*[TINY, HUGE] * 12, Fraction(2) ** 264), above(HALF), [Fraction(1)]),
    "subnormal threshold": (chain(TINY, TINY), above(TINY * TINY), [Fraction(1)]),
    "threshold below all floats": (chain(Fraction(1, 10**400)), above(Fraction(1, 10**400)), [Fraction(1)]),
    "a tie": (floats(([[1], [1]], [0, 0]), ([[1, -1]], [0])), above(0), [HALF]),
    "a tie at a corner": (floats(([[0.1]], [0]), ([[1]], [0])), above(Fraction(0.1)), [Fraction(1)]),
    "a sum that rounds down": (
        floats(
            ([[1] * 10], [0]),
        ),
        above(Fraction(0.1) * 10, inputs=10, high=Fraction(0.1)),
        [Fraction(0.1)] * 10,
    ),
    "thirds": (third(), above(1), [Fraction(1)]),
    "a box of a tenth": (floats(([[10]], [0])), above(1, high=Fraction(1, 10)), [Fraction(1, 10)]),
    "a box that no float is in": (
        floats(([[1]], [0])),
        above(
            Fraction(1, 3) + Fraction(1, 10**40),
            low=Fraction(1, 3),
            high=Fraction(1, 3) + Fraction(2, 10**40),
        ),
        [Fraction(1, 3) + Fraction(1, 10**40)],
    ),
    "relu at minus nothing": (
        floats(([[1]], [-1]), ([[2**70]], [0])),
        above(1, high=1 + Fraction(1, 2**60)),
        [1 + Fraction(1, 2**60)],
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("helped", [True, False], ids=["with attack", "without attack"])
@pytest.mark.parametrize("name", TRAPS)
def test_never_proved(monkeypatch, name, helped, engine):
    network, stated, point = TRAPS[name]
    assert stated.cases[0].contains(point)
    assert stated.witnesses(point, exact_outputs(network, point)), "the trap is no trap"
    backend = alone(monkeypatch, engine)
    if not helped:
        monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    found = decide(network, stated, BoxOptions(deadline=time.monotonic() + 2, backend=backend))
    assert found.outcome != "proved"
    if found.outcome == "refuted":
        where = [Fraction(v) for v in found.counterexample.input]
        assert stated.cases[0].contains(where) and stated.witnesses(where, exact_outputs(network, where))


def plainly(network, x):
    """The network in float64, as a tool that trusts it would run it."""
    values = [np.asarray(x, dtype=np.float64)]
    for node in network.nodes:
        if isinstance(node, Relu):
            values.append(np.maximum(values[node.source], 0))
        else:
            total = node.bias.astype(np.float64) / float(node.denominator)
            for s, w in zip(node.sources, node.weights, strict=True):
                total = total + (w.astype(np.float64) / float(node.denominator)) @ values[s]
            values.append(total)
    return values[-1]


@pytest.mark.parametrize(
    "name", ["cancellation", "cancellation in float32's range", "cancellation across a skip"]
)
def test_float64_does_fall_for_it(name):
    network, stated, point = TRAPS[name]
    value = plainly(network, [float(v) for v in point])[0]
    assert value + float(stated.cases[0].unsafe[0][0].constant) < 0  # says safe at the very point that is not


SAFE = {
    "just below a tie": (floats(([[1], [1]], [0, 0]), ([[1, -1]], [0])), above(Fraction(1, 10**9))),
    "strictly above what is reached": (floats(([[1]], [0])), above(1, strict=True, high=Fraction(1, 2))),
    "a large offset": (cancelled(2**20), above(1 + Fraction(1, 10**6))),
    "tiny weights": (chain(TINY, HUGE), above(HALF)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SAFE)
def test_what_floats_can_tell_is_proved(monkeypatch, name, engine):
    """The error bounds are not so wide that nothing could be proved near a trap."""
    network, stated = SAFE[name]
    assert (
        decide(
            network, stated, BoxOptions(deadline=time.monotonic() + 5, backend=alone(monkeypatch, engine))
        ).outcome
        == "proved"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_positive_value_below_all_floats_is_not_zero(monkeypatch, engine):
    """y = 2**-1200 x > 0 at x = 1, which no float64 can tell from 0."""
    backend = alone(monkeypatch, engine)
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    network = chain(Fraction(1, 2**600), Fraction(1, 2**600))
    assert (
        decide(
            network, above(0, strict=True), BoxOptions(deadline=time.monotonic() + 2, backend=backend)
        ).outcome
        != "proved"
    )


def test_cancellation_inside_a_neuron_is_in_the_bound():
    """-1.5 times a neuron that is 1, the difference of two of 2**52: a product of weights rounds it to -2,
    and no later layer sees numbers as large.
    """
    big, ulp = 2**52, Fraction(1, 2**52)
    network = floats(([[0], [0]], [big, big]), ([[1 + ulp, -1]], [0]), ([[Fraction(-3, 2)]], [0]))
    assert exact_outputs(network, [Fraction(0)]) == (Fraction(-3, 2),)
    net = float_network(network, [Fraction(0)], [Fraction(1)])
    box = BoxSubdomains.whole(net)
    bound, found = UnsafeRows.of(net, above(0).cases[0].unsafe).bound(
        net, box, tightened(net, box).relaxations
    )
    assert found.inputs.shape == (1, 1) and Fraction(float(bound[0, 0])) >= Fraction(-3, 2)


def test_affine_nodes_that_no_relu_reads_have_slack_too():
    """x * 31/43 * 43/21 * 21/31 ... - x is 0, and less in float64: every affine node between affine nodes
    loses some of it.
    """
    rounds = 13
    factors = ((31, 43), (43, 21), (21, 31)) * rounds
    chain = [Affine((k,), (integer_array([[a]]),), integer_array([0]), b) for k, (a, b) in enumerate(factors)]
    difference = Affine((len(chain), 0), (integer_array([[1]]), integer_array([[-1]])), integer_array([0]))
    network = Network(1, (*chain, difference), "real")
    assert exact_outputs(network, [Fraction(1)]) == (0,)
    net = float_network(network, [Fraction(1)], [Fraction(2)])
    assert net.values(np.array([[1.0]]))[-1][0, 0] < -20 * 2.0**-53
    box = BoxSubdomains.whole(net)
    bound, _ = UnsafeRows.of(net, above(0).cases[0].unsafe).bound(net, box, tightened(net, box).relaxations)
    assert bound[0, 0] >= 0
