"""Proofs about boxes: the arithmetic against exact values, both checkers on proofs and mutants, the truth by cutting polygons."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import second_checker
from box_truth import above, floats, random_network, random_property, unsafe_point
from relucid.cli import main
from relucid.models.errors import Unsupported
from relucid.models.exact_point import exact_outputs
from relucid.models.network import Affine, Network, Relu, integer_array
from relucid.models.onnx_writer import with_source
from relucid.models.property import Case, Property, Row
from relucid.models.vnnlib import read_vnnlib
from relucid.verifiers.boxes import certificate, certified
from relucid.verifiers.boxes.certificate import proof_lines
from relucid.verifiers.proof import box_checker
from relucid.verifiers.proof.box_bounds import BOX, ONE, SCALE, Asked, box_network, start, tightened, upper_bounds
from relucid.verifiers.proof.box_checker import check_box_proof
from relucid.verifiers.proof.box_witness import box_witness_line, check_box_witness
from relucid.verifiers.proof.format import LimitReached, Rejected

Lines = list[dict[str, Any]]
DIGESTS = {"network": "n", "property": "p"}


def proof_of(network: Network, stated: Property, seconds: float = 20.0) -> Lines:
    lines = proof_lines(network, stated, DIGESTS, time.monotonic() + seconds)
    return json.loads(json.dumps(list(lines)))


def accepted(network: Network, stated: Property, lines: Lines, digests: dict[str, str] = {}) -> bool:  # noqa: B006
    try:
        check_box_proof(network, stated, digests, copy.deepcopy(lines))
    except Rejected:
        return False
    return True


def text_of(stated: Property) -> str:
    """As VNN-LIB 1.0, which has one box."""
    (case,) = stated.cases
    out = [f"(declare-const {kind}_{i} Real)" for kind, n in (("X", stated.inputs), ("Y", stated.outputs)) for i in range(n)]
    for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        out += [f"(assert (>= X_{i} {decimal(low)}))", f"(assert (<= X_{i} {decimal(high)}))"]
    polyhedra = []
    for rows in case.unsafe:
        comparisons = []
        for row in rows:
            terms = [f"(* {decimal(c)} {kind}_{i})" for kind, own in (("X", row.x), ("Y", row.y)) for i, c in own]
            comparisons.append(f"({'>' if row.strict else '>='} (+ {' '.join(terms)} {decimal(row.constant)} 0.0) 0.0)")
        polyhedra.append(f"(and {' '.join(comparisons)})")
    return "\n".join([*out, f"(assert (or {' '.join(polyhedra)}))", ""])


def decimal(value: Fraction) -> str:
    scaled = value * 10**12
    assert scaled.denominator == 1
    return f"{'-' if scaled < 0 else ''}{abs(scaled.numerator) // 10**12}.{abs(scaled.numerator) % 10**12:012d}"


def shifted(stated: Property, by: Fraction) -> Property:
    """Every row is larger by this much."""
    return replace(
        stated,
        cases=tuple(
            replace(c, unsafe=tuple(tuple(replace(r, constant=r.constant + by) for r in rows) for rows in c.unsafe)) for c in stated.cases
        ),
    )


def edge(network: Network, stated: Property) -> tuple[Fraction, Fraction] | None:
    """Shifts for which the property is still true and already false, close together."""
    low, high = Fraction(-64), Fraction(64)
    if unsafe_point(network, shifted(stated, low).cases[0]) is not None or unsafe_point(network, shifted(stated, high).cases[0]) is None:
        return None
    while high - low > Fraction(1, 2**10):
        middle = (low + high) / 2
        low, high = (middle, high) if unsafe_point(network, shifted(stated, middle).cases[0]) is None else (low, middle)
    return low, high


def larger_network(rng: np.random.Generator, inputs: int) -> Network:
    a, b, c = int(rng.integers(4, 8)), int(rng.integers(3, 6)), int(rng.integers(1, 4))

    def matrix(*shape: int) -> np.ndarray:
        return integer_array(np.rint(rng.normal(0, 8, shape)).astype(np.int64))

    steps = [Affine((k,), (matrix(n, m),), matrix(n), 8) for k, m, n in ((0, inputs, a), (2, a, b), (4, b, c))]
    return with_source(Network(inputs, (steps[0], Relu(1), steps[1], Relu(3), steps[2]), "real"))


# seeds whose proofs cut inputs, split ReLUs, optimise bounds, and a few that need nothing
CUT = (9, 15, 42, 48, 51, 75, 96, 99, 109, 117, 129, 135, 138, 140, 176, 186, 195, 198, 213, 219, 261, 345)
PHASES = (4, 7, 13, 14, 43, 49, 55, 74, 88, 110, 139, 143, 151, 161, 167, 181, 185, 187, 193, 196, 197, 209)
OTHERS = (31, 32, 41, 44, 89, 103, 0)


@cache
def proved_and_false() -> list[tuple[Network, Property, Lines, Property]]:
    """Properties of small networks that are only just true, with their proofs, and the nearest false ones."""
    out: list[tuple[Network, Property, Lines, Property]] = []
    few = certificate.FEW_INPUTS
    for seed in (*CUT, *PHASES, *OTHERS):
        rng = np.random.default_rng(seed)
        network = larger_network(rng, 1 + seed % 2)
        stated = random_property(rng, network)
        between = edge(network, stated)
        assert between is not None
        true = shifted(stated, between[0] - Fraction(1, 64))
        try:
            certificate.FEW_INPUTS = -1 if seed % 3 else few
            out.append((network, true, proof_of(network, true), shifted(stated, between[1])))
        finally:
            certificate.FEW_INPUTS = few
    return out


def proved() -> list[tuple[Network, Property, Lines]]:
    return [entry[:3] for entry in proved_and_false()]


def false_neighbours() -> list[tuple[Network, Property, Lines]]:
    return [(network, false, lines) for network, _, lines, false in proved_and_false()]


# -- the arithmetic ------------------------------------------------------------------------------------------------------


def wild_network(rng: np.random.Generator, inputs: int) -> Network:
    """Weights of any size, thirds and denominators that are no powers of two among them; a sum of two branches."""

    def matrix(*shape: int) -> np.ndarray:
        values = np.frompyfunc(lambda m, e: int(m * 2**40) << int(e), 2, 1)(rng.normal(0, 1, shape), rng.integers(0, 60, shape))
        return integer_array(np.asarray(values, dtype=object))

    a, b = (int(v) for v in rng.integers(2, 6, 2))
    scale = int(rng.choice([1, 2**40, 3 * 2**50, 10**17, 2**90]))
    nodes = (
        Affine((0,), (matrix(a, inputs),), matrix(a), scale),
        Relu(1),
        Affine((2,), (matrix(b, a),), matrix(b), scale),
        Relu(3),
        Affine((2, 4), (matrix(2, a), matrix(2, b)), matrix(2), scale),
        Relu(0),
        Affine((5, 6, 0), (matrix(2, 2), matrix(2, inputs), matrix(2, inputs)), matrix(2), scale),
    )
    return Network(inputs, nodes, "real")


def node_values(network: Network, point: list[Fraction]) -> list[list[Fraction]]:
    values = [list(point)]
    for node in network.nodes:
        if isinstance(node, Relu):
            values.append([max(v, Fraction(0)) for v in values[node.source]])
        else:
            out = [Fraction(int(v)) for v in node.bias]
            for s, w in zip(node.sources, node.weights, strict=True):
                out = [o + sum(int(x) * v for x, v in zip(row, values[s], strict=True)) for o, row in zip(out, w, strict=True)]
            values.append([v / node.denominator for v in out])
    return values


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_bounds_hold_for_every_multiplier(seed: int, wild: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 4))
    network = wild_network(rng, inputs) if wild else random_network(rng, inputs)
    net = box_network(network)
    low = [Fraction(int(v), 7) for v in rng.integers(-9, 5, inputs)]
    high = [v + Fraction(int(w), 9) for v, w in zip(low, rng.integers(0, 9, inputs), strict=True)]
    case = Case(tuple(low), tuple(high), ())
    region = box_checker.region_of(net, case)
    if seed % 2:
        region = tightened(net, region)
    points = [[a + (b - a) * Fraction(int(t), 4) for a, b, t in zip(low, high, rng.integers(0, 5, inputs), strict=True)] for _ in range(8)]
    values = [node_values(network, p) for p in points]
    arguments = [[v for k in net.columns for v in found[network.nodes[k - 1].source]] for found in values]
    for found in arguments:
        for j, v in enumerate(found):
            assert int(region.lower[j]) <= v * 2**SCALE <= int(region.upper[j])
    count, last = net.count, len(network.nodes)
    for _ in range(4):
        below, above_, beta = (integer_array(rng.integers(0, most, (3, count))) for most in (ONE + 1, ONE + 1, 3 * ONE))
        phase = np.tile(region.phase, (3, 1))
        point = int(rng.integers(len(points)))
        for f, j in zip(rng.integers(0, 3, 4), rng.integers(0, count, 4), strict=True):
            phase[f, j] = 1 if arguments[point][j] >= 0 else -1
        some = int(rng.integers(0, last + 1))
        coefficients = {n: integer_array(rng.integers(-3, 4, (3, network.sizes[n]))) for n in {0, some, last}}
        constant = integer_array(rng.integers(-5, 6, 3))
        bounds = upper_bounds(net, region, Asked(coefficients, constant, below, above_, beta, phase))
        for found, reached in zip(values, arguments, strict=True):
            for f in range(3):
                if all(p == 0 or reached[j] * int(p) >= 0 for j, p in enumerate(phase[f])):
                    exact = int(constant[f]) + sum(int(c) * v for n, m in coefficients.items() for c, v in zip(m[f], found[n], strict=True))
                    assert exact * 2**SCALE <= int(bounds[f])


def test_small_numbers_are_not_rounded() -> None:
    """Integers and short fractions of two come out exactly, so that a property that holds with equality can be shown."""
    network = floats(([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))  # |x|
    net = box_network(network)
    region = tightened(net, start(net, integer_array([-(1 << BOX)]), integer_array([3 << BOX])))
    assert list(region.lower) == [-1 << SCALE, -3 << SCALE] and list(region.upper) == [3 << SCALE, 1 << SCALE]
    for stated in (above(3, low=-1, high=3, strict=True), above(Fraction(3001, 1000), low=-1, high=3)):
        assert accepted(network, stated, proof_of(network, stated))
    with pytest.raises((Unsupported, TimeoutError)):
        proof_of(network, above(3, low=-1, high=3), 3)


# -- proofs ----------------------------------------------------------------------------------------------------------------


def test_true_properties_have_proofs() -> None:
    kinds = {"cut": 0, "phases": 0, "bounds": 0}
    for network, stated, lines in proved():
        assert accepted(network, stated, lines, DIGESTS)
        kinds["cut"] += any(isinstance(line.get("cut"), list) for line in lines)
        kinds["phases"] += any(leaf[1] for line in lines for leaf in line.get("empty", []))
        kinds["bounds"] += any(line.get("bounds") for line in lines)
    assert min(kinds["cut"], kinds["phases"]) >= 20 and kinds["bounds"] >= 8, kinds


def both_say(network: Network, stated: Property, lines: Lines, folder: Path) -> tuple[bool, bool]:
    paths = [folder / name for name in ("net.onnx", "spec.vnnlib", "proof")]
    paths[0].write_bytes(network.source)
    paths[1].write_text(text_of(stated))
    paths[2].write_text("".join(json.dumps(line) + "\n" for line in lines))
    try:
        second_checker.check_box(*paths)
    except second_checker.Rejected:
        return accepted(network, stated, lines), False
    return accepted(network, stated, lines), True


def test_the_second_checker_accepts_them_too(tmp_path: Path) -> None:
    for network, stated, lines in proved():
        assert both_say(network, read_vnnlib(text_of(stated)), lines, tmp_path) == (True, True)


def test_false_properties_have_none() -> None:
    rng, tried = np.random.default_rng(8), 0
    while tried < 12:
        network = random_network(rng, 1 + tried % 2)
        stated = random_property(rng, network)
        if unsafe_point(network, stated.cases[0]) is not None:
            tried += 1
            with pytest.raises((Unsupported, TimeoutError)):
                proof_of(network, stated, 0.5)


def test_several_boxes_one_after_the_other() -> None:
    network = floats(([[1.0]], [0.0]))
    first, second = above(2).cases[0], above(5, low=2, high=3).cases[0]
    stated = Property(1, 1, (first, replace(first, unsafe=()), second))
    lines = proof_of(network, stated)
    assert [line["case"] for line in lines if "case" in line] == [0, 2] and accepted(network, stated, lines)
    assert not accepted(network, replace(stated, cases=(first, second, second)), lines)


def by_hand(*parts: dict[str, Any]) -> Lines:
    return [{"format": "relucid box proof 1", **DIGESTS}, {"case": 0}, *parts, {"end": True}]


def part(*leaves: list[Any], tighten: bool = False, cut: Any = None) -> dict[str, Any]:
    return {"tighten": tighten, "bounds": [], "empty": list(leaves), "cut": cut}


SHOWN = [[0, 1], [], [], []]


def test_phases_that_bounds_exclude() -> None:
    network = floats(([[1.0]], [1.0]), ([[1.0]], [0.0]))  # max(0, x + 1) on 0 .. 1: always active
    stated = above(Fraction(5, 2))
    assert accepted(network, stated, by_hand(part([0, [-1], None], [0, [1], SHOWN], tighten=True)))
    assert not accepted(network, stated, by_hand(part([0, [1], None], [0, [-1], SHOWN], tighten=True)))
    dead = floats(([[-1.0]], [-1.0]), ([[1.0]], [0.0]))
    assert accepted(dead, above(1), by_hand(part([0, [1], None], [0, [-1], SHOWN], tighten=True)))
    assert not accepted(dead, above(1), by_hand(part([0, [-1], None], [0, [1], SHOWN], tighten=True)))


def test_outputs_that_no_input_reaches() -> None:
    constant = Network(1, (Affine((), (), integer_array([3]), 2),), "real")
    assert accepted(constant, above(2), by_hand(part([0, [], SHOWN])))
    assert not accepted(constant, above(Fraction(3, 2)), by_hand(part([0, [], SHOWN])))


def test_long_proofs_say_how_far_they_are() -> None:
    said: list[str] = []
    lines = by_hand(*(part(cut="again") for _ in range(250)), part([0, [], SHOWN]))
    check_box_proof(floats(([[1.0]], [0.0])), above(2), {}, lines, said.append)
    assert said == ["100 parts, 0 leaves checked", "200 parts, 0 leaves checked"]


def test_a_witness_is_a_line() -> None:
    network, stated = floats(([[1.0]], [0.25])), above(1)
    line = box_witness_line(DIGESTS, ("3/4",), ("1",), (("0.75",), None))
    assert check_box_witness(network, stated, DIGESTS, json.loads(json.dumps(line))) == (Fraction(3, 4),)
    assert line["onnxruntime"] == {"input": ["0.75"], "output": None}


# -- mutants ----------------------------------------------------------------------------------------------------------------


def changed(network: Network, rng: random.Random) -> Network:
    """One weight or bias is another."""
    nodes = list(network.nodes)
    k = rng.choice([i for i, n in enumerate(nodes) if isinstance(n, Affine)])
    node = nodes[k]
    arrays = [np.array(a) for a in (*node.weights, node.bias)]
    array = rng.choice(arrays)
    array.flat[rng.randrange(array.size)] += rng.choice([-9, -2, 1, 5, 30])
    nodes[k] = Affine(node.sources, tuple(map(integer_array, arrays[:-1])), integer_array(arrays[-1]), node.denominator)
    return replace(network, nodes=tuple(nodes))


def widened(stated: Property, rng: random.Random) -> Property:
    (case,) = stated.cases
    upper = list(case.upper)
    upper[rng.randrange(len(upper))] += Fraction(rng.randrange(1, 17), 8)
    return replace(stated, cases=(replace(case, upper=tuple(upper)),))


def turned(stated: Property, rng: random.Random) -> Property:
    """A row's sign, one of its coefficients, or the row itself is gone."""
    (case,) = stated.cases
    unsafe = [list(rows) for rows in case.unsafe]
    rows = rng.choice(unsafe)
    r = rng.randrange(len(rows))
    kind = rng.randrange(3)
    if kind == 0 and len(rows) > 1:
        rows.pop(r)
    elif kind == 1:
        rows[r] = Row(*(tuple((i, -c) for i, c in own) for own in (rows[r].x, rows[r].y)), -rows[r].constant)
    else:
        rows[r] = replace(rows[r], y=tuple((i, c + 1) for i, c in rows[r].y))
    return replace(stated, cases=(replace(case, unsafe=tuple(map(tuple, unsafe))),))


