"""Same label, and networks of different shapes: against exact cutting at every place where anything changes;
and the command line.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from box_truth import cut, floats, pieces, random_network, rectangle
from clocks import LONG, Ticking
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import relucid
from relucid.models.claims.property import Case, Property
from relucid.models.claims.side_by_side import disagreement
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.head import Head, LogSoftmaxShare, Plain, SoftmaxShare
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.network.stacked import same_nodes, side_by_side
from relucid.models.onnx.writer import with_source, write_onnx
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import close, decide_same_label
from relucid.verifiers.boxes.compare import GoodEnough, compare
from relucid.verifiers.boxes.options import BoxOptions


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Two thousand looks are a second: searches end after so much work, however many others share the
    machine.
    """
    monkeypatch.setattr(time, "monotonic", Ticking(0.0005))


def label(network: Network, point) -> int:
    outputs = exact_outputs(network, point)
    return outputs.index(max(outputs))  # the first of the largest


def box(*bounds: tuple[object, object]) -> Property:
    low, high = (tuple(Fraction(b[k]) for b in bounds) for k in (0, 1))
    return Property(len(bounds), 1, (Case(low, high, ((),)),))


def same(a: Network, b: Network, stated: Property, seconds: float = 5.0, **options):
    return decide_same_label(a, b, stated, BoxOptions(deadline=time.monotonic() + seconds, **options))


def critical(network: Network, low: Fraction, high: Fraction) -> set[Fraction]:
    """Of one input: where a neuron switches or two outputs cross."""
    found = set()
    for ends, outputs in pieces(network, rectangle((low,), (high,))):
        found |= {x for (x,) in ends}
        for i, (slope, offset) in enumerate(outputs):
            for other, constant in outputs[:i]:
                form = ((slope[0] - other[0],), offset - constant)
                opposite = ((-form[0][0],), -form[1])
                found |= {x for (x,) in cut(cut(list(ends), form), opposite)}
    return found


def disagreements(a: Network, b: Network, low: Fraction, high: Fraction) -> list[Fraction]:
    at = sorted({low, high} | critical(a, low, high) | critical(b, low, high))
    tried = [*at, *((x + y) / 2 for x, y in pairwise(at))]
    return [x for x in tried if label(a, (x,)) != label(b, (x,))]


def nearly(rng: np.random.Generator, network: Network, chance: float) -> Network:
    """A copy in which few numbers are moved a little, and sometimes with neurons more that do nothing."""
    nodes: list[Affine | Relu] = []
    for node in network.nodes:
        if isinstance(node, Affine):
            moved = [
                integer_array(w + rng.integers(-1, 2, w.shape) * (rng.random(w.shape) < chance))
                for w in (*node.weights, node.bias)
            ]
            node = Affine(node.sources, tuple(moved[:-1]), moved[-1], node.denominator)
        nodes.append(node)
    return with_source(Network(network.input_size, tuple(nodes), "real"))


def network_of_labels(seed: int, inputs: int) -> Network:
    rng = np.random.default_rng(seed)
    while (network := random_network(rng, inputs)).output_size < 2:
        pass
    return network


def doubled(network: Network) -> Network:
    """The same function with another hidden shape: every layer computed twice, and both halves halved."""
    last = len(network.nodes)
    nodes = list(side_by_side(network, network).nodes[:-1])
    eye = np.eye(network.output_size, dtype=np.int64)
    nodes.append(
        Affine(
            (last, 2 * last),
            (integer_array(eye), integer_array(eye)),
            integer_array([0] * network.output_size),
            2,
        )
    )
    return with_source(Network(network.input_size, tuple(nodes), "real"))


