"""What holds between two tokens of the sequence: neighbours, tokens that mirror each other, any two in order.

Beside `aggregates.py`, for `bank.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ...common.text import literal
from ..problem import SearchProblem
from .expression import Evaluate, Expression
from .inputs import Inputs
from .items import TokenFunctions
from .sequences import Sequence

SIGNS: dict[str, np.ufunc] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, ">": np.greater, "<=": np.less_equal,
    ">=": np.greater_equal,
}  # fmt: skip
LONGEST = 64  # sequences of which any two tokens are compared
ENDS = {"tokens[0]": 3, "tokens[-1]": 5}

Relation = tuple[
    str, str, int, str, np.ndarray
]  # texts of the two sides, their weight, the sign, values by symbol


def relations_of(functions: TokenFunctions, ranks: np.ndarray | None, size: int) -> list[Relation]:
    """List the relations of two tokens a and b: the same or not; as strings; by their numbers."""
    out: list[Relation] = [("a", "b", 0, sign, np.arange(size)) for sign in ("==", "!=")]
    signs = ("<", ">", "<=", ">=")
    if ranks is not None:
        out += [("a", "b", 0, sign, ranks) for sign in signs]
    for f in functions.numbers:
        if f.weight <= 3:
            out += [(f.write("a"), f.write("b"), f.weight, sign, f.table) for sign in signs]
    return out


def neighbours(s: Sequence, relations: list[Relation]) -> Iterator[Expression]:
    """Yield what holds between neighbours: how often they differ, rise, fall; whether they all do."""
    if s.longest < 2:
        return
    pair = f"for a, b in zip({s.text}, {s.text}[1:])"
    for a, b, extra, sign, table in relations:
        hold = partial(_neighbours, s, sign, table)
        weight = (
            16 + 2 * s.weight + 2 * extra
        )  # sum, generator, `for`, (a, b), zip, the slice, the comparison
        yield from _how_often(f"{a} {sign} {b} {pair}", weight, hold)
        if sign != "==":
            yield Expression("bool", f"all({a} {sign} {b} {pair})", weight, _all_pairs(s, hold))


def following(problem: SearchProblem, s: Sequence) -> Iterator[Expression]:
    """Yield how often, and whether, one token stands right before another."""
    if s.longest < 2 or problem.size > 8:
        return
    for x, first in enumerate(problem.tokens):
        for y, second in enumerate(problem.tokens):
            test = f"a == {literal(first)} and b == {literal(second)}"
            generator = f"{test} for a, b in zip({s.text}, {s.text}[1:])"
            yield from _how_often(generator, 22 + 2 * s.weight, partial(_followed, s, x, y))


def mirrored(s: Sequence, relations: list[Relation]) -> Iterator[Expression]:
    """Yield how often a token differs from the one that mirrors it."""
    for a, b, extra, sign, table in relations:
        if extra == 0:
            generator = f"{a} {sign} {b} for a, b in zip({s.text}, {s.text}[::-1])"
            yield from _how_often(generator, 18 + 2 * s.weight, partial(_mirrored, s, sign, table))


def any_two(s: Sequence, relations: list[Relation]) -> Iterator[Expression]:
    """Yield how many pairs of tokens, one before the other, stand in a relation."""
    if s.longest > LONGEST:
        return
    for a, b, extra, sign, table in relations:
        if sign in ("==", "<", ">"):
            generator = f"{a} {sign} {b} for i, a in enumerate({s.text}) for b in {s.text}[i + 1:]"
            yield from _how_often(generator, 21 + 2 * s.weight + 2 * extra, partial(_any_two, s, sign, table))


def beside_an_end(s: Sequence, relations: list[Relation]) -> Iterator[Expression]:
    """Yield how many tokens stand in a relation to the first or the last one."""
    if not s.shortest:
        return
    for a, b, extra, sign, table in relations:
        if extra and not a.endswith("(a)"):
            continue
        for end, nodes in ENDS.items():
            left, right = (side if extra else side[:0] for side in (a, b))
            left, right = left.replace("(a)", "(t)") or "t", right.replace("(b)", f"({end})") or end
            weight = 8 + s.weight + nodes + 2 * extra
            hold = partial(_beside, s, sign, table, end == "tokens[0]")
            yield from _how_often(f"{left} {sign} {right} for t in {s.text}", weight, hold)


def _how_often(generator: str, weight: int, holds: Evaluate) -> Iterator[Expression]:
    """Yield how often something holds, (n, places), and whether it ever does."""
    yield Expression("int", f"sum({generator})", weight, lambda i: holds(i).sum(axis=1))
    yield Expression("bool", f"any({generator})", weight, lambda i: np.asarray(holds(i).any(axis=1)))


def _all_pairs(s: Sequence, hold: Evaluate) -> Evaluate:
    return lambda i: np.asarray(hold(i).sum(axis=1) == np.maximum(s.length(i) - 1, 0))


def _values(s: Sequence, table: np.ndarray, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a sequence's tokens, and where it has tokens, both (n, positions)."""
    tokens = s.of(inputs)
    return np.append(table, 0)[tokens], tokens < inputs.size


def _neighbours(s: Sequence, sign: str, table: np.ndarray, inputs: Inputs) -> np.ndarray:
    values, inside = _values(s, table, inputs)
    return np.asarray(SIGNS[sign](values[:, :-1], values[:, 1:]) & inside[:, 1:])


def _followed(s: Sequence, x: int, y: int, inputs: Inputs) -> np.ndarray:
    tokens = s.of(inputs)
    result: np.ndarray = (tokens[:, :-1] == x) & (tokens[:, 1:] == y)
    return result


def _mirrored(s: Sequence, sign: str, table: np.ndarray, inputs: Inputs) -> np.ndarray:
    values, inside = _values(s, table, inputs)
    at = np.maximum(s.length(inputs)[:, None] - 1 - np.arange(values.shape[1]), 0)
    return np.asarray(SIGNS[sign](values, np.take_along_axis(values, at, axis=1)) & inside)


def _any_two(s: Sequence, sign: str, table: np.ndarray, inputs: Inputs) -> np.ndarray:
    values, inside = _values(s, table, inputs)
    first, second = np.triu_indices(values.shape[1], 1)
    return np.asarray(SIGNS[sign](values[:, first], values[:, second]) & inside[:, second])


def _beside(s: Sequence, sign: str, table: np.ndarray, first: bool, inputs: Inputs) -> np.ndarray:
    values, inside = _values(s, table, inputs)
    place = np.zeros(len(inputs), dtype=np.int64) if first else np.maximum(inputs.lengths - 1, 0)
    end = np.append(table, 0)[inputs.words[np.arange(len(inputs)), place]]
    return np.asarray(SIGNS[sign](values, end[:, None]) & inside)