CLAIM_MUTANTS: dict[str, Callable[[Network, Property, random.Random], tuple[Network, Property]]] = {
    "another weight or bias": lambda n, s, r: (changed(n, r), s),
    "a wider box": lambda n, s, r: (n, widened(s, r)),
    "another row": lambda n, s, r: (n, turned(s, r)),
    "a larger constant": lambda n, s, r: (n, shifted(s, Fraction(r.randrange(1, 40), 8))),
}


@pytest.mark.parametrize("kind", CLAIM_MUTANTS)
def test_mutants_of_the_claim(kind: str) -> None:
    rng, false = random.Random(kind), 0
    for network, stated, lines in proved():
        for _ in range(6):
            other, asked = CLAIM_MUTANTS[kind](network, stated, rng)
            if unsafe_point(other, asked.cases[0]) is not None:
                false += 1
                assert not accepted(other, asked, lines)
    assert false >= 20, false


def leaves(p: Lines) -> list[list[Any]]:
    return [leaf for line in p for leaf in line.get("empty", [])]


def shown(p: Lines) -> list[list[Any]]:
    return [leaf for leaf in leaves(p) if leaf[2] is not None]


def parts(p: Lines) -> list[dict[str, Any]]:
    return [line for line in p if "cut" in line]


def cuts(p: Lines) -> list[list[Any]]:
    return [line["cut"] for line in parts(p) if isinstance(line["cut"], list)]


