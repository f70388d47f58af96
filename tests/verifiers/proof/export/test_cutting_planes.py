"""The checker of pseudo-Boolean proofs, on formulas small enough for brute force: every step is implied, and
what is needed is accepted.
"""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.verifiers.proof.export import cutting_planes
from relucid.verifiers.proof.export.cutting_planes import VERSION, CuttingPlanes, parsed
from relucid.verifiers.proof.export.inequalities import Inequality, Propagation
from relucid.verifiers.proof.format import LimitReached, Rejected

UNENDED = "the proof ends without a contradiction"
NOT_RUP = "a constraint does not follow by propagation"
SMALL = [
    parsed(f"+1 {a} +1 {b} >= 1 ;", 3) for a in ("x1", "~x1") for b in ("x2", "~x2")
]  # false, but propagation does not see it


def holds(constraint: Inequality, values: tuple[int, ...]) -> bool:
    return sum(c * values[v - 1] for v, c in constraint.terms.items()) >= constraint.bound


def solutions(axioms: list[Inequality], count: int) -> list[tuple[int, ...]]:
    return [values for values in product((0, 1), repeat=count) if all(holds(a, values) for a in axioms)]


def why(axioms: list[Inequality], count: int, *steps: str) -> str:
    with pytest.raises(Rejected) as caught:
        CuttingPlanes(count, axioms).check([VERSION, *steps])
    return str(caught.value)


def pigeons(holes: int) -> tuple[list[Inequality], int, list[str]]:
    """holes + 1 pigeons, at most one in a hole, and the short proof of cutting planes: add everything up."""
    at = lambda p, h: p * holes + h + 1  # noqa: E731
    count = holes * (holes + 1)
    axioms = [
        parsed(" ".join(f"+1 x{at(p, h)}" for h in range(holes)) + " >= 1 ;", count) for p in range(holes + 1)
    ]
    axioms += [
        parsed(" ".join(f"+1 ~x{at(p, h)}" for p in range(holes + 1)) + f" >= {holes} ;", count)
        for h in range(holes)
    ]
    everything = " ".join(["1", *(f"{i} +" for i in range(2, len(axioms) + 1))])
    return axioms, count, [f"f {len(axioms)}", f"pol {everything}", f"c {len(axioms) + 1}"]


@pytest.mark.parametrize("holes", [1, 2, 5, 30])
def test_pigeons_do_not_fit(holes: int) -> None:
    axioms, count, steps = pigeons(holes)
    assert CuttingPlanes(count, axioms).check([VERSION, *steps]) == 3
    for axiom in range(len(axioms)):  # without one of them they do
        fewer = [a for i, a in enumerate(axioms) if i != axiom]
        assert why(fewer, count, *steps) == f"the formula has {len(fewer)} constraints, not {len(axioms)}"
        assert "contradiction" in why(
            fewer,
            count,
            f"f {len(fewer)}",
            "pol 1" + "".join(f" {i} +" for i in range(2, len(axioms))),
            f"c {len(axioms)}",
        )
        break


def test_pairwise_pigeons_by_propagation_and_division() -> None:
    """At most one as pairs: three pairs add to a bound on three, divided by two; small enough for propagation
    alone, too.
    """
    count = 6
    clauses = [f"+1 x{2 * p + 1} +1 x{2 * p + 2} >= 1 ;" for p in range(3)]
    clauses += [
        f"+1 ~x{2 * p + h} +1 ~x{2 * q + h} >= 1 ;" for h in (1, 2) for p, q in combinations(range(3), 2)
    ]
    axioms = [parsed(c, count) for c in clauses]
    steps = ["f", "pol 4 5 + 6 + 2 d", "pol 7 8 + 9 + 2 d", "pol 10 11 + 1 + 2 + 3 +", "c 12"]
    assert CuttingPlanes(count, axioms).check([VERSION, *steps]) == 5
    assert CuttingPlanes(count, axioms).check([VERSION, "f", "rup +1 x1 >= 1 ;", "rup >= 1 ;", "c 11"]) == 4


