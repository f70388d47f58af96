"""Linear programs: HiGHS's duals give bounds as good as its own, bounds hold whatever the duals are, and the
tree decides what is close.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from box_proof_cases import proved_and_false
from box_truth import above, floats, random_network, random_property
from clocks import ticking
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.network import Relu
from relucid.verifiers.bounds.cuts import layers_of
from relucid.verifiers.bounds.dual_bounds import proved_bounds
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.presolve import presolve
from relucid.verifiers.bounds.unsafe_rows import UnsafeRows
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.engines.boxes import linear_program as program
from relucid.verifiers.engines.boxes import lp, searches, strengthen
from relucid.verifiers.engines.boxes.lp import LpSolver, Solved
from relucid.verifiers.report import vnncomp_word


def soon():
    return time.monotonic() + 10


def wide(seed, inputs=14, hidden=(20, 12), outputs=3, rows=2):
    """A network with many neurons that may be on or off, and a polyhedron of rows without a constant."""
    rng = np.random.default_rng(seed)
    sizes = (inputs, *hidden, outputs)
    layers = [
        (np.rint(rng.normal(0, 64 * (2 / a) ** 0.5, (b, a))) / 64, np.rint(rng.normal(0, 8, b)) / 64)
        for a, b in pairwise(sizes)
    ]
    unsafe = tuple(
        Row((), tuple((j, Fraction(int(c), 8)) for j, c in enumerate(rng.integers(-9, 10, outputs))))
        for _ in range(rows)
    )
    case = Case((Fraction(-1),) * inputs, (Fraction(1),) * inputs, (unsafe,))
    return floats(*layers), Property(inputs, outputs, (case,))


def lowered(stated, by):
    unsafe = tuple(
        tuple(replace(r, constant=r.constant - by) for r in rows) for rows in stated.cases[0].unsafe
    )
    return replace(stated, cases=(replace(stated.cases[0], unsafe=unsafe),))


def parts_of(network, stated):
    case = stated.cases[0]
    net = float_network(network, case.lower, case.upper)
    rows = UnsafeRows.of(net, case.unsafe)
    root = presolve(net, rows, soon())
    written = program.linear_program(net, root.box, rows, np.arange(len(rows)))
    return net, rows, root, written, LpSolver(written, rows.owner, program.cut_units(net, written))


def cut_parts(network, stated):
    """The same with cuts."""
    net, rows, root, written, _ = parts_of(network, stated)
    written = strengthen.strengthened(
        net, rows, root.box, written, np.flatnonzero(~root.refuted), soon(), lambda text: None
    )
    return net, rows, root, written, LpSolver(written, rows.owner, program.cut_units(net, written))


def bound_of(net, rows, root, written, solved, phase):
    wide, first = {}, 0
    for k, own in written.cuts.items():
        wide[k] = own.weighed(solved.cuts[None, first : first + len(own)])
        first += len(own)
    factors, duals, phases = (
        np.zeros((1, len(rows))),
        np.zeros((1, net.count)),
        np.zeros((1, net.count), dtype=np.int8),
    )
    factors[0, written.rows], duals[0, written.neuron], phases[0, written.neuron] = (
        solved.factors,
        solved.duals,
        phase,
    )
    return proved_bounds(net, rows, root.box, factors, duals, phases, wide)[0].bound[0]


@pytest.mark.parametrize("made", [parts_of, cut_parts])
@pytest.mark.parametrize("seed", range(4))
def test_prices_prove_what_the_program_says(monkeypatch, made, seed):
    """Duality: the bound of the multipliers is the program's optimum, and a ray of an infeasible program is a
    contradiction.
    """
    monkeypatch.setattr(lp, "ENOUGH", np.inf)  # to the optimum
    net, rows, root, written, relaxation = made(*wide(seed))
    assert (len(written.cuts) > 0) == (made is cut_parts)
    rng = np.random.default_rng(seed)
    seen = Counter()
    for share in (0.0, 0.1, 0.3, 0.6, 1.0) * 6:
        phase = np.where(
            rng.random(len(written.neuron)) < share, rng.choice([-1, 1], len(written.neuron)), 0
        ).astype(np.int8)
        solved = relaxation.solve(phase, 0, soon())
        bound = bound_of(net, rows, root, written, solved, phase)
        seen["infeasible" if solved.margin == -np.inf else "feasible"] += 1
        if solved.margin == -np.inf:
            assert bound < 0 and not solved.factors.any()
        else:
            assert abs(bound - solved.margin) < 1e-6 * (1 + abs(solved.margin))
            assert (
                solved.factors.sum() == pytest.approx(1)
                and (root.box.low <= solved.inputs).all()
                and (solved.inputs <= root.box.high).all()
            )
    assert min(seen["feasible"], seen["infeasible"]) >= 3


@pytest.mark.parametrize("seed", range(3))
def test_cuts_say_more_than_triangles(seed):
    plain, cut = (made(*wide(seed)) for made in (parts_of, cut_parts))
    none = np.zeros(len(plain[3].neuron), dtype=np.int8)
    before, after = (relaxation.solve(none, 0, soon()).margin for *_, relaxation in (plain, cut))
    assert 0 < after < 0.92 * before


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("made", [parts_of, cut_parts])
def test_the_program_is_a_relaxation(made, seed):
    """No input does better than the program that knows its phases, nor than the one that knows
    none of them.
    """
    network, stated = wide(seed, hidden=(8, 6))
    net, rows, _, written, relaxation = made(network, stated)
    points = np.random.default_rng(seed).uniform(-1, 1, (30, 14))
    values = net.values(points)
    margins = rows.margin(points, values[-1])[:, 0]
    free = relaxation.solve(np.zeros(len(written.neuron), dtype=np.int8), 0, soon()).margin
    before = np.concatenate([values[n.source] for n in net.nodes if isinstance(n, Relu)], axis=1)[
        :, written.neuron
    ]
    for point, margin in zip(before, margins, strict=True):
        known = relaxation.solve(np.where(point > 0, 1, -1).astype(np.int8), 0, soon()).margin
        assert margin <= known + 1e-6 and known <= free + 1e-6


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_bounds_hold_whatever_the_prices_are(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, int(rng.integers(1, 4)), scale=float(2.0 ** rng.integers(-20, 20)))
    stated = random_property(rng, network)
    case = stated.cases[0]
    net = float_network(network, case.lower, case.upper)
    rows = UnsafeRows.of(net, case.unsafe)
    root = presolve(net, rows, soon())
    point = [
        a + (b - a) * Fraction(int(v), 8)
        for a, b, v in zip(case.lower, case.upper, rng.integers(0, 9, net.sizes[0]), strict=True)
    ]
    exact = [point]
    for node in network.nodes:
        if isinstance(node, Relu):
            exact.append([max(v, Fraction(0)) for v in exact[node.source]])
        else:
            total = [Fraction(int(b), node.denominator) for b in node.bias]
            for source, matrix in zip(node.sources, node.matrices, strict=True):
                for i, row in enumerate(matrix):
                    total[i] += sum(
                        (
                            Fraction(int(w), node.denominator) * v
                            for w, v in zip(row, exact[source], strict=True)
                        ),
                        Fraction(0),
                    )
            exact.append(total)
    before = [v for node in network.nodes if isinstance(node, Relu) for v in exact[node.source]]
    signs = np.array([(v > 0) - (v < 0) for v in before], dtype=np.int8)
    phase = np.where(
        rng.random((4, net.count)) < 0.5, np.where(signs == 0, rng.choice([-1, 1], net.count), signs), 0
    ).astype(np.int8)
    factors = rng.random((4, len(rows))) * (rng.random((4, len(rows))) < 0.7)
    duals = rng.normal(0, 1, (4, net.count)) * 10.0 ** rng.integers(-3, 9, (4, 1))
    wide = {}
    for k, layer in layers_of(net, root.box).items():
        place = rng.integers(0, net.sizes[k], 5)
        share = rng.choice([0.0, 0.5, 1.0, 3.0], (5, 1))  # of the neuron's own slopes, and something else
        own = layer.cuts(
            place, share * layer.weights[place] + rng.normal(0, 1, (5, 1)) * rng.choice([0.0, 1.0], (5, 1))
        )
        inputs, outputs = exact[own.source], exact[k]
        for j, slopes, offset in zip(place, own.slopes, own.offset, strict=True):
            line = sum(
                (Fraction(float(c)) * v for c, v in zip(slopes, inputs, strict=True)), Fraction(float(offset))
            )
            assert outputs[j] <= line
        wide[k] = own.weighed(np.abs(rng.normal(0, 1, (4, 5))) * 10.0 ** rng.integers(-3, 9, (4, 1)))
    found, _ = proved_bounds(net, rows, root.box, factors, duals, phase, wide)
    values = [row.value(point, exact[-1]) for polyhedron in case.unsafe for row in polyhedron]
    for given_, bound in zip(factors, found.bound, strict=True):
        assert sum(Fraction(float(f)) * v for f, v in zip(given_, values, strict=True)) <= Fraction(
            float(bound)
        )


def test_sums_of_rows_that_cancel_are_bounded_too():
    """Hundreds of rows that are nearly each other's opposites: what is left is below the rounding
    of the sum.
    """
    network = floats(([[1]], [0]))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(2**50, 2**53, 300)
        polyhedron = tuple(
            Row((), ((0, Fraction(int(sign * size), 3)),), Fraction(int(-sign * size), 7))
            for size in sizes
            for sign in (1, -1)
        )
        net = float_network(network, [Fraction(1)], [Fraction(1)])
        rows = UnsafeRows.of(net, [polyhedron])
        factors = np.repeat(rng.random((1, 300)), 2, axis=1)
        factors[0, -1] += 2.0**-53
        exact = sum(
            Fraction(float(f)) * row.value([Fraction(1)], [Fraction(1)])
            for f, row in zip(factors[0], polyhedron, strict=True)
        )
        found, _ = proved_bounds(
            net,
            rows,
            presolve(net, rows, soon()).box,
            factors,
            np.zeros((1, 0)),
            np.zeros((1, 0), dtype=np.int8),
        )
        assert exact <= Fraction(float(found.bound[0]))


def test_what_is_only_just_true_is_proved_and_what_is_only_just_false_refuted(monkeypatch):
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    seen = Counter()
    for network, true, _, false in proved_and_false()[::2]:
        proved = decide(network, true, BoxOptions(deadline=soon(), backend="lp"))
        refuted = decide(network, false, BoxOptions(deadline=soon(), backend="lp"))
        assert (
            proved.outcome == "proved" and refuted.outcome != "proved"
        )  # few are so nearly true that no float shows it
        seen["refuted"] += refuted.outcome == "refuted"
        seen["searched"] += proved.attempts[-1].detail not in ("1 parts", "0 parts")
    assert seen["searched"] >= 10 and seen["refuted"] >= 22


@pytest.mark.parametrize("threads", [1, 2])
def test_a_wide_box_that_bounds_do_not_split(threads):
    network, stated = wide(1)
    seen = decide(network, lowered(stated, 4), BoxOptions(deadline=soon(), backend="lp", threads=threads))
    assert seen.outcome == "proved" and int(seen.attempts[-1].detail.split()[0]) > 20
    assert (
        decide(
            network, lowered(stated, 4), BoxOptions(deadline=soon(), backend="milp", trust="float")
        ).outcome
        == "proved"
    )


def test_several_polyhedra_and_rows_about_inputs():
    network = floats(([[1, 1], [1, -1]], [0, 0]), ([[1, 1]], [0]))
    box = (Fraction(-1),) * 2, (Fraction(1),) * 2
    # the output is max(0, x0 + x1) + max(0, x0 - x1): at most 2, and at most 1 + x0
    for far, verdict in ((Fraction(3, 8), "proved"), (Fraction(1, 8), "refuted")):
        first = (Row((), ((0, Fraction(1)),), Fraction(-17, 8)),)
        second = (
            Row((), ((0, Fraction(1)),), Fraction(-3, 2)),
            Row(((0, Fraction(-1)),), (), Fraction(3, 4) - far),
        )
        found = decide(
            network, Property(2, 1, (Case(*box, (first, second)),)), BoxOptions(deadline=soon(), backend="lp")
        )
        assert found.outcome == verdict, far


def test_inputs_that_are_fixed_and_networks_without_relus():
    network = floats(([[1, 3], [2, -1]], [0, 0]), ([[1, -1]], [0]))
    point = (Fraction(1, 3), Fraction(1, 7))
    value = exact_outputs(network, point)[0]
    for shift, verdict in ((Fraction(1, 10**6), "proved"), (Fraction(0), "refuted")):
        stated = Property(2, 1, (Case(point, point, ((Row((), ((0, Fraction(1)),), -value - shift),),)),))
        assert decide(network, stated, BoxOptions(deadline=soon(), backend="lp")).outcome == verdict
    for limit, verdict in ((3.5, "proved"), (2.5, "refuted")):
        assert (
            decide(
                floats(([[1, 2]], [0])), above(limit, inputs=2), BoxOptions(deadline=soon(), backend="lp")
            ).outcome
            == verdict
        )


class Liar(LpSolver):
    """Says that everything is far below 0, with duals of its own."""

    def solve(self, phase, polyhedron, deadline):
        true = super().solve(phase, polyhedron, deadline)
        rng = np.random.default_rng(0)
        return Solved(
            -1.0,
            true.inputs,
            true.y,
            true.s,
            rng.random(len(self._owner)),
            rng.normal(0, 1, len(phase)) * 100,
            rng.random(len(self._units) - len(phase)),
        )


class Silent(LpSolver):
    def solve(self, phase, polyhedron, deadline):
        return Solved(np.inf)


class Early(LpSolver):
    """Calls everything infeasible."""

    def solve(self, phase, polyhedron, deadline):
        return Solved(
            -np.inf,
            factors=np.zeros(len(self._owner)),
            duals=np.ones(len(phase)),
            cuts=np.ones(len(self._units) - len(phase)),
        )


@pytest.mark.parametrize("broken", [Liar, Silent, Early])
def test_what_highs_says_is_never_believed(monkeypatch, broken):
    monkeypatch.setattr(strengthen, "LpSolver", broken)
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    for network, _, _, false in proved_and_false()[:12]:
        assert (
            decide(network, false, BoxOptions(deadline=time.monotonic() + 2, backend="lp")).outcome
            != "proved"
        )


def test_too_large_a_program_is_not_written(monkeypatch):
    monkeypatch.setattr(program, "MOST_ENTRIES", 10)
    network, stated = wide(1)
    found = decide(network, lowered(stated, 4), BoxOptions(deadline=soon(), backend="lp"))
    assert (found.outcome, found.reason) == ("unknown", program.TOO_LARGE)
    monkeypatch.setattr(searches, "LP_AFTER", 0.0)
    network, stated = random_network(np.random.default_rng(3), 2), above(1000, inputs=2)
    assert (
        decide(network, replace(stated, outputs=network.output_size), BoxOptions(deadline=soon())).outcome
        == "proved"
    )


def test_the_deadline_is_kept(monkeypatch):
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    network, stated = wide(0, inputs=40, hidden=(60, 60), rows=1)
    with ticking(0.01) as clock:
        began = clock.now
        found = decide(network, lowered(stated, 16), BoxOptions(deadline=began + 2, backend="lp"))
    assert vnncomp_word(found) == "timeout" and clock.now < began + 4
