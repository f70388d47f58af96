"""Properties of small networks that are only just true, with proofs, and the nearest false ones: for the
tests of proofs about boxes.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import second_checker
from box_truth import pieces, random_property, rectangle, unsafe_point
from clocks import ticking
from relucid.models.claims.property import Property
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.onnx.writer import with_source
from relucid.verifiers.engines.boxes import searches
from relucid.verifiers.proof.boxes import phase_leaves
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.boxes.producer import proof_lines
from relucid.verifiers.proof.format import Rejected

Lines = list[dict[str, Any]]
DIGESTS = {"network": "n", "property": "p"}
TICK = 0.0005  # of the clock while proofs are found: the same ones, however many share the machine


def proof_of(network: Network, stated: Property, seconds: float = 20.0) -> Lines:
    with ticking(TICK):
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
    out = [
        f"(declare-const {kind}_{i} Real)"
        for kind, n in (("X", stated.inputs), ("Y", stated.outputs))
        for i in range(n)
    ]
    for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        out += [f"(assert (>= X_{i} {decimal(low)}))", f"(assert (<= X_{i} {decimal(high)}))"]
    polyhedra = []
    for rows in case.unsafe:
        comparisons = []
        for row in rows:
            terms = [
                f"(* {decimal(c)} {kind}_{i})" for kind, own in (("X", row.x), ("Y", row.y)) for i, c in own
            ]
            comparisons.append(
                f"({'>' if row.strict else '>='} (+ {' '.join(terms)} {decimal(row.constant)} 0.0) 0.0)"
            )
        polyhedra.append(f"(and {' '.join(comparisons)})")
    return "\n".join([*out, f"(assert (or {' '.join(polyhedra)}))", ""])


def decimal(value: Fraction) -> str:
    scaled = value * 10**12
    assert scaled.denominator == 1
    return (
        f"{'-' if scaled < 0 else ''}{abs(scaled.numerator) // 10**12}.{abs(scaled.numerator) % 10**12:012d}"
    )


def shifted(stated: Property, by: Fraction) -> Property:
    """Every row is larger by this much."""
    return replace(
        stated,
        cases=tuple(
            replace(
                c,
                unsafe=tuple(tuple(replace(r, constant=r.constant + by) for r in rows) for rows in c.unsafe),
            )
            for c in stated.cases
        ),
    )


def edge(network: Network, stated: Property) -> tuple[Fraction, Fraction] | None:
    """Shifts for which the property is still true and already false, close together."""
    cells = list(pieces(network, rectangle(stated.cases[0].lower, stated.cases[0].upper)))

    def false(by: Fraction) -> bool:
        return unsafe_point(network, shifted(stated, by).cases[0], cells) is not None

    low, high = Fraction(-64), Fraction(64)
    if false(low) or not false(high):
        return None
    while high - low > Fraction(1, 2**10):
        middle = (low + high) / 2
        low, high = (low, middle) if false(middle) else (middle, high)
    return low, high


def larger_network(rng: np.random.Generator, inputs: int) -> Network:
    a, b, c = int(rng.integers(4, 8)), int(rng.integers(3, 6)), int(rng.integers(1, 4))

    def matrix(*shape: int) -> np.ndarray:
        return integer_array(np.rint(rng.normal(0, 8, shape)).astype(np.int64))

    steps = [
        Affine((k,), (matrix(n, m),), matrix(n), 8) for k, m, n in ((0, inputs, a), (2, a, b), (4, b, c))
    ]
    return with_source(Network(inputs, (steps[0], Relu(1), steps[1], Relu(3), steps[2]), "real"))


# seeds whose proofs cut inputs, split ReLUs, optimise bounds, and a few that need nothing
CUT = (9, 15, 33, 42, 45, 48, 51, 63, 75, 96, 99, 117, 126, 129, 135, 138, 186, 195, 198, 213, 261, 345)
PHASES = (4, 7, 13, 14, 43, 49, 55, 74, 88, 110, 139, 143, 151, 161, 167, 181, 185, 187, 193, 196, 197, 209)
PROGRAMS = PHASES[1::3]  # of them: with the leaves of linear programs
OTHERS = (31, 32, 41, 44, 89, 103, 0)


@cache
def proved_and_false() -> list[tuple[Network, Property, Lines, Property]]:
    """Properties of small networks that are only just true, with their proofs, and the nearest false ones."""
    out: list[tuple[Network, Property, Lines, Property]] = []
    few, both = searches.FEW_INPUTS, dict(phase_leaves.SEARCHES)
    for seed in (*CUT, *PHASES, *OTHERS):
        rng = np.random.default_rng(seed)
        network = larger_network(rng, 1 + seed % 2)
        stated = random_property(rng, network)
        between = edge(network, stated)
        assert between is not None
        true = shifted(stated, between[0] - Fraction(1, 64))
        try:
            searches.FEW_INPUTS = -1 if seed % 3 else few
            phase_leaves.SEARCHES.pop("split-relus" if seed in PROGRAMS else "split-lp")
            out.append((network, true, proof_of(network, true), shifted(stated, between[1])))
        finally:
            searches.FEW_INPUTS = few
            phase_leaves.SEARCHES.update(both)
    return out


def proved() -> list[tuple[Network, Property, Lines]]:
    return [entry[:3] for entry in proved_and_false()]


def false_neighbours() -> list[tuple[Network, Property, Lines]]:
    return [(network, false, lines) for network, _, lines, false in proved_and_false()]


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


def parts(p: Lines) -> list[dict[str, Any]]:
    return [line for line in p if "split" in line]
