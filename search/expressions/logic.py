"""Two labels from two conditions: both hold, one of them does, or exactly one.

After `conditions.py`, beside `cases.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import numpy as np

from ...common.deadline import check
from ..candidate import Candidate
from ..formula import COMPARE, level_of
from ..problem import SearchProblem
from ..reading import choose
from ..render import parenthesised
from .conditions import Condition, Conditions
from .inputs import Inputs
from .returns import program

NEEDED = 2500  # conditions that may be one half of a conjunction
FOUND = 20

Join = Callable[[np.ndarray, np.ndarray], np.ndarray]


def two_conditions(
    problem: SearchProblem, conditions: Conditions, labels: np.ndarray, below: int
) -> Iterator[Candidate]:
    """Yield programs of two conditions that give the sample its two labels.

    Args:
        problem: its labels.
        conditions: over the sample.
        labels: label indices of the sample, (n,).
        below: only lighter ones are wanted.
    """
    there = np.unique(labels).tolist()
    if len(there) != 2:
        return
    for label, other in (there, there[::-1]):
        target = np.packbits(labels == label)
        yield from _conjunctions(problem, conditions, target, (label, other), below)
    yield from _differences(problem, conditions, np.packbits(labels == there[0]), (there[0], there[1]), below)


def _conjunctions(
    problem: SearchProblem, conditions: Conditions, target: np.ndarray, labels: tuple[int, int], below: int
) -> Iterator[Candidate]:
    """Yield `a and b` for the first label; its opposite is an `or` for the other."""
    both: list[tuple[int, int, bool]] = []
    kept = []
    for bits, negate in ((conditions.bits, False), (~conditions.bits & conditions.inside, True)):
        rows = np.flatnonzero(((bits & target) == target).all(axis=1))
        both += [(int(conditions.weights[r]) + 2 * negate, int(r), negate) for r in rows]
        kept.append(bits)
    both = [x for x in sorted(both)[:NEEDED] if x[0] + 6 < below]
    if len(both) < 2:
        return
    over = np.array([kept[negate][r] for _, r, negate in both]) & ~target
    weights = np.array([w for w, _, _ in both])
    pairs = []
    for i in range(len(both)):
        check()
        fits = np.flatnonzero(~(over[i] & over[i + 1 :]).any(axis=1))[:40]
        pairs += [(int(weights[i] + weights[i + 1 + j]), i, i + 1 + int(j)) for j in fits]
    for weight, i, j in sorted(pairs)[:FOUND]:
        if weight + 3 >= below:
            return
        a, b = (_oriented(conditions, r, negate) for _, r, negate in (both[i], both[j]))
        yield _joined(problem, a, b, np.logical_and, labels)


def _differences(
    problem: SearchProblem, conditions: Conditions, target: np.ndarray, labels: tuple[int, int], below: int
) -> Iterator[Candidate]:
    """Yield two conditions of which exactly one holds where the label is the first."""
    index = {row.tobytes(): i for i, row in enumerate(conditions.bits)}
    pairs = []
    for i, row in enumerate(conditions.bits):
        for flip in (False, True):
            wanted = row ^ target
            j = index.get((~wanted & conditions.inside if flip else wanted).tobytes())
            if j is not None and j > i:
                pairs.append((int(conditions.weights[i] + conditions.weights[j]), i, j, flip))
    for weight, i, j, flip in sorted(pairs)[:FOUND]:
        if weight + 4 >= below:
            return
        a, b = conditions.all[i], conditions.all[j]
        yield _joined(problem, a, b, np.equal if flip else np.not_equal, labels)


def _oriented(conditions: Conditions, row: int, negate: bool) -> Condition:
    return conditions.all[row].negated() if negate else conditions.all[row]


def _joined(
    problem: SearchProblem, a: Condition, b: Condition, join: Join, labels: tuple[int, int]
) -> Candidate:
    if join is np.logical_and:
        both = f"{parenthesised(a.text, 'and')} and {parenthesised(b.text, 'and')}"
        yes = chained(a.text, b.text) or both
        no = f"{a.opposite} or {b.opposite}"
    else:
        yes, no = (
            f"({a.text}) {s} ({b.text})" for s in (("!=", "==") if join is np.not_equal else ("==", "!="))
        )
    first, second = labels
    line = choose(yes, no, problem.labels[first], problem.labels[second])

    def decide(i: Inputs) -> np.ndarray:
        held = (np.asarray(c.holds(i)).astype(bool) for c in (a, b))
        return np.where(join(*held), first, second)

    return program((line,), decide, problem, "conditions")


_TURNED = {ast.Lt: ">", ast.Gt: "<", ast.LtE: ">=", ast.GtE: "<=", ast.Eq: "=="}
_SIGNS = {ast.Lt: "<", ast.Gt: ">", ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "=="}


def chained(first: str, second: str) -> str:
    """Write two comparisons that share an operand as one, `a < b > c`; empty if that is not possible."""
    sides = [_sides(text) for text in (first, second)]
    for left in sides[0]:
        for right in sides[1]:
            if left[2] == right[0] and left[0] != right[2]:
                return f"{left[0]} {left[1]} {left[2]} {right[1]} {right[2]}"
    return ""


def _sides(text: str) -> list[tuple[str, str, str]]:
    """Return a comparison read forwards and backwards: left, sign, right."""
    node = ast.parse(text, mode="eval").body
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SIGNS):
        return []
    left = text[node.left.col_offset : node.left.end_col_offset]
    right = text[node.comparators[0].col_offset : node.comparators[0].end_col_offset]
    if level_of(left) <= COMPARE or isinstance(node.comparators[0], ast.Constant | ast.Tuple):
        return []
    return [(left, _SIGNS[type(node.ops[0])], right), (right, _TURNED[type(node.ops[0])], left)]
