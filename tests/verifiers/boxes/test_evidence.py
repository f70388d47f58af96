"""Evidence is counted: parts that tile the box, each settled once, or nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest
from box_truth import above, floats, random_network
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.claims.property import Property
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.subdomains import BoxSubdomains
from relucid.verifiers.boxes import decide as decide_module
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.counterexamples import PointCounterexample
from relucid.verifiers.engines.boxes import first_bounds as first_bounds_module
from relucid.verifiers.engines.boxes.halves import cut_inputs, split_neurons
from relucid.verifiers.engines.boxes.tree import Tree
from relucid.verifiers.evidence import Coverage, How, Lost, Settled, Share, Tiling
from relucid.verifiers.verdict import BoxDetails, Difference, Proved


def grown(rng: np.random.Generator, polyhedra: int, splits: int) -> tuple[Tree, list[int]]:
    """A tree, split at random, and its open nodes."""
    tree = Tree(polyhedra)
    open_ = tree.roots.tolist()
    if polyhedra > 1 and rng.random() < 0.5:
        some = rng.choice(polyhedra, int(rng.integers(1, polyhedra + 1)), replace=False)
        open_ = [n for n in open_ if n not in some] + [tree.join(some)]
    for _ in range(splits):
        node = open_.pop(int(rng.integers(len(open_))))
        open_ += [int(half[0]) for half in tree.split(np.array([node]))]
    return tree, open_


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 200))
def test_there_is_evidence_when_the_last_part_is_settled_and_not_before(seed, polyhedra, splits):
    rng = np.random.default_rng(seed)
    tree, open_ = grown(rng, polyhedra, splits)
    for node in rng.permutation(open_):
        assert tree.tiling() is None
        tree.settle(np.array([node]), rng.choice(list(How)))
    found = tree.tiling()
    assert (found.cases, found.polyhedra, found.splits, found.parts) == (1, polyhedra, splits, len(open_))
    assert Tiling.from_plain(json.loads(json.dumps(asdict(found)))) == found


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 20))
def test_no_part_is_settled_or_split_twice(seed, polyhedra, splits):
    rng = np.random.default_rng(seed)
    tree, open_ = grown(rng, polyhedra, splits)
    node = np.array(open_[:1])
    tree.settle(node, How.BOUNDS)
    for act in (
        lambda: tree.settle(node, How.BOUNDS),
        lambda: tree.split(node),
        lambda: tree.settle(np.array([10**6]), How.BOUNDS),
    ):
        with pytest.raises(Lost):
            act()
    with pytest.raises(Lost):
        tree.settle(np.repeat(open_[-1:], 2), How.BOUNDS)


def test_nothing_of_a_first_attempt_is_left():
    tree = Tree(2)
    tree.settle(tree.roots[:1], How.BOUNDS)
    tree.reset()
    tree.settle(tree.roots[1:], How.BOUNDS)
    assert tree.tiling() is None
    with pytest.raises(ValueError, match="nothing to show"):
        Tree(0)


@pytest.mark.parametrize(
    "change",
    [
        {"splits": 4}, {"splits": -2}, {"settled": (("BOUNDS", 4),)}, {"settled": ()}, {"polyhedra": 3}, {"joined": 1, "splits": 3}, {"cases": 3},
        {"settled": (("HOPE", 4), ("WORD", 1))}, {"settled": (("BOUNDS", 4.0), ("WORD", 1.0))}, {"settled": (("BOUNDS", 6), ("WORD", -1))},
    ],
)  # fmt: skip
def test_numbers_that_do_not_add_up_are_no_evidence(change):
    good = Tiling(1, 2, 0, 3, (("BOUNDS", 4), ("WORD", 1)))
    with pytest.raises((ValueError, TypeError)):
        replace(good, **change)


def test_every_case_needs_its_own():
    one, two = Tiling.at_roots(1, 1, How.BOUNDS), Tiling.at_roots(1, 2, How.EXACT)
    assert Tiling.total([1, 2], {0: one}) is None and Tiling.total([1], {}) is None
    assert Tiling.total([1, 0, 2], {0: one, 2: two}) == Tiling(2, 3, 0, 0, (("BOUNDS", 1), ("EXACT", 2)))
    with pytest.raises(Lost):
        Tiling.total([1, 2], {0: one, 1: one})
    with pytest.raises(Lost):
        Tiling.total([2], {0: Tiling.added([one, one])})


def test_no_verdict_is_proved_without():
    for evidence in (None, Coverage((Share(1, 1),), (Settled(None, None, 1, "run"),))):
        with pytest.raises(ValueError, match="the evidence does not cover"):
            Proved("split", 0.0, None, (), (), "exact", False, evidence, boxes=BoxDetails())
    plain = json.loads(
        json.dumps(verdicts.to_plain(verdicts.proved("milp", Tiling.at_roots(1, 2, How.WORD))))
    )
    assert verdicts.from_plain(plain).trust == "float"
    for changes, why in (
        ({"evidence": None}, "needs evidence"),
        ({"evidence": {**plain["evidence"], "splits": 1}}, "do not tile"),
        ({"trust": "exact"}, "solver with tolerances"),
        # what comes last must not hide what comes first
        (
            {"trust": "exact", "evidence": {**plain["evidence"], "settled": [["WORD", 2], ["WORD", 0]]}},
            "counted",
        ),
        ({"difference": ["0.1", ["0x1", "0x0"]]}, "denominator"),
        ({"trust": "sure"}, "trust"),
        ({"outcome": "certain"}, "no verdict"),
    ):
        with pytest.raises(ValueError, match=why):
            verdicts.from_plain({**plain, **changes})


def test_verdicts_travel_unchanged():
    point = PointCounterexample((Fraction(10**5000, 3),), (Fraction(-1, 7),), ("0.1",), None, Fraction(1, 9))
    details = BoxDetails(True, 12.5, Difference(0.1, Fraction(1, 3)), point)
    attempt = Attempt.own("split", "unknown", 0.5, "7 parts")
    for found in (
        verdicts.proved("lp", Tiling.at_roots(1, 2, How.BOUNDS), 0.25, (attempt,), ("w",), details),
        verdicts.refuted("attack", point, 0.25, (attempt,), ("w",)),
        verdicts.unknown("because", 0.25, (attempt,), ("w",), details),
    ):
        assert verdicts.from_plain(json.loads(json.dumps(verdicts.to_plain(found)))) == found


def test_halves_that_do_not_cover_the_part_are_not_made():
    net = float_network(random_network(np.random.default_rng(0), 2), [Fraction(0)] * 2, [Fraction(1)] * 2)
    for where in (0.0, 1.0, -1.0, 2.0, np.nan):
        with pytest.raises(Lost):
            cut_inputs(Tree(1), BoxSubdomains.whole(net), np.array([0]), np.array([where]))
    tree = Tree(1)
    off, _ = split_neurons(tree, BoxSubdomains.whole(net), np.array([0]))
    with pytest.raises(Lost):
        split_neurons(tree, off, np.array([0]))


# -- many cases
# ------------------------------------------------------------


TENT = floats(([[1.0], [1.0]], [1.0, 0.0]), ([[1.0, -2.0]], [0.0]))  # of height 1 at 0, 0 at -1 and 1


def boxes(limits):
    """One box of length 1/100 for each limit that must not be reached, from -1 on."""
    cases = [
        above(limit, low=-1 + Fraction(k, 100), high=-1 + Fraction(k + 1, 100)).cases[0]
        for k, limit in enumerate(limits)
    ]
    return Property(1, 1, tuple(cases))


def test_bounds_of_all_cases_come_first(monkeypatch):
    """Each box has a limit just above what is reached there; in one of them it is just below."""
    monkeypatch.setattr(first_bounds_module, "BATCH", 7)
    limits = [Fraction(min(k + 1, 200 - k), 100) + Fraction(1, 1000) for k in range(150)]
    found = decide(TENT, boxes(limits), BoxOptions(deadline=1e9, threads=1))
    assert found.outcome == "proved" and found.evidence == Tiling.at_roots(150, 150, How.BOUNDS)
    assert [(s.backend, s.outcome, s.detail) for s in found.attempts] == [
        ("bounds", "proved", "150 of 150 cases")
    ]
    limits[120] -= Fraction(1, 500)
    found = decide(TENT, boxes(limits), BoxOptions(deadline=1e9, threads=1))
    assert found.outcome == "refuted" and Fraction(found.counterexample.input[0]) <= Fraction(21, 100)
    assert [(s.backend, s.outcome, s.detail) for s in found.attempts] == [
        ("bounds", "unknown", "149 of 150 cases"),
        ("attack", "refuted", ""),
    ]


def test_what_is_done_for_many_cases_is_one_line_each(monkeypatch):
    """Boxes around the top, where bounds on the whole box are too rough."""
    cases = [above(1 + Fraction(1, 100 + k), low=-1, high=1).cases[0] for k in range(20)]
    found = decide(TENT, Property(1, 1, tuple(cases)), BoxOptions(deadline=1e9, threads=1))
    assert found.outcome == "proved" and found.evidence == Tiling.at_roots(20, 20, How.EXACT)
    monkeypatch.setattr(decide_module, "whole_box", lambda *a: None)
    monkeypatch.setattr(decide_module, "Ties", lambda *a: None)
    found = decide(TENT, Property(1, 1, tuple(cases)), BoxOptions(deadline=1e9, threads=1))
    assert found.outcome == "proved" and found.evidence.cases == 20 and found.evidence.parts > 20
    assert [(s.backend, s.outcome, s.detail) for s in found.attempts] == [
        ("bounds", "unknown", "0 of 20 cases"),
        ("attack", "unknown", "20 cases"),
        ("split-inputs", "proved", "20 cases"),
    ]


def test_one_case_beyond_float64_does_not_keep_others_from_being_proved():
    far = above(2, low=0, high=Fraction(2) ** 400).cases[0]
    found = first_bounds_module.first_bounds(TENT, [*boxes([2, 2]).cases, far], 1e9)
    assert not found  # of one batch
    assert (
        decide(TENT, Property(1, 1, (*boxes([2, 2]).cases, far)), BoxOptions(deadline=1e9)).outcome
        == "unknown"
    )