STEPS = {
    "l 5": "there is no constraint 5 in the formula",
    "l 0": "there is no constraint 0 in the formula",
    "l x": "'x' is no number",
    "l -1": "'-1' is no number",
    "l 1 2": "'1 2' is no number",
    "f 2": "the formula has 4 constraints, not 2",
    "pol 6": "there is no constraint 6 here",
    "pol 0": "there is no constraint 0 here",
    "pol -1": "'-1' is no number",
    "pol 5": "there is no constraint 5 here",  # its own number
    "pol +": "an operation has too few operands",
    "pol 1 +": "an operation has too few operands",
    "pol 2 *": "an operation has too few operands",
    "pol s": "an operation has too few operands",
    "pol 1 0 d": "a division by 0",
    "pol 1 2": "a step does not end in one constraint",
    "pol": "a step does not end in one constraint",
    "pol 1 x4 +": "'x4' is no literal of the formula",
    "pol 1 x0 +": "'x0' is no literal of the formula",
    "pol 1 ~~x1 +": "'~~x1' is no literal of the formula",
    "pol 1 x1 -2 * +": "'-2' is no number",
    "pol 1 x1 \u0662 * +": "'\u0662' is no number",
    "pol 1 1_0 *": "'1_0' is no number",
    "pol 1 w": "'w' is no number",
    "pol 1 " + "9" * 401 + " *": f"'{'9' * 20}' is no number",
    "rup +1 x3 >= 1 ;": NOT_RUP,
    "rup +1 x1": "a constraint is malformed",
    "rup": "a constraint is malformed",
    "rup +1 x1 = 1 ;": "a constraint is malformed",
    "rup +1 >= 1 ;": "a constraint is malformed",
    "rup +1 x1 >= 1.5 ;": "a constraint is malformed",
    "rup +x x1 >= 1 ;": "'+x' is no coefficient",
    "rup +1 y1 >= 1 ;": "'y1' is no literal of the formula",
    "d 5": "there is no constraint 5 here",
    "c 1": "constraint 1 is no contradiction",
    "c 9": "there is no constraint 9 here",
    "c": "'' is no number",
    "red +1 x1 >= 1 ; x1 1": "'red' is no known step",
    "a +1 x1 >= 1 ;": "'a' is no known step",
    "pseudo-Boolean proof version 1.1": "'pseudo-Boolean' is no known step",
    "{}": "'{}' is no known step",
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_that_are_none(step: str) -> None:
    assert why(SMALL, 3, "f 4", step) == STEPS[step]


def test_order_and_end() -> None:
    assert (
        CuttingPlanes(3, SMALL).check(
            [VERSION, "* a comment", "", "f", "rup +1 x1 >= 1 ;", "rup >= 1 ;", "c 6"]
        )
        == 4
    )
    assert why(SMALL, 3, "f", "rup +1 x1 >= 1 ;", "rup >= 1 ;") == UNENDED
    assert (
        why(SMALL, 3, "f", "rup +1 x1 >= 1 ;", "rup >= 1 ;", "c 6", "f") == "a step follows the contradiction"
    )
    assert why(SMALL, 3, "f", "rup >= 1 ;") == NOT_RUP
    assert why(SMALL, 3, "rup >= 1 ;") == NOT_RUP  # nothing is loaded yet
    assert why(SMALL, 3, "f", "d 1", "rup +1 x1 >= 1 ;") == NOT_RUP
    assert why(SMALL, 3, "f", "d 1", "pol 1") == "there is no constraint 1 here"
    assert why(SMALL, 3, "f", "d 1 1") == "there is no constraint 1 here"
    derived = ["f", "pol 1 2 + 2 d", "d 1 2", "pol 5 3 + 4 +"]  # what was derived stays
    assert CuttingPlanes(3, SMALL).check([VERSION, *derived, "pol 5 6 +", "c 7"]) == 6
    assert (
        why(SMALL, 3, "f", "rup +1 x1 >= 1 ;", "d 1 5", "rup +1 x1 >= 1 ;") == UNENDED
    )  # and so does what was propagated
    with pytest.raises(Rejected, match="does not begin with"):
        CuttingPlanes(3, SMALL).check(["pseudo-Boolean proof version 2.0", "f"])
    with pytest.raises(Rejected, match=UNENDED):
        CuttingPlanes(3, SMALL).check([])


def test_known_values_of_the_operations() -> None:
    """Division and saturation round as the literature says: in the form in which every coefficient is
    positive.
    """
    cases = {
        "pol 1 2 d": "+1 x1 +2 ~x2 >= 2 ;",  # (2 x1 + 3 ~x2 >= 4) / 2
        "pol 1 3 *": "+6 x1 +9 ~x2 >= 12 ;",
        "pol 1 0 *": ">= 0 ;",
        "pol 1 x2 3 * +": "+2 x1 >= 1 ;",
        "pol 1 ~x1 +": "+1 x1 +3 ~x2 >= 3 ;",
        "pol 2 s": "+2 ~x1 +2 x3 >= 2 ;",  # 5 ~x1 + 9 x3 >= 2
        "pol 3 s": ">= -1 ;",
        "pol x1": "+1 x1 >= 0 ;",
        "pol ~x1 2 *": "+2 ~x1 >= 0 ;",
        "pol 2 1 + 3 d": "+1 ~x1 +1 ~x2 +3 x3 >= 2 ;",
    }
    axioms = [parsed(t, 3) for t in ("+2 x1 +3 ~x2 >= 4 ;", "+5 ~x1 +9 x3 >= 2 ;", "+1 x1 >= -1 ;")]
    for step, result in cases.items():
        checker = CuttingPlanes(3, axioms)
        with pytest.raises(Rejected, match=UNENDED):
            checker.check([VERSION, "f", step])
        found, expected = checker.known[4].constraint, parsed(result, 3)
        assert (found.terms, found.bound) == (expected.terms, expected.bound), step
        assert [k.constraint for _, k in sorted(checker.known.items())][
            :3
        ] == axioms  # a step changes nothing but itself


def literal(rng: random.Random, count: int) -> str:
    return rng.choice(["", "~"]) + f"x{rng.randint(1, count)}"


def some_constraint(rng: random.Random, count: int) -> str:
    terms = [
        f"{rng.choice([1, 1, 1, 2, 3, -2, 7]):+d} {literal(rng, count)}" for _ in range(rng.randint(0, 4))
    ]
    return " ".join([*terms, ">=", str(rng.choice([0, 1, 1, 2, 3, 5])), ";"])


def some_step(rng: random.Random, count: int, last: int) -> str:
    kind = rng.random()
    if kind < 0.45:
        return f"rup {some_constraint(rng, count)}"
    if kind < 0.5:
        return f"d {rng.randint(1, last)}"
    tokens, depth = [str(rng.randint(1, last))], 1
    for _ in range(rng.randint(1, 8)):
        what = rng.random()
        if what < 0.3 and depth > 1:
            tokens, depth = [*tokens, "+"], depth - 1
        elif what < 0.5:
            tokens, depth = [*tokens, str(rng.randint(1, last))], depth + 1
        elif what < 0.7:
            tokens = [*tokens, literal(rng, count), *rng.choice([[], ["3", "*"]]), "+"]
        else:
            tokens += rng.choice([["s"], ["2", "d"], ["3", "d"], ["2", "*"]])
    return " ".join(["pol", *tokens, *["+"] * (depth - 1)])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9))
