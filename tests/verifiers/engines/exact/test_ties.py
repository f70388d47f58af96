"""What holds by an exact equality: linear programs, verdicts and proofs against exact polygon cutting; and
six such properties that were unknown once.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from box_proof_cases import DIGESTS, accepted, both_say
from box_truth import ENGINES, alone, cut, floats, rectangle, unsafe_point, value
from relucid.models.claims.box_paths import BoxFiles
from relucid.models.claims.property import Case, Property, Row
from relucid.models.claims.vnnlib import load_text, read_vnnlib
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.onnx.reader import load_onnx
from relucid.models.onnx.writer import with_source, write_onnx
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import decide_same_label
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.boxes.process import decide_box_files
from relucid.verifiers.engines.exact.forms import ExactSubdomain
from relucid.verifiers.engines.exact.last_word import LastWord, Shown, Unsafe, whole_box
from relucid.verifiers.engines.exact.lp import Empty, Point, System, TooMuchWork, Work, solve
from relucid.verifiers.proof.boxes.producer import HowProved, proof_lines
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.report import vnncomp_word
from tie_cases import CASES, NAMES, just_true, not_strict, tie_network, tie_property

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
ONE = Fraction(1)


def read(name: str) -> tuple[Network, Property]:
    stated = read_vnnlib(load_text(CASES / f"{name}.vnnlib"), origin=name)
    return load_onnx(CASES / f"{name}.onnx", real_size=stated.inputs), stated


def case_files(name: str) -> BoxFiles:
    return BoxFiles(CASES / f"{name}.onnx", CASES / f"{name}.vnnlib")


def answer(network: Network, stated: Property, seconds: float = 60.0, **options):
    return decide(network, stated, BoxOptions(deadline=time.monotonic() + seconds, **options))


def whole(network: Network, case: Case) -> ExactSubdomain:
    count = network.relu_count
    return ExactSubdomain(
        case.lower,
        case.upper,
        np.zeros(count, dtype=np.int8),
        np.full(count, -np.inf),
        np.full(count, np.inf),
    )


def unsafe(*rows: Row, low: object = 0, high: object = 1, inputs: int = 1, outputs: int = 1) -> Property:
    box = (Fraction(low),) * inputs, (Fraction(high),) * inputs  # type: ignore[arg-type]
    return Property(inputs, outputs, (Case(*box, (rows,)),))


def over(j: int, limit: object, *, strict: bool = True) -> Row:
    return Row((), ((j, ONE),), -Fraction(limit), strict)  # type: ignore[arg-type]


def under(j: int, limit: object, *, strict: bool = True) -> Row:
    return Row((), ((j, -ONE),), Fraction(limit), strict)  # type: ignore[arg-type]


# -- linear programs
# ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_systems_against_cutting_polygons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = Counter[type]()
    for _ in range(60):
        inputs, count = int(rng.integers(1, 3)), int(rng.integers(1, 6))
        matrix, constant = rng.integers(-2, 3, (count, inputs)), rng.integers(-3, 3, count)
        strict = rng.random(count) < 0.5
        low = rng.integers(-2, 1, inputs)
        high = low + rng.integers(0, 4, inputs)
        scale = int(rng.integers(1, 4))
        left = rectangle(*(tuple(Fraction(int(v), scale) for v in ends) for ends in (low, high)))
        forms = [
            (tuple(map(Fraction, row.tolist())), Fraction(int(c)))
            for row, c in zip(matrix, constant, strict=True)
        ]
        for form in forms:
            left = cut(left, form) if left else left
        middle = tuple(sum(xs, Fraction(0)) / len(left) for xs in zip(*left, strict=True)) if left else ()
        there = bool(left) and all(value(f, middle) > 0 for f, s in zip(forms, strict, strict=True) if s)
        system = System(
            *(m.astype(object) for m in (matrix, constant)),
            strict,
            low.astype(object),
            high.astype(object),
            scale,
        )
        found = solve(system, Work(10**6))
        seen[type(found)] += 1
        assert isinstance(found, Point) == there
        assert system.holds(found.values) if isinstance(found, Point) else system.refuted_by(found.factors)
    assert min(seen[Empty], seen[Point]) >= 5


def test_reasons_are_looked_at_again() -> None:
    """x > 1 on [0, 1]: refuted by itself; x >= 1 is not, nor is anything by negative factors or none."""
    one, low, high = (np.array([v], dtype=object) for v in (1, 0, 1))
    for strict in (True, False):
        system = System(one[None], -one, np.array([strict]), low, high, 1)
        assert system.refuted_by(one) is strict
        assert not system.refuted_by(-one) and not system.refuted_by(0 * one)
        assert system.holds((ONE,)) is not strict and not system.holds((Fraction(2),))


def test_work_is_counted() -> None:
    rng = np.random.default_rng(3)
    matrix, low = rng.integers(-99, 99, (30, 20)).astype(object), np.array([-1] * 20, dtype=object)
    system = System(matrix, np.array([-1] * 30, dtype=object), np.array([True] * 30), low, -low, 1)
    with pytest.raises(TooMuchWork):
        solve(system, Work(2000))


def test_a_part_is_interrupted() -> None:
    def tick() -> None:
        raise KeyboardInterrupt

    network = floats(([[1]], [0]), ([[1]], [0]))
    (case,) = unsafe(under(0, 0)).cases
    with pytest.raises(KeyboardInterrupt):
        LastWord(network, case.unsafe, tick=tick).about(whole(network, case), [0])


# -- parts
# ------------------------------------------------------------


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_the_last_word_is_the_truth(seed: int, odd: bool) -> None:
    """With strict rows and others, on faces where they are equal; with neurons that are one, and
    with none.
    """
    seen = Counter[type]()
    for k in range(40):
        rng = np.random.default_rng([seed, k, odd])
        network = tie_network(rng, odd=odd)
        (case,) = tie_property(rng, network).cases
        truth = unsafe_point(network, case)
        for plain in (False, True):
            said = LastWord(network, case.unsafe, plain).about(whole(network, case), range(len(case.unsafe)))
            seen[type(said)] += 1
            assert isinstance(said, Shown if truth is None else Unsafe), (seed, k, plain)
    assert set(seen) == {Shown, Unsafe}


def test_a_part_says_what_it_is_about() -> None:
    """|x| on [-1, 1] is 1 at both ends: on the half with phase x <= 0 the other end is not asked about."""
    network = floats(([[1], [-1]], [0, 0]), ([[1, 1]], [0]))
    stated = (over(0, 1, strict=False), Row(((0, ONE),), ()))  # |x| >= 1 and x >= 0
    part = ExactSubdomain(
        (-ONE,), (ONE,), np.array([-1, 0], dtype=np.int8), np.full(2, -np.inf), np.full(2, np.inf)
    )
    word = LastWord(network, [stated])
    assert isinstance(word.about(part, [0]), Shown)
    assert word.about(
        ExactSubdomain((-ONE,), (ONE,), np.zeros(2, dtype=np.int8), part.lower, part.upper), [0]
    ) == Unsafe((ONE,))
    assert word.about(part, [0], work=1) is None


def wide(rng: np.random.Generator, *last: tuple[object, object]) -> Network:
    """Two layers of 64 ReLUs, then these: far too much for a program of all of it."""
    sizes = (6, 64, 64, np.asarray(last[0][0]).shape[1])
    layers = [
        (np.rint(rng.normal(0, 8, (b, a))) / 8, np.rint(rng.normal(0, 8, b)) / 8) for a, b in pairwise(sizes)
    ]
    return floats(*layers, *last)


@pytest.mark.parametrize(
    ("last", "rows", "close"),
    [
        ([([[1]], [0])], (under(0, 0),), (under(0, 0, strict=False),)),  # a ReLU at the end is never negative
        (
            [([[-1]], [1]), ([[-1]], [1])],
            (over(0, 1),),
            (over(0, 1, strict=False),),
        ),  # 1 - relu(1 - relu(x)): never above 1
        ([([[1], [1]], [0, 0])], (over(0, 5), under(1, 5)), (over(0, 5), under(1, 6))),  # twins
        ([([[1, -1], [-1, 1]], [0, 0])], (over(0, 0), over(1, 0)), (over(0, 0),)),  # a sum of rows is 0
        ([([[1, 1]], [0])], (under(0, 0),), (under(0, 0, strict=False),)),  # relu(x) + relu(y)
    ],
    ids=["relu", "clip", "twins", "opposites", "sum"],
)
def test_the_last_layers_of_large_networks(monkeypatch: pytest.MonkeyPatch, last, rows, close) -> None:
    network = wide(np.random.default_rng(0), *last)
    monkeypatch.setattr(decide_module, "searched", None)
    found = answer(network, unsafe(*rows, inputs=6, outputs=network.output_size))
    assert found.outcome == "proved" and [s.backend for s in found.attempts] == ["exact"]
    case = unsafe(*close, inputs=6, outputs=network.output_size).cases[0]
    assert not isinstance(whole_box(network, case, float_network(network, case.lower, case.upper)), Shown)


def test_a_tie_on_a_plane_through_the_box() -> None:
    """Max of two sums that are equal on a plane through a box of five inputs: unsafe is more than either; cut
    by inputs, then exactly.
    """
    rng = np.random.default_rng(1)
    one, other = rng.integers(-4, 5, (2, 5))
    network = floats(
        (np.stack([one - other, *np.eye(5), *-np.eye(5)]), np.zeros(11)),
        (np.array([[1, *other, *-other], [0, *one, *-one], [0, *other, *-other]]), np.zeros(3)),
    )
    rows = (Row((), ((0, ONE), (1, -ONE)), strict=True), Row((), ((0, ONE), (2, -ONE)), strict=True))
    for backend in ("split", "lp"):
        found = answer(network, unsafe(*rows, low=-1, inputs=5, outputs=3), backend=backend)
        assert found.outcome == "proved", (backend, found.reason)
        assert found.evidence is not None and found.evidence.by_ties


# -- verdicts
# ------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize("name", NAMES)
def test_six_properties_of_an_equality(name: str) -> None:
    found = decide_box_files(case_files(name), Budget(60.0), ProofRequest("exact"))
    assert (vnncomp_word(found), found.trust, [s.backend for s in found.attempts]) == (
        "unsat",
        "exact",
        ["exact"],
    )
    network, stated = read(name)
    said = whole_box(
        network, stated.cases[0], float_network(network, stated.cases[0].lower, stated.cases[0].upper)
    )
    assert isinstance(said, Shown) and len(said.leaves) <= 3  # so few programs: a hundredth of a second


@needs_cases
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_six_properties_by_every_engine_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, engine: str
) -> None:
    found = answer(*read(name), backend=alone(monkeypatch, engine))
    assert found.outcome == "proved" and found.evidence is not None and found.evidence.by_ties


@pytest.mark.parametrize("seed", range(10))
def test_verdicts_are_exact(seed: int) -> None:
    """Counterexamples that lie on a face and nowhere else are found; onnxruntime computes small integers
    exactly.
    """
    for k in range(6):
        rng = np.random.default_rng([77, seed, k])
        network = tie_network(rng)
        stated = tie_property(rng, network)
        stated = just_true(rng, network) if k % 2 else stated
        stated = not_strict(stated) if k % 3 == 2 else stated
        truth = unsafe_point(network, stated.cases[0])
        found = answer(network, stated)
        if found.outcome == "unknown":
            assert truth is not None and "onnxruntime" in str(found.reason)
        else:
            assert found.outcome == ("proved" if truth is None else "refuted"), (seed, k)


@pytest.mark.parametrize(("times", "word"), [(2, "sat"), (41, "unknown")])
def test_one_point_is_unsafe(times: int, word: str) -> None:
    """|times x - 1| <= 0 at 1/times alone: where no float is there, onnxruntime finds something else at the
    nearest.
    """
    network = with_source(floats(([[times], [-times]], [-1, 1]), ([[1, 1]], [0])))
    found = answer(network, unsafe(under(0, 0, strict=False)))
    point = found.counterexample if word == "sat" else found.boxes.point
    assert vnncomp_word(found) == word and point.input == (Fraction(1, times),)
    if word == "unknown":
        assert found.reason is not None and "onnxruntime" in found.reason and point.distance != 0
    assert vnncomp_word(answer(network, unsafe(under(0, 0)))) == "unsat"


def scaled() -> tuple[Network, Network]:
    """relu(x - 1/3), 1/2 - relu(x), and the same by neurons of other sizes: equal everywhere, but not number
    by number.
    """
    one = Network(1, (Affine((0,), (integer_array([[3], [3]]),), integer_array([-1, 0]), 3), Relu(1),
                      Affine((2,), (integer_array([[2, 0], [0, -2]]),), integer_array([0, 1]), 2)), "real")  # fmt: skip
    other = Network(1, (Affine((0,), (integer_array([[3], [6]]),), integer_array([-1, 0])), Relu(1),
                        Affine((2,), (integer_array([[2, 0], [0, -1]]),), integer_array([0, 3]), 6)), "real")  # fmt: skip
    return one, other


def test_two_networks_that_are_one_function() -> None:
    a, b = scaled()
    boxes = Property(1, 2, (Case((-ONE,), (ONE,), ((),)),))
    deadline = time.monotonic() + 60
    assert decide_same_label(a, b, boxes, BoxOptions(deadline=deadline)).outcome == "proved"
    assert decide_against(a, b, boxes, Fraction(0), BoxOptions(deadline=deadline)).outcome == "proved"
    shifted = Network(1, (*b.nodes[:2], Affine((2,), b.nodes[2].matrices, integer_array([0, 4]), 6)), "real")  # type: ignore[union-attr]
    for epsilon, verdict in ((Fraction(1, 6), "proved"), (Fraction(1, 6) - Fraction(1, 2**40), "refuted")):
        assert decide_against(a, shifted, boxes, epsilon, BoxOptions(deadline=deadline)).outcome == verdict
    assert decide_same_label(a, shifted, boxes, BoxOptions(deadline=deadline)).outcome == "refuted"


def test_ties_go_to_the_lowest_label(tmp_path: Path) -> None:
    """Both outputs are equal everywhere: label 0, as for a network that always prefers it; one that prefers
    the other by nothing at one point.
    """
    tied = with_source(floats(([[1]], [0]), ([[1], [1]], [0, 0])))
    first = with_source(floats(([[1]], [0]), ([[1], [1]], [1, 0])))
    second = with_source(
        floats(([[1]], [0]), ([[0], [1]], [1, 0]))
    )  # (1, relu(x)): label 0 up to x = 1, there too
    boxes = Property(1, 2, (Case((Fraction(-1),), (ONE,), ((),)),))
    for a, b in ((tied, first), (first, tied), (tied, second)):
        assert decide_same_label(a, b, boxes, BoxOptions(deadline=time.monotonic() + 60)).outcome == "proved"
    further = Property(1, 2, (Case((Fraction(-1),), (Fraction(9, 8),), ((),)),))
    assert (
        decide_same_label(tied, second, further, BoxOptions(deadline=time.monotonic() + 60)).outcome
        == "refuted"
    )
    write_onnx(tied)


# -- proofs
# ------------------------------------------------------------


def proof_of_tie(network: Network, stated: Property) -> list[dict]:
    return json.loads(
        json.dumps(
            list(proof_lines(network, stated, DIGESTS, time.monotonic() + 60, how=HowProved(ties=True)))
        )
    )


@needs_cases
@pytest.mark.parametrize("name", NAMES)
def test_proofs_of_the_six(name: str, tmp_path: Path) -> None:
    network, stated = read(name)
    proof = tmp_path / "proof"
    found = decide_box_files(case_files(name), Budget(60.0), ProofRequest("exact", proof))
    assert (vnncomp_word(found), found.trust) == ("unsat", "checked")
    lines = [json.loads(line) for line in proof.read_text().splitlines()]
    assert accepted(network, stated, lines)
    if name != "marabou421":  # nor are there points where its rows are equal
        assert not accepted(network, not_strict(stated), lines)


@pytest.mark.parametrize("seed", range(6))
def test_both_checkers_accept_ties_and_no_more(seed: int, tmp_path: Path) -> None:
    """A proof of strict rows is none of the same rows that are not strict, where these hold somewhere."""
    made = close = 0
    for k in range(24):
        rng = np.random.default_rng([5, seed, k])
        network = tie_network(rng)
        stated = (just_true, tie_property)[k % 2](rng, network)
        if unsafe_point(network, stated.cases[0]) is not None:
            continue
        lines = proof_of_tie(network, stated)
        assert both_say(network, stated, lines, tmp_path) == (True, True), (seed, k)
        made += 1
        if unsafe_point(network, not_strict(stated).cases[0]) is not None:
            assert both_say(network, not_strict(stated), lines, tmp_path) == (False, False)
            close += 1
    assert made >= 8 and close >= 4


@pytest.mark.parametrize("seed", range(4))
def test_proofs_where_nothing_is_dyadic(seed: int) -> None:
    """Weights are thirds: rounded bounds never show an equality; the checker has to look at those leaves once
    more.
    """
    made = 0
    for k in range(24):
        rng = np.random.default_rng([6, seed, k])
        network = tie_network(rng, odd=True)
        stated = just_true(rng, network)
        if unsafe_point(network, stated.cases[0]) is None:
            lines = proof_of_tie(network, stated)
            assert accepted(network, stated, lines), (seed, k)
            assert not accepted(network, not_strict(stated), lines)
            made += 1
    assert made >= 8