@pytest.mark.parametrize("seed", range(12))
def test_same_label_agrees_with_exact_cutting(seed):
    rng = np.random.default_rng(seed)
    seen = Counter()
    while sum(seen.values()) < 12:
        a = random_network(rng, 1)
        if a.output_size < 2:
            continue
        b = nearly(rng, a, 0.1) if rng.random() < 0.7 else random_network(rng, 1)
        if b.output_size != a.output_size:
            continue
        b = doubled(b) if rng.random() < 0.3 else b
        low = Fraction(int(rng.integers(-16, 8)), 8)
        high = low + Fraction(int(rng.integers(0, 9)), 8)
        truth = disagreements(a, b, low, high)
        found = same(a, b, box((low, high)), 1.0)
        seen[found.outcome] += 1
        if found.outcome == "proved":
            assert not truth
        elif found.outcome == "refuted":
            point = [Fraction(v) for v in found.counterexample.input]
            assert truth and low <= point[0] <= high and label(a, point) != label(b, point)
            outputs = [float(v) for v in found.counterexample.runtime_output]
            first, second = outputs[: a.output_size], outputs[a.output_size :]
            assert first.index(max(first)) != second.index(max(second))
        else:  # only where they touch: at single points, or where one is tied throughout
            wide = [x for x in truth if any(abs(x - y) > Fraction(1, 10**6) for y in truth)]
            ties = any(
                sorted(exact_outputs(n, (x,)))[-2:].count(max(exact_outputs(n, (x,)))) == 2
                for n in (a, b)
                for x in (low, high)
            )
            assert not wide or ties or found.reason.startswith("exact arithmetic")
    assert seen["proved"] >= 2


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_no_grid_point_contradicts_a_proof_on_two_inputs(seed):
    rng = np.random.default_rng(seed)
    a = random_network(rng, 2)
    if a.output_size < 2:
        return
    b = nearly(rng, a, 0.05)
    found = same(a, b, box((-1, 1), (-1, 1)), 0.5)
    apart = [
        p
        for p in ((Fraction(i, 8), Fraction(j, 8)) for i in range(-8, 9) for j in range(-8, 9))
        if label(a, p) != label(b, p)
    ]
    if found.outcome == "proved":
        assert not apart
    if found.outcome == "refuted":
        point = [Fraction(v) for v in found.counterexample.input]
        assert label(a, point) != label(b, point)


def test_disagreement_is_that_the_labels_differ_ties_included():
    for a in product(range(3), repeat=3):
        for b in product(range(3), repeat=3):
            outputs = [Fraction(v) for v in (*a, *b)]
            told = [
                (c, j)
                for c in range(3)
                for j in range(3)
                if c != j and all(r.holds([], outputs) for r in disagreement(c, j, 3))
            ]
            assert bool(told) == (a.index(max(a)) != b.index(max(b)))
            assert all(c == a.index(max(a)) for c, _ in told)


# what the two give on [0, 1], and the verdicts that are right; float bounds cannot tell a tie from nearly one
TIES = {
    "tied throughout, both": (
        ([[0.0], [0.0]], [1.0, 1.0]),
        ([[1.0], [1.0]], [0.0, 0.0]),
        ("proved", "unknown"),
    ),
    "tied throughout, and the second prefers 1": (
        ([[1.0], [1.0]], [0.0, 0.0]),
        ([[0.0], [1.0]], [0.0, 1.0]),
        ("refuted",),
    ),
    "the first prefers 1, the second is tied": (
        ([[0.0], [1.0]], [0.0, 1.0]),
        ([[1.0], [1.0]], [0.0, 0.0]),
        ("refuted",),
    ),
    "tied throughout, and the second prefers 0": (
        ([[1.0], [1.0]], [0.0, 0.0]),
        ([[0.0], [1.0]], [2.0, 0.0]),
        ("proved", "unknown"),
    ),
}


@pytest.mark.parametrize("name", TIES)
def test_ties(name):
    first, second, verdicts = TIES[name]
    assert same(with_source(floats(first)), with_source(floats(second)), box((0, 1))).outcome in verdicts


def test_a_tie_on_a_corner_is_found():
    """Only at x = 1 do they differ: there the first is tied (label 0), the second gives label 1."""
    a, b = (with_source(floats(([[0.0], [1.0]], [0.0, c]))) for c in (-1.0, -1.0 + 2**-20))
    found = same(a, b, box((0, 1)))
    assert found.outcome == "refuted" and Fraction(found.counterexample.input[0]) > 1 - Fraction(1, 2**20)