def test_everything_that_is_derived_is_implied(seed: int) -> None:
    """Whatever steps are tried: all that is kept holds in every solution, so that no satisfiable formula is
    ever refuted.
    """
    rng = random.Random(seed)
    count = rng.randint(1, 5)
    axioms = [parsed(some_constraint(rng, count), count) for _ in range(rng.randint(1, 6))]
    checker, possible = CuttingPlanes(count, axioms), solutions(axioms, count)
    tried = [
        "f",
        *(some_step(rng, count, len(axioms) + 3) for _ in range(12)),
        *(f"c {n}" for n in range(1, len(axioms) + 12)),
    ]
    for step in tried:
        try:
            checker.check([VERSION, step])
            assert not possible, step
        except Rejected:
            pass
        for known in checker.known.values():
            assert all(holds(known.constraint, values) for values in possible), step
        assert not (checker.core.contradiction or checker.all.contradiction) or not possible


def propagated(constraints: list[Inequality], count: int) -> bool:
    """Whether propagation ends in a contradiction; as plainly as it can be written."""
    fixed: dict[int, int] = {}
    while True:
        before = dict(fixed)
        for c in constraints:
            most = sum(max(0, k) if v not in fixed else k * fixed[v] for v, k in c.terms.items())
            if most < c.bound:
                return True
            for v, k in c.terms.items():
                if v not in fixed and most - abs(k) < c.bound:
                    fixed[v] = int(k > 0)
                    break
        if fixed == before:
            return False


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_propagation_finds_what_propagation_can_find(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 6)
    constraints = [parsed(some_constraint(rng, count), count) for _ in range(rng.randint(0, 8))]
    propagation = Propagation()
    entered = [propagation.add(c) for c in constraints]
    for _ in range(4):
        asked = parsed(some_constraint(rng, count), count)
        assert propagation.refutes(asked) == propagated([*constraints, asked], count)
    if constraints and not propagated(
        constraints, count
    ):  # after a deletion: at least what is left gives, at most what was there
        gone = rng.randrange(len(constraints))
        propagation.remove(entered[gone])
        left = [c for i, c in enumerate(constraints) if i != gone]
        asked = parsed(some_constraint(rng, count), count)
        assert (
            propagated([*left, asked], count)
            <= propagation.refutes(asked)
            <= propagated([*constraints, asked], count)
        )


