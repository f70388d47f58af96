"""Every verdict on tiny networks against exact polygon cutting, by every engine; and what an answer has to
be.
"""

from __future__ import annotations

import time
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from box_truth import ENGINES, above, alone, floats, random_network, random_property, unsafe_point
from clocks import ticking
from relucid.cli.status import exit_status
from relucid.models.network.exact_point import exact_outputs
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.report import vnncomp_word


def answer(network, stated, seconds=10.0, **options):
    return decide(network, stated, BoxOptions(deadline=time.monotonic() + seconds, **options))


def rational(text):
    return Fraction(text)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_polygon_cutting(monkeypatch, engine, inputs, seed):
    backend = alone(monkeypatch, engine)
    if seed % 3 == 0:  # let the engines find what the attack would
        monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    rng = np.random.default_rng(1000 * inputs + seed)
    for _ in range(4):
        network = random_network(rng, inputs)
        stated = random_property(rng, network)
        truth = unsafe_point(network, stated.cases[0])
        found = answer(network, stated, 3.0, threads=1 + seed % 2, backend=backend)
        if found.outcome == "proved":
            assert truth is None, f"proved, but {truth} is unsafe"
        elif found.outcome == "refuted":
            assert truth is not None
            point = list(found.counterexample.input)
            outputs = exact_outputs(network, point)
            assert stated.cases[0].contains(point) and stated.witnesses(point, outputs)
            assert tuple(outputs) == found.counterexample.output
        else:  # only an exact counterexample that onnxruntime, which rounds, does not share
            assert truth is not None and found.boxes.point is not None and _touches(network, stated), (
                found.reason,
                seed,
            )


def _touches(network, stated):
    """Whether a slightly smaller unsafe set decides the other way."""
    case = stated.cases[0]
    results = set()
    for slack in (Fraction(-1, 10**6), Fraction(1, 10**6)):
        unsafe = tuple(
            tuple(type(r)(r.x, r.y, r.constant + slack, r.strict) for r in rows) for rows in case.unsafe
        )
        results.add(unsafe_point(network, type(case)(case.lower, case.upper, unsafe)) is None)
    return len(results) == 2


def test_the_truth_knows_both_answers():
    """The generator makes enough of both kinds for the test above to mean something."""
    rng = np.random.default_rng(5)
    seen = Counter()
    for _ in range(60):
        network = random_network(rng, 2)
        seen[unsafe_point(network, random_property(rng, network).cases[0]) is None] += 1
    assert min(seen[True], seen[False]) >= 10


def test_time_is_kept_and_said(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = [6, 40, 40, 1]
    layers = [(rng.normal(0, 1, (b, a)), rng.normal(0, 1, b)) for a, b in pairwise(sizes)]
    network = floats(*layers)
    x = rng.uniform(-1, 1, (20_000, 6))
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
    highest = (x @ layers[-1][0].T + layers[-1][1]).max()
    monkeypatch.setattr(decide_module, "attack", lambda *a, **k: False)
    with ticking(0.01) as clock:
        found = answer(network, above(highest * 2, inputs=6, low=-1), 0.0)
    assert clock.looks < 200
    assert (
        found.outcome == "unknown"
        and vnncomp_word(found) == "timeout"
        and found.reason == "the time limit was reached"
    )


def test_an_answer_is_not_a_bool():
    found = answer(floats(([[1.0]], [0.0])), above(2))
    with pytest.raises(TypeError, match="not a bool"):
        bool(found)
    assert (found.outcome, vnncomp_word(found), exit_status(found)) == ("proved", "unsat", 0)


def test_no_case_is_proved_and_every_case_counts():
    network = floats(([[1.0]], [0.0]))
    nothing = type(above(2))(1, 1, ())
    assert answer(network, nothing).outcome == "proved"
    two = type(above(2))(1, 1, (*above(2).cases, *above(0.25).cases))
    assert answer(network, two).outcome == "refuted"


def test_a_polyhedron_without_rows_is_everywhere():
    network = floats(([[1.0]], [0.0]))
    case = above(2).cases[0]
    everywhere = type(above(2))(1, 1, (type(case)(case.lower, case.upper, ((),)),))
    assert answer(network, everywhere).outcome == "refuted"


def test_a_point_box_is_evaluated():
    network = floats(([[0.1]], [0.0]))
    third = Fraction(1, 3)
    value = exact_outputs(network, [third])[0]
    assert answer(network, above(value + Fraction(1, 10**9), low=third, high=third)).outcome == "proved"
    found = answer(network, above(value, low=third, high=third))
    assert found.outcome == "refuted" and found.counterexample.input == (Fraction(1, 3),)
    assert found.counterexample.distance == abs(Fraction(float(np.float32(1 / 3))) - third)
