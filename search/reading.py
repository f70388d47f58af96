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
from .render import indent, literal, nothing, one_of, tuple_of

MAX_RUNS = 12  # intervals of a number that a program may tell apart


@dataclass(frozen=True, eq=False)
class Reading:
    """Label of value v: `table[v - low]`, clipped at both ends; -1 where the program would return something else than a label."""

    lines: tuple[str, ...]
    table: np.ndarray
    low: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        return self.table[np.clip(values.astype(np.int64) - self.low, 0, len(self.table) - 1)]


def readings(
    family: Family, row: int, problem: Problem, values: np.ndarray, labels: np.ndarray
) -> list[Reading]:
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
        return [groups(body, problem, meaning, words), *_token_itself(family, row, problem, meaning)]
    more = [*_number_itself(body, problem, meaning), *_indexed(body, problem, meaning, family.bound)]
    if family.kind == "residue":
        return [groups(body, problem, meaning, list(range(max(meaning) + 1))), *more]
    return [*_number(body, problem, meaning), *more]


def choose(condition: str, negated: str, yes: object, no: object) -> str:
    """The statement that returns one of two labels."""
    if type(yes) is bool and type(no) is bool:
        return f"return {condition}" if yes else f"return {negated}"
    return f"return {literal(yes)} if {condition} else {literal(no)}"


def _flag(body: Body, problem: Problem, meaning: dict[int, int]) -> Reading:
    no, yes = problem.labels[meaning[0]], problem.labels[meaning[1]]
    negated = body.negated or (
        f"not {body.expression}" if body.expression.isidentifier() else f"not ({body.expression})"
    )
    return Reading(
        (*body.lines, choose(body.expression, negated, yes, no)), np.array([meaning[0], meaning[1]]), 0
    )


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


def groups(body: Body, problem: Problem, meaning: dict[int, int], words: Sequence[object]) -> Reading:
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
        lines = _chain(
            body,
            [(one_of([words[v] for v in groups[y]]), label_of[y]) for y in order[:-1]],
            label_of[order[-1]],
        )
    return Reading(lines, table, 0)


def _token_itself(family: Family, row: int, problem: Problem, meaning: dict[int, int]) -> list[Reading]:
    """Where each token seen is its own label, the token is returned."""
    itself = [problem.labels.index(t) if t in problem.labels else -1 for t in problem.tokens]
    if family.direct is None or any(
        symbol < problem.size and itself[symbol] != label for symbol, label in meaning.items()
    ):
        return []
    fallback = meaning.get(problem.size, next(iter(meaning.values())))
    lines = family.direct(row, literal(problem.labels[fallback]))
    return [Reading(lines, np.array([*itself, fallback]), 0)]


def _number_itself(body: Body, problem: Problem, meaning: dict[int, int]) -> list[Reading]:
    """Where the labels are the numbers themselves, as integers or as strings: off by one constant, or held within bounds."""
    numbers = _numerals(problem)
    there = dict(meaning)
    lines, expression, missing = body.lines, body.expression, None
    if body.absent:
        missing = there.pop(body.absent[0], None)
        lines, expression = (), body.absent[2]
    if not there or any(y not in numbers for y in there.values()):
        return []
    low, high = min(there), max(there)
    least, most = (pick(numbers[y] for y in there.values()) for pick in (min, max))
    shift = next(
        (numbers[y] - v for v, y in sorted(there.items()) if least < numbers[y] < most),
        numbers[there[low]] - low,
    )
    clipped = {v: min(max(v + shift, least), most) for v in there}
    if any(clipped[v] != numbers[y] for v, y in there.items()) or high - low > 1 << 12:
        return []
    text = expression if shift == 0 else f"{expression} {'+' if shift > 0 else '-'} {abs(shift)}"
    bottom, top = (low + shift < least), (high + shift > most)
    text = f"max({text}, {least})" if bottom else text
    text = f"min({text}, {most})" if top else text
    if all(isinstance(problem.labels[y], str) for y in there.values()):
        text = f"str({text})"
    index = {
        numbers[y]: y
        for y in numbers
        if type(problem.labels[y]) is type(problem.labels[next(iter(there.values()))])
    }
    first, last = (least if bottom else min(index)) - 1, (most if top else max(index)) + 1
    start, stop = min(first - shift, min(meaning)) - 1, max(last - shift, max(meaning)) + 1
    table = []
    for value in range(start, stop + 1):
        number = value + shift
        number = max(number, least) if bottom else number
        number = min(number, most) if top else number
        table.append(index.get(number, -1))
    if body.absent:  # a program may be asked for what is missing though no example was
        fallback = missing if missing is not None else there[low]
        table[body.absent[0] - start] = fallback
        text = f"{text} if {body.absent[1]} else {literal(problem.labels[fallback])}"
        table[: body.absent[0] - start] = [-1] * (body.absent[0] - start)
    return [Reading((*lines, f"return {text}"), np.array(table), start)]


def _numerals(problem: Problem) -> dict[int, int]:
    """Label index -> number, for the labels that are integers or their decimal strings; of one type only."""
    out = {}
    for i, label in enumerate(problem.labels):
        if type(label) is int:
            out[i] = label
        elif (
            isinstance(label, str)
            and label.isascii()
            and label.lstrip("-").isdigit()
            and str(int(label)) == label
        ):
            out[i] = int(label)
    return out if len({type(problem.labels[i]) for i in out}) == 1 else {}


def _indexed(body: Body, problem: Problem, meaning: dict[int, int], bound: int) -> list[Reading]:
    """A tuple of labels, indexed by a small number that is never negative."""
    if not 2 < bound <= MAX_RUNS:
        return []
    usual = max(meaning.values(), key=list(meaning.values()).count)
    table = np.array([meaning.get(v, usual) for v in range(bound)])
    if len(set(table.tolist())) < 3:  # a condition says it better
        return []
    labels = tuple_of(problem.labels[y] for y in table)
    return [Reading((*body.lines, f"return {labels}[{body.expression}]"), table, 0)]


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
        out.append(
            Reading((*body.lines, choose(tests[0], tests[1], label_of[middle], label_of[other])), table, low)
        )
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