def multipliers(p: Lines) -> list[list[int]]:
    return [m for leaf in shown(p) for m in leaf[2] if m]


EVIDENCE_MUTANTS: dict[str, Callable[[Lines, random.Random], Any]] = {
    "leaf dropped": lambda p, r: (lambda e: e.pop(r.randrange(len(e))))(r.choice([x["empty"] for x in parts(p) if x["empty"]])),
    "leaf doubled": lambda p, r: (lambda e: e.append(copy.deepcopy(e[0])))(r.choice([x["empty"] for x in parts(p) if x["empty"]])),
    "part dropped": lambda p, r: p.remove(r.choice(parts(p))),
    "part doubled": lambda p, r: (lambda i: p.insert(i, copy.deepcopy(p[i])))(r.choice([i for i, x in enumerate(p) if "cut" in x])),
    "parts swapped": lambda p, r: (lambda a, b: p.__setitem__(slice(None), exchanged(p, a, b)))(
        *r.sample([i for i, x in enumerate(p) if "cut" in x], 2) if len(parts(p)) > 1 else [][1:0] or (0, 0)
    ),
    "case dropped": lambda p, r: p.pop(1),
    "another case": lambda p, r: p[1].update(case=r.choice([1, -1, True, False, "0", None])),
    "not tightened": lambda p, r: r.choice([x for x in parts(p) if x["tighten"]]).update(tighten=False),
    "tighten is a number": lambda p, r: r.choice(parts(p)).update(tighten=r.choice([0, 1, None])),
    "cut elsewhere": lambda p, r: r.choice(cuts(p)).__setitem__(1, r.choice([0, 1, -1, 10**6, 2**1300])),
    "cut of another input": lambda p, r: r.choice(cuts(p)).__setitem__(0, r.choice([0, 1, 5, -1, True])),
    "cut at another scale": lambda p, r: (lambda c: c.__setitem__(2, r.choice([c[2] + 1, 0, -1, 1101])))(r.choice(cuts(p))),
    "cut forgotten": lambda p, r: r.choice([x for x in parts(p) if x["cut"] is not None]).update(cut=None),
    "cut of another form": lambda p, r: r.choice(parts(p)).update(cut=r.choice(["again", "run", [0], [0, 1, 2, 3], 7])),
    "another polyhedron": lambda p, r: r.choice(leaves(p)).__setitem__(0, r.choice([0, 1, 2, -1, True])),
    "phase flipped": lambda p, r: (lambda x: x[1].__setitem__(-1, -x[1][-1]))(r.choice([x for x in leaves(p) if x[1]])),
    "phase of another ReLU": lambda p, r: r.choice([x for x in leaves(p) if x[1]])[1].__setitem__(0, r.choice([0, 1, -2, 99])),
    "phases dropped": lambda p, r: r.choice([x for x in leaves(p) if x[1]]).__setitem__(1, []),
    "no evidence": lambda p, r: r.choice(leaves(p)).__setitem__(2, r.choice([None, [], [[], [], [], []], [[0, 0], [], [], []], 0])),
    "a negative factor": lambda p, r: r.choice(shown(p))[2][0].__setitem__(1, r.choice([-1, -(2**20)])),
    "factors of other rows": lambda p, r: r.choice(shown(p))[2][0].__setitem__(0, r.choice([0, 1, 2, 3, -1])),
    "slope out of range": lambda p, r: r.choice(shown(p))[2][1].extend([0, r.choice([-1, ONE + 1, 2**70])]),
    "another slope": lambda p, r: r.choice(shown(p))[2][r.choice([1, 2])].extend([0, r.choice([0, 1, ONE // 3, ONE])]),
    "a negative beta": lambda p, r: r.choice(shown(p))[2][3].extend([0, r.choice([-1, -(2**40)])]),
    "another beta": lambda p, r: r.choice(shown(p))[2][3].extend([r.choice([0, 1]), r.choice([1, ONE, 2**100])]),
    "a multiplier is missing": lambda p, r: r.choice(multipliers(p)).pop(),
    "multipliers of another leaf": lambda p, r: (lambda a, b: a.__setitem__(2, copy.deepcopy(b[2])))(*(r.choice(leaves(p)) for _ in "ab")),
    "a bound is claimed": lambda p, r: r.choice(parts(p))["bounds"].append([0, r.choice([1, -1]), [], []]),
    "a bound of nothing": lambda p, r: r.choice(parts(p))["bounds"].append(r.choice([[99, 1, [], []], [0, 0, [], []], [0, True, [], []], [0, 1]])),
    "truncated": lambda p, r: p.__setitem__(slice(None), p[: r.randrange(len(p))]),
    "something after the end": lambda p, r: p.append({"end": True}),
    "unknown key": lambda p, r: r.choice(p).update(note="believe me"),
    "another format": lambda p, r: p[0].update(format=r.choice(["relucid proof 2", "relucid box proof 0", None])),
}  # fmt: skip

MUST_REJECT = {
    "part dropped", "case dropped", "another case", "tighten is a number", "cut of another form", "a negative factor", "slope out of range",
    "a negative beta", "a multiplier is missing", "a bound of nothing", "truncated", "something after the end", "unknown key", "another format",
}  # fmt: skip


ENOUGH = 20  # proofs per kind of mutant


def exchanged(lines: Lines, a: int, b: int) -> Lines:
    out = list(lines)
    out[a], out[b] = out[b], out[a]
    return out


@pytest.mark.parametrize("kind", EVIDENCE_MUTANTS)
def test_mutants_of_the_evidence(kind: str, tmp_path: Path) -> None:
    """Shown for the property they may be accepted (it is true), and both checkers say the same; shown for a false neighbour never."""
    rng, made = random.Random(kind), 0
    for network, stated, lines in false_neighbours():
        mutant = copy.deepcopy(lines)
        for _ in range(8):  # some changes change nothing
            try:
                EVIDENCE_MUTANTS[kind](mutant, rng)
            except (IndexError, ValueError):
                break  # this proof has nothing of the kind
            if mutant != lines:
                break
        if mutant == lines:
            continue
        made += 1
        assert not accepted(network, stated, mutant)
        true = next(s for n, s, p in proved() if p is lines)
        if made % 3 == 0:
            ours, theirs = both_say(network, read_vnnlib(text_of(true)), mutant, tmp_path)
            assert ours == theirs or kind == "not tightened", (kind, mutant)  # bounds to start from are a checker's own
        else:
            ours = accepted(network, true, mutant)
        assert not (ours and kind in MUST_REJECT)
        if made == ENOUGH:
            break
    assert made == ENOUGH, made


def test_proofs_of_other_properties_and_nearest_false_ones() -> None:
    for network, stated, lines in false_neighbours():
        assert not accepted(network, stated, lines)
        for _, _, other in false_neighbours()[::5]:
            assert not accepted(network, stated, other)


def test_digests_are_compared() -> None:
    network, stated, lines = proved()[0]
    for name in DIGESTS:
        with pytest.raises(Rejected, match=f"line 1: it is a proof about another {name}"):
            check_box_proof(network, stated, {**DIGESTS, name: "another"}, lines)


# -- limits -----------------------------------------------------------------------------------------------------------------


def test_too_many_parts_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    network, stated, lines = next(p for p in proved() if p[0].input_size == 1)
    endless = itertools.chain(lines[:2], itertools.repeat({"tighten": False, "bounds": [], "empty": [], "cut": "again"}))
    monkeypatch.setattr(box_checker, "PARTS", 50)
    with pytest.raises(Rejected, match="line 53: there are too many parts"):
        check_box_proof(network, stated, {}, endless)
    with pytest.raises(LimitReached, match="out of time"):
        check_box_proof(network, stated, {}, lines, deadline=time.monotonic() - 1)


def test_lines_are_of_bounded_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "MANY", 1)
    monkeypatch.setattr(certificate, "FEW_INPUTS", -1)
    split = 0
    for network, stated, _ in proved()[:20]:
        lines = proof_of(network, stated)
        assert all(len(line["bounds"]) + len(line["empty"]) <= 1 for line in parts(lines)) and accepted(network, stated, lines)
        split += any(line["cut"] == "again" for line in parts(lines))
    assert split >= 3


# -- the command ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    network = with_source(floats(([[1.0, 1.0], [1.0, -1.0]], [0.0, -0.5]), ([[1.0, -1.0]], [0.25])))
    (tmp_path / "net.onnx").write_bytes(network.source)
    (tmp_path / "spec.vnnlib").write_text(text_of(above(Fraction(5, 2), inputs=2)))
    (tmp_path / "false.vnnlib").write_text(text_of(above(2, inputs=2)))
    return str(tmp_path / "net.onnx"), str(tmp_path / "spec.vnnlib")


def test_a_proof_is_written_and_checked(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("proof", "proof.gz"):
        proof = tmp_path / name
        assert main(["verify", *files, "--proof", str(proof), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["verdict"], found["trust"], found["proof"]) == ("proved", "checked", str(proof))
        assert found["attempts"][-1]["backend"] == "proof" and "1 leaves" in found["attempts"][-1]["detail"]
        assert (proof.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
        assert main(["verify", *files, "--check", str(proof)]) == 0
        assert capsys.readouterr().out.startswith("accepted: 1 parts, 1 leaves (")
        second_checker.check_box(*map(Path, (*files, proof)))
    assert main(["verify", files[0], str(tmp_path / "false.vnnlib"), "--check", str(proof)]) == 1
    assert capsys.readouterr().out == "rejected: line 1: it is a proof about another property\n"
    assert not list(tmp_path.glob(".*"))


def test_a_witness_is_written_and_checked(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    false, witness = str(tmp_path / "false.vnnlib"), tmp_path / "witness"
    assert main(["verify", files[0], false, "--proof", str(witness), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    line = json.loads(witness.read_text())
    assert found["proof"] == str(witness) and line["input"] == found["counterexample"]["input"]
    assert main(["verify", files[0], false, "--check", str(witness)]) == 0
    assert capsys.readouterr().out.startswith("accepted: a counterexample (")
    assert main(["verify", *files, "--check", str(witness)]) == 1
    assert capsys.readouterr().out == "rejected: it is a witness about another property\n"
    network, stated = certified_pair(files[0], false)
    for change in (
        {"input": ["0", "0"]}, {"input": ["3", "3"]}, {"input": line["input"][:1]}, {"input": [1, 1]}, {"input": ["1/0", "1"]},
        {"output": ["17"]}, {"note": 1}, {"input": ["1e5", "0"]},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            check_box_witness(network, stated, {}, {**line, **change})
    outside = exact_outputs(network, [Fraction(3), Fraction(3)])
    with pytest.raises(Rejected, match="outside of the boxes"):
        check_box_witness(network, stated, {}, {**line, "input": ["3", "3"], "output": [str(v) for v in outside]})


def certified_pair(network: str, spec: str) -> tuple[Network, Property]:
    from relucid.models.onnx_reader import load_onnx
    from relucid.models.vnnlib import load_vnnlib

    stated = load_vnnlib(spec)
    return load_onnx(network, real_size=stated.inputs), stated


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "deeply nested": b"[" * 200_000 + b"\n",
    "a gigantic number": b'{"format": ' + b"9" * 100_000 + b"}\n",
    "a float": b'{"format": 1.5}\n',
    "no end of line": b'{"format": "relucid box proof 1"}',
    "another format": b'{"format": "relucid proof 2", "network": 1, "property": 2}\n',
    "a zip bomb": gzip.compress(b'{"a": "' + b"0" * (1 << 28), 9),
    "half a zip": b"\x1f\x8b",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_rejected_at_once(kind: str, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "proof"
    path.write_bytes(HOSTILE[kind])
    assert main(["verify", *files, "--check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("rejected: ") and out.count("\n") == 1 and err == ""


def test_what_cannot_be_written(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *files, "--proof", str(tmp_path / "no" / "proof")]) == 2
    assert main(["verify", *files, "--format", "relucid"]) == 2
    assert main(["verify", *files, "--check", str(tmp_path / "nothing")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 3 and "--format: it says how a proof is written, and none is asked for; add --proof FILE" in err


def test_a_rejected_proof_leaves_no_file(files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the producer writes: what the checker does not accept is unknown, and there is no file."""
    network, stated = certified_pair(*files)
    answer = certified.Answer("proved")
    monkeypatch.setattr(certified, "proof_lines", lambda *args: iter(proof_of(network, stated)[:-1]))
    place = tmp_path / "proof"
    found = certified.certified(answer, place, "relucid", network, stated, Path(files[1]).read_text(), time.monotonic() + 9, 1)
    assert found.verdict == "unknown" and found.reason is not None and "the checker rejects the proof" in found.reason
    assert not place.exists() and not list(tmp_path.glob(".*"))
