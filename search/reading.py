"""From a feature's values to labels: which value means which label, inferred from the examples.

Between families and candidates.  A reading is a table of values and the statements that return the label; thresholds are put
where the examples leave room for the plainest constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .feature import Body, Family
from .problem import Problem
from .render import indent, literal, nothing, one_of

MAX_RUNS = 12  # intervals of a number that a program may tell apart


@dataclass(frozen=True, eq=False)
class Reading:
    """Label of value v: `table[v - low]`, clipped at both ends; -1 where the program would return something else than a label."""

    lines: tuple[str, ...]
    table: np.ndarray
    low: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        return self.table[np.clip(values.astype(np.int64) - self.low, 0, len(self.table) - 1)]


def readings(family: Family, row: int, problem: Problem, values: np.ndarray, labels: np.ndarray) -> list[Reading]:
    """The programs that read this feature so that every example gets its label (none if one value has two labels)."""
    meaning: dict[int, int] = {}
    for value, label in zip(values.tolist(), labels.tolist(), strict=True):
        if meaning.setdefault(int(value), int(label)) != label:
            return []
    if len(set(meaning.values())) < 2:
        return []
    body = family.body(row)
    if family.kind == "flag":
        return [_flag(body, problem, meaning)]
    if family.kind == "token":
        words = [*problem.tokens, nothing(problem)]
        return [_groups(body, problem, meaning, words), *_token_itself(family, row, problem, meaning)]
    if family.kind == "residue":
        return [_groups(body, problem, meaning, list(range(max(meaning) + 1))), *_number_itself(body, problem, meaning)]
    return [*_number(body, problem, meaning), *_number_itself(body, problem, meaning)]


def choose(condition: str, negated: str, yes: object, no: object) -> str:
    """The statement that returns one of two labels."""
    if type(yes) is bool and type(no) is bool:
        return f"return {condition}" if yes else f"return {negated}"
    return f"return {literal(yes)} if {condition} else {literal(no)}"


def _flag(body: Body, problem: Problem, meaning: dict[int, int]) -> Reading:
    no, yes = problem.labels[meaning[0]], problem.labels[meaning[1]]
    negated = body.negated or (f"not {body.expression}" if body.expression.isidentifier() else f"not ({body.expression})")
    return Reading((*body.lines, choose(body.expression, negated, yes, no)), np.array([meaning[0], meaning[1]]), 0)


def _chain(body: Body, arms: Sequence[tuple[str, object]], last: object) -> tuple[str, ...]:
    """`if value <test>: return label` for each arm, then the last label; the value is named once."""
    lines = list(body.lines)
    variable = body.expression
    if not variable.isidentifier():
        variable = body.name
        lines.append(f"{variable} = {body.expression}")
    for test, label in arms:
        lines += [f"if {variable} {test}:", *indent([f"return {literal(label)}"])]
    return (*lines, f"return {literal(last)}")


def _groups(body: Body, problem: Problem, meaning: dict[int, int], words: Sequence[object]) -> Reading:
    """Group the values by label; the label with the most values needs no test.  words[v]: the value v in Python."""
    groups: dict[int, list[int]] = {}
    for value in sorted(meaning):
        groups.setdefault(meaning[value], []).append(value)
    order = sorted(groups, key=lambda y: (len(groups[y]), -max(groups[y])))
    table = np.full(len(words) + 1, order[-1], dtype=np.int64)
    for value, label in meaning.items():
        table[value] = label
    label_of = problem.labels
    if len(order) == 2:
        members = [words[v] for v in groups[order[0]]]
        tests = [f"{body.expression} {one_of(members, negate)}" for negate in (False, True)]
        lines = (*body.lines, choose(tests[0], tests[1], label_of[order[0]], label_of[order[1]]))
    else:
        lines = _chain(body, [(one_of([words[v] for v in groups[y]]), label_of[y]) for y in order[:-1]], label_of[order[-1]])
    return Reading(lines, table, 0)


def _token_itself(family: Family, row: int, problem: Problem, meaning: dict[int, int]) -> list[Reading]:
    """Where each token seen is its own label, the token is returned."""
    itself = [problem.labels.index(t) if t in problem.labels else -1 for t in problem.tokens]
    if family.direct is None or any(symbol < problem.size and itself[symbol] != label for symbol, label in meaning.items()):
        return []
    fallback = meaning.get(problem.size, next(iter(meaning.values())))
    lines = family.direct(row, literal(problem.labels[fallback]))
    return [Reading(lines, np.array([*itself, fallback]), 0)]


def _number_itself(body: Body, problem: Problem, meaning: dict[int, int]) -> list[Reading]:
    """Where the labels are the numbers themselves, or off by one constant."""
    if any(type(y) is not int for y in problem.labels):
        return []
    shifts = {int(problem.labels[y]) - value for value, y in meaning.items()}
    if len(shifts) != 1:
        return []
    shift = shifts.pop()
    numbers = {int(y) - shift: i for i, y in enumerate(problem.labels)}
    low, high = min(numbers) - 1, max(numbers) + 1
    if high - low > 1 << 12:
        return []
    table = np.array([numbers.get(v, -1) for v in range(low, high + 1)])
    text = body.expression if shift == 0 else f"{body.expression} {'+' if shift > 0 else '-'} {abs(shift)}"
    return [Reading((*body.lines, f"return {text}"), table, low)]


def _number(body: Body, problem: Problem, meaning: dict[int, int]) -> list[Reading]:
    """Thresholds between runs of values with one label; or one value against all others."""
    seen = sorted(meaning)
    runs: list[tuple[int, int, int]] = []  # first value, last value, label
    for value in seen:
        if runs and runs[-1][2] == meaning[value]:
            runs[-1] = (runs[-1][0], value, meaning[value])
        else:
            runs.append((value, value, meaning[value]))
    if len(runs) > MAX_RUNS:
        return []
    label_of = problem.labels
    low, high = seen[0] - 1, seen[-1] + 1
    out = []
    if len(runs) == 3 and runs[1][0] == runs[1][1] and runs[0][2] == runs[2][2]:
        middle, other = runs[1][2], runs[0][2]
        table = np.array([middle if v == runs[1][0] else other for v in range(low, high + 1)])
        tests = [f"{body.expression} {sign} {runs[1][0]}" for sign in ("==", "!=")]
        out.append(Reading((*body.lines, choose(tests[0], tests[1], label_of[middle], label_of[other])), table, low))
    cuts = [min(range(a[1] + 1, b[0] + 1), key=abs) for a, b in pairwise(runs)]
    table = np.array([runs[sum(v >= c for c in cuts)][2] for v in range(low, high + 1)])
    if len(runs) == 2:
        tests = [f"{body.expression} {sign} {cuts[0]}" for sign in (">=", "<")]
        if cuts[0] == 1:
            tests = [f"{body.expression} {sign} 0" for sign in (">", "<=")]
        lines = (*body.lines, choose(tests[0], tests[1], label_of[runs[1][2]], label_of[runs[0][2]]))
        out.append(Reading(lines, table, low))
    else:
        arms = [(f"< {cut}", label_of[run[2]]) for cut, run in zip(cuts, runs, strict=False)]
        out.append(Reading(_chain(body, arms, label_of[runs[-1][2]]), table, low))
    return out


__all__ = ["Reading", "readings"]