def test_deleted_constraints_are_cleared_away() -> None:
    propagation = Propagation()
    entered = [propagation.add(parsed("+1 x1 +1 x2 >= 1 ;", 2)) for _ in range(1000)]
    for constraint in entered[1:]:
        propagation.remove(constraint)
    assert propagation.refutes(parsed("+1 ~x1 +1 ~x2 >= 2 ;", 2))
    assert all(len(here) < 100 for here in propagation._hurt.values())


def test_what_grows_without_end_reaches_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    axioms = [parsed(" ".join(f"+1 x{v}" for v in range(1, 101)) + " >= 1 ;", 100)]
    with pytest.raises(LimitReached, match="bits"):
        CuttingPlanes(100, axioms).check([VERSION, "f", "pol 1" + (" " + "9" * 400 + " *") * 10_000])
    with pytest.raises(LimitReached, match="bits"):  # where there is no coefficient, the degree grows
        CuttingPlanes(100, axioms).check([VERSION, "f", "pol x1 ~x1 +" + (" " + "9" * 400 + " *") * 500])
    with pytest.raises(LimitReached, match="bits"):  # line by line
        CuttingPlanes(100, axioms).check(
            [VERSION, "f", "pol x1 ~x1 +", *(f"pol {n} {'9' * 400} *" for n in range(2, 500))]
        )
    monkeypatch.setattr(cutting_planes, "TERMS", 10_000)
    with pytest.raises(LimitReached, match="terms"):
        CuttingPlanes(100, axioms).check([VERSION, "f", "pol" + " 1 2 *" * 1000])
    with pytest.raises(LimitReached, match="terms"):
        CuttingPlanes(100, axioms).check([VERSION, *["f"] * 1000])

    def late() -> None:
        raise LimitReached("out of time")

    with pytest.raises(LimitReached, match="out of time"):
        CuttingPlanes(100, axioms, late).check([VERSION])
