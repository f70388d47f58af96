"""GateClauses and adders: the truth tables, and that every clause is needed."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import pytest
from relucid.encoders.gates import FALSE, TRUE, Bits, GateClauses, constant

Gate = Callable[[GateClauses, list[int]], int]
GATES: dict[str, tuple[Gate, Callable[..., bool]]] = {
    "any": (lambda g, x: g.any(x), lambda a, b, c: a or b or c),
    "both": (lambda g, x: g.both(x[0], x[1]), lambda a, b, c: a and b),
    "xor": (lambda g, x: g.xor(x[0], x[1]), lambda a, b, c: a != b),
    "majority": (lambda g, x: g.majority(*x), lambda a, b, c: a + b + c >= 2),
}


def models(clauses: list[tuple[int, ...]], count: int) -> list[set[int]]:
    """All models, as sets of true variables; by trying all."""
    out = []
    for values in product((False, True), repeat=count):
        true = {v for v, value in enumerate(values, start=1) if value}
        if all(any((abs(literal) in true) == (literal > 0) for literal in clause) for clause in clauses):
            out.append(true)
    return out


def value(literal: int, true: set[int]) -> bool:
    return (abs(literal) in true) == (literal > 0)


@pytest.mark.parametrize("name", GATES)
def test_gates_are_their_truth_tables_over_constants_and_repetitions_too(name: str) -> None:
    gate, want = GATES[name]
    for choice in product([2, 3, 4, -2, -3, TRUE, FALSE], repeat=3):
        gates = GateClauses()
        for _ in range(3):
            gates.variable()
        out = gate(gates, list(choice))
        found = models(gates.clauses, gates.count)
        assert len(found) == 8  # one for each value of the three inputs
        assert all(value(out, true) == want(*(value(x, true) for x in choice)) for true in found), choice


@pytest.mark.parametrize("name", GATES)
def test_no_clause_of_a_gate_is_idle(name: str) -> None:
    gates = GateClauses()
    inputs = [gates.variable() for _ in range(3)]
    GATES[name][0](gates, inputs)
    for i in range(1, len(gates.clauses)):
        assert len(models(gates.clauses[:i] + gates.clauses[i + 1 :], gates.count)) > 8


def test_equal_gates_are_one() -> None:
    gates = GateClauses()
    a, b, c = (gates.variable() for _ in range(3))
    assert gates.xor(a, -b) == -gates.xor(b, a) and gates.any([a, b, a]) == gates.any([b, a])
    assert gates.majority(a, b, c) == gates.majority(c, a, b)
    assert gates.count == 7


def evaluate(gates: GateClauses, inputs: dict[int, bool]) -> set[int]:
    """The model that inputs determine: by unit propagation, which has to reach everything."""
    known = dict(inputs) | {1: True}
    while len(known) < gates.count:
        before = len(known)
        for clause in gates.clauses:
            open_ = [x for x in clause if abs(x) not in known]
            if len(open_) == 1 and not any(abs(x) in known and known[abs(x)] == (x > 0) for x in clause):
                known[abs(open_[0])] = open_[0] > 0
        assert len(known) > before
    return {v for v, x in known.items() if x}


@pytest.mark.parametrize("seed", range(30))
def test_sums_are_sums_modulo_the_width(seed: int) -> None:
    rng = random.Random(seed)
    gates = GateClauses()
    numbers: list[Bits] = [
        [gates.variable() for _ in range(rng.randint(0, 5))] for _ in range(rng.randint(0, 4))
    ]
    numbers.append(constant(rng.randint(-9, 9), 6))
    if numbers[0]:
        numbers.append([FALSE] * rng.randint(0, 3) + [-bit for bit in numbers[0]])  # the same bits again
    variables = [abs(bit) for n in numbers for bit in n if abs(bit) != 1]
    width = rng.randint(1, 8)
    total = gates.sum(numbers, width)
    for _ in range(20):
        true = evaluate(gates, {v: rng.random() < 0.5 for v in variables})
        number = lambda bits, true=true: sum(value(bit, true) << k for k, bit in enumerate(bits))  # noqa: E731
        assert number(total) == sum(map(number, numbers)) % (1 << width)


@pytest.mark.parametrize("count", [0, 1, 2, 6, 7, 11, 30])
def test_at_most_one(count: int) -> None:
    gates = GateClauses()
    literals = [gates.variable() for _ in range(count)]
    gates.at_most_one(list(literals))
    for chosen in [(), *((v,) for v in literals)]:
        evaluate(gates, {v: v in chosen for v in literals})
    for a, b in [(a, b) for a in literals for b in literals if a < b]:
        with pytest.raises(AssertionError):  # a conflict: nothing more follows, or a clause is false
            true = evaluate(gates, {v: v in (a, b) for v in literals})
            assert all(any(value(x, true) for x in clause) for clause in gates.clauses)
