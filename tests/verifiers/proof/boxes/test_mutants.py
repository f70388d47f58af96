"""Mutants of claims about boxes and of their proofs: nothing false is accepted, and both checkers say the
same.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_proof_cases import (
    DIGESTS,
    Lines,
    accepted,
    both_say,
    false_neighbours,
    parts,
    proved,
    shifted,
    text_of,
)
from box_truth import unsafe_point
from relucid.models.claims.property import Property, Row
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.boxes.rounded_network import ONE
from relucid.verifiers.proof.format import Rejected


def changed(network: Network, rng: random.Random) -> Network:
    """One weight or bias is another."""
    nodes = list(network.nodes)
    k = rng.choice([i for i, n in enumerate(nodes) if isinstance(n, Affine)])
    node = nodes[k]
    arrays = [np.array(a) for a in (*node.weights, node.bias)]
    array = rng.choice(arrays)
    array.flat[rng.randrange(array.size)] += rng.choice([-9, -2, 1, 5, 30])
    nodes[k] = Affine(
        node.sources, tuple(map(integer_array, arrays[:-1])), integer_array(arrays[-1]), node.denominator
    )
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
        for _ in range(2):
            other, asked = CLAIM_MUTANTS[kind](network, stated, rng)
            if unsafe_point(other, asked.cases[0]) is not None:
                false += 1
                assert not accepted(other, asked, lines)
    assert false >= 20, false


def leaves(p: Lines) -> list[list[Any]]:
    return [leaf for line in p for leaf in line.get("leaves", [])]


def shown(p: Lines) -> list[list[Any]]:
    return [leaf for leaf in leaves(p) if leaf[2] is not None]


def splits(p: Lines) -> list[list[Any]]:
    return [line["split"] for line in parts(p) if isinstance(line["split"], list)]


def multipliers(p: Lines) -> list[list[int]]:
    return [m for leaf in shown(p) for m in leaf[2] if m]


EVIDENCE_MUTANTS: dict[str, Callable[[Lines, random.Random], Any]] = {
    "leaf dropped": lambda p, r: (lambda e: e.pop(r.randrange(len(e))))(r.choice([x["leaves"] for x in parts(p) if x["leaves"]])),
    "leaf doubled": lambda p, r: (lambda e: e.append(copy.deepcopy(e[0])))(r.choice([x["leaves"] for x in parts(p) if x["leaves"]])),
    "part dropped": lambda p, r: p.remove(r.choice(parts(p))),
    "part doubled": lambda p, r: (lambda i: p.insert(i, copy.deepcopy(p[i])))(r.choice([i for i, x in enumerate(p) if "split" in x])),
    "parts swapped": lambda p, r: (lambda a, b: p.__setitem__(slice(None), exchanged(p, a, b)))(
        *r.sample([i for i, x in enumerate(p) if "split" in x], 2) if len(parts(p)) > 1 else [][1:0] or (0, 0)
    ),
    "case dropped": lambda p, r: p.pop(1),
    "another case": lambda p, r: p[1].update(tree=r.choice([1, -1, True, False, "0", None])),
    "not tightened": lambda p, r: r.choice([x for x in parts(p) if x["tighten"]]).update(tighten=False),
    "tighten is a number": lambda p, r: r.choice(parts(p)).update(tighten=r.choice([0, 1, None])),
    "split elsewhere": lambda p, r: r.choice(splits(p))[2].__setitem__(0, r.choice([0, 1, -1, 10**6, 2**1300])),
    "split of another input": lambda p, r: r.choice(splits(p)).__setitem__(1, r.choice([0, 1, 5, -1, True])),
    "split at another scale": lambda p, r: (lambda c: c.__setitem__(1, r.choice([c[1] + 1, 0, -1, 1101])))(r.choice(splits(p))[2]),
    "split forgotten": lambda p, r: r.choice([x for x in parts(p) if x["split"] is not None]).update(split=None),
    "split of another form": lambda p, r: r.choice(parts(p)).update(split=r.choice(["again", "run", [0], ["input", 0], ["input", 0, 1], ["symbol", 0, [0]], [0, 1, 2, 3], 7])),
    "another polyhedron": lambda p, r: r.choice(leaves(p)).__setitem__(0, r.choice([0, 1, 2, -1, True])),
    "phase flipped": lambda p, r: (lambda x: x[1].__setitem__(-1, -x[1][-1]))(r.choice([x for x in leaves(p) if x[1]])),
    "phase of another ReLU": lambda p, r: r.choice([x for x in leaves(p) if x[1]])[1].__setitem__(0, r.choice([0, 1, -2, 99])),
    "phases dropped": lambda p, r: r.choice([x for x in leaves(p) if x[1]]).__setitem__(1, []),
    "no evidence": lambda p, r: r.choice(leaves(p)).__setitem__(2, r.choice([None, [], [[], [], [], []], [[0, 0], [], [], []], 0])),
    "a negative factor": lambda p, r: r.choice(shown(p))[2][0].extend([0, r.choice([-1, -(2**20)])]),
    "other factors": lambda p, r: r.choice(shown(p))[2][0].extend([r.choice([0, 1, 2, 3, -1]), r.choice([0, 1, 2**70])]),
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
    "another format": lambda p, r: p[0].update(format=r.choice(["relucid proof 2", "relucid box proof 1", None])),
}  # fmt: skip

MUST_REJECT = {
    "part dropped", "case dropped", "another case", "tighten is a number", "split of another form", "a negative factor", "slope out of range",
    "a negative beta", "a multiplier is missing", "a bound of nothing", "truncated", "something after the end", "unknown key", "another format",
}  # fmt: skip


ENOUGH = 12  # proofs per kind of mutant


def exchanged(lines: Lines, a: int, b: int) -> Lines:
    out = list(lines)
    out[a], out[b] = out[b], out[a]
    return out


@pytest.mark.parametrize("kind", EVIDENCE_MUTANTS)
def test_mutants_of_the_evidence(kind: str, tmp_path: Path) -> None:
    """Shown for the property they may be accepted (it is true), and both checkers say the same; shown for a
    false neighbour never.
    """
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
            assert ours == theirs or kind == "not tightened", (
                kind,
                mutant,
            )  # bounds to start from are a checker's own
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