def test_a_network_against_itself_is_proved_across_its_own_boundary():
    a = network_of_labels(3, 2)
    found = same(a, with_source(Network(2, a.nodes, "real")), box((-2, 2), (-2, 2)))
    assert (found.outcome, found.backend) == ("proved", "identical")
    assert not same_nodes(a, nearly(np.random.default_rng(0), a, 0.5)) and not same_nodes(a, doubled(a))


def test_networks_with_other_heads_are_not_the_same():
    """What the files give differs, although all nodes are the same."""
    a, shares = network_of_labels(3, 2), [SoftmaxShare((0, 1), k) for k in range(2)]
    heads = [
        None,
        Head((Plain(0), Plain(1))),
        Head((*shares,)),
        Head((*shares[::-1],)),
        Head((*(LogSoftmaxShare((0, 1), k) for k in range(2)),)),
    ]
    for one, first in enumerate(heads):
        for other, second in enumerate(heads):
            assert same_nodes(replace(a, head=first), replace(a, head=second)) == (one == other)
    assert same_nodes(replace(a, head=Head((*shares,), ("Softmax",))), replace(a, head=heads[2]))


def test_a_sliver_between_two_boundaries_is_found_by_bisection():
    """They disagree on a stretch of 2**-16 of the box only."""
    layer = [[0.0], [1.0]]
    a, b = with_source(floats((layer, [0.25, 0.0]))), with_source(floats((layer, [0.25 + 2**-16, 0.0])))
    found = same(a, b, box((0, 1)))
    assert (found.outcome, found.backend) == ("refuted", "bisect")


def test_close_copies_are_proved_by_their_difference():
    rng = np.random.default_rng(0)
    sizes = [(24, 20), (20, 20), (20, 3)]
    layers = [(rng.normal(0, 1, (n, m)) / np.sqrt(m), rng.normal(0, 0.3, n)) for m, n in sizes]
    a = with_source(floats(*((np.float32(w), np.float32(c)) for w, c in layers)))
    b = with_source(
        floats(*((np.float32(w + rng.normal(0, 1e-4, w.shape)), np.float32(c)) for w, c in layers))
    )
    stated = box(*[(-0.15, 0.15)] * 24)
    found = same(a, b, stated, 20.0)
    assert found.outcome == "proved"


@pytest.mark.parametrize("seed", range(10))
def test_epsilon_of_networks_of_different_shapes(seed):
    rng = np.random.default_rng(seed)
    a = random_network(rng, 2)
    b = doubled(nearly(rng, a, 0.3))
    stated = box((-1, 1), (-1, 1))
    bounds = stated.cases[0].lower, stated.cases[0].upper
    free = compare(a, b, *bounds, deadline=time.monotonic() + 1, enough=GoodEnough(ratio=1.05))
    assert free.seen <= Fraction(free.bound) and (free.bound < 1e-9 or free.bound <= 1.1 * float(free.seen))
    for factor, verdict in ((1.2, "proved"), (0.8, "refuted")):
        epsilon = Fraction(free.bound) * Fraction(factor)
        found = decide_against(a, b, stated, epsilon, BoxOptions(deadline=time.monotonic() + 3))
        assert found.outcome == verdict or free.bound < 1e-9
    for _ in range(30):
        point = [Fraction(int(v), 16) for v in rng.integers(-16, 17, 2)]
        assert max(
            abs(u - v) for u, v in zip(exact_outputs(a, point), exact_outputs(b, point), strict=True)
        ) <= Fraction(free.bound)


def test_whoever_disagrees_is_close_in_the_first_network():
    """The question about the first network alone holds wherever the labels differ and no output differs by
    more than the bound.
    """
    for a in product(range(3), repeat=3):
        for b in product(range(3), repeat=3):
            bound = Fraction(max(abs(x - y) for x, y in zip(a, b, strict=True)))
            for c, j in ((c, j) for c in range(3) for j in range(3) if c != j):
                rows = disagreement(c, j, 3)
                if all(r.holds([], [Fraction(v) for v in (*a, *b)]) for r in rows):
                    assert all(r.holds([], [Fraction(v) for v in a]) for r in close(rows, 3, bound))


def test_exactly_epsilon_is_within():
    a = with_source(floats(([[1.0]], [0.0])))
    b = with_source(
        floats(([[1.0], [0.0]], [2.0, 1.0]), ([[1.0, 0.0]], [-1.0]))
    )  # one more, on [0, 1], by another way
    found = decide_against(a, b, box((0, 1)), Fraction(1), BoxOptions(deadline=time.monotonic() + 1))
    assert found.outcome != "refuted"
    assert (
        decide_against(
            a, b, box((0, 1)), Fraction(99, 100), BoxOptions(deadline=time.monotonic() + 5)
        ).outcome
        == "refuted"
    )


def test_epsilon_of_many_inputs_is_searched(monkeypatch):
    """|s| as relu(s) + relu(-s) and as 2 relu(s) - s: bounds on the whole box do not see that they are one,
    splitting ReLUs does.
    """
    total = np.full((1, 20), 2.0**-4)
    a = with_source(floats((np.concatenate([total, -total]), [0.0, 0.0]), ([[1.0, 1.0]], [0.0])))
    part = Affine((0, 2), (integer_array([[-1] * 20]), integer_array([[32]])), integer_array([0]), 16)
    b = with_source(
        Network(
            20, (Affine((0,), (integer_array([[1] * 20]),), integer_array([0]), 16), Relu(1), part), "real"
        )
    )
    stated = box(*[(-1, 1)] * 20)
    assert (
        compare(a, b, stated.cases[0].lower, stated.cases[0].upper, deadline=time.monotonic() + 2).bound > 0.6
    )
    found = decide_against(a, b, stated, Fraction(1, 100), BoxOptions(deadline=time.monotonic() + 10))
    assert (found.outcome, found.backend) == ("proved", "exact")
    monkeypatch.setattr(decide_module, "whole_box", lambda *a: None)
    found = decide_against(a, b, stated, Fraction(1, 100), BoxOptions(deadline=time.monotonic() + 10))
    assert (found.outcome, found.backend) == ("proved", "split-relus")
    moved = with_source(
        Network(20, (b.nodes[0], Relu(1), Affine((0, 2), part.weights, integer_array([1]), 16)), "real")
    )
    assert (
        decide_against(a, moved, stated, Fraction(1, 20), BoxOptions(deadline=time.monotonic() + 10)).outcome
        == "refuted"
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(7)
    a = network_of_labels(7, 2)
    for name, network in (("a", a), ("b", doubled(a)), ("c", nearly(rng, a, 0.5))):
        (folder / f"{name}.onnx").write_bytes(network.source)
    (folder / "one.onnx").write_bytes(write_onnx(floats(([[1.0, 1.0]], [0.0]))))
    declared = "".join(
        f"(declare-const X_{i} Real)(assert (>= X_{i} -0.5))(assert (<= X_{i} 0.5))" for i in range(2)
    )
    for name, outputs in (("box", a.output_size), ("onebox", 1)):
        (folder / f"{name}.vnnlib").write_text(
            declared + "".join(f"(declare-const Y_{j} Real)" for j in range(outputs))
        )
    return folder


def run(folder, *words):
    return relucid("verify", *words, "--timeout", LONG, cwd=folder)


def test_the_command_line(files):
    found = json.loads(
        run(files, "a.onnx", "box.vnnlib", "--against", "a.onnx", "--same-label", "--json").stdout
    )
    assert (found["verdict"], found["backend"], found["word"]) == ("proved", "identical", "unsat")
    result = run(files, "a.onnx", "box.vnnlib", "--against", "c.onnx", "--same-label")
    assert result.returncode in (0, 1) and result.stdout.splitlines()[0] in ("sat", "unsat")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["a.onnx", "box.vnnlib", "--same-label"],
            "--same-label: is about two networks; give the second one with --against",
        ),
        (
            ["a.onnx", "box.vnnlib", "--against", "b.onnx", "--same-label", "--epsilon", "1"],
            "--same-label: and --epsilon are two questions",
        ),
        (
            ["one.onnx", "onebox.vnnlib", "--against", "one.onnx", "--same-label"],
            "one.onnx: has 1 outputs; --same-label compares 2 to 256",
        ),
    ],
)
def test_errors(files, words, message):
    result = run(files, *words)
    assert (
        (result.returncode, result.stdout) == (2, "")
        and message in result.stderr
        and result.stderr.count("\n") == 1
    )
