"""Read labels off a feature's values: which value means which label is inferred from the examples.

Between families and candidates.  A reading is a table of values, and the statements that return the label.
Thresholds are put where the examples leave room for the plainest constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..common.text import literal
from .feature import Body, Family
from .formula import ATOM, level_of
from .problem import SearchProblem
from .render import indent, nothing, one_of, tuple_of

WIDEST = 1 << 14  # numbers over which thresholds may be spread
ENTRIES = 13  # of a dictionary, at most
MAX_RUNS = 12  # intervals of a number that a program may tell apart


@dataclass(frozen=True, eq=False)
class LabelReading:
    """How a feature's values become labels.

    Args:
        lines: statements that compute the feature and return the label.
        table: the label index of value v is table[v - low], clipped at both ends; -1 if the program returns
            no label.
        low: the value of the table's first entry.
    """

    lines: tuple[str, ...]
    table: np.ndarray
    low: int

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return label indices for values, of the same shape."""
        return self.table[np.clip(values.astype(np.int64) - self.low, 0, len(self.table) - 1)]


def readings(
    family: Family, row: int, problem: SearchProblem, values: np.ndarray, labels: np.ndarray
) -> list[LabelReading]:
    """Find the programs that read a feature so that every example gets its label.

    Args:
        family: of the feature.
        row: the feature's number.
        problem: its labels and tokens.
        values: of the feature on the examples, (n,).
        labels: label indices of the examples, (n,).

    Returns: the readings; none if one value has two labels, or there is one label only.
    """
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
        spelled = [*problem.tokens, nothing(problem)]
        more = [*_token_itself(family, row, problem, meaning), *_dictionary(body, problem, meaning, spelled)]
        return [groups(body, problem, meaning, spelled), *more]
    more = [*_number_itself(body, problem, meaning), *_indexed(body, problem, meaning, family.bound)]
    more += _scaled(body, problem, meaning)
    if min(meaning) >= 0 and max(meaning) < ENTRIES:
        more += _dictionary(body, problem, meaning, list(range(max(meaning) + 1)))
    if family.kind == "residue":
        return [groups(body, problem, meaning, list(range(max(meaning) + 1))), *more]
    return [*_number(body, problem, meaning), *more, *_number_but_one(body, problem, meaning)]


def choose(condition: str, negated: str, yes: object, no: object) -> str:
    """Write the statement that returns one of two labels."""
    if type(yes) is bool and type(no) is bool:
        return f"return {condition}" if yes else f"return {negated}"
    return f"return {literal(yes)} if {condition} else {literal(no)}"


def _flag(body: Body, problem: SearchProblem, meaning: dict[int, int]) -> LabelReading:
    no, yes = problem.labels[meaning[0]], problem.labels[meaning[1]]
    lines = (*body.lines, choose(body.expression, body.opposite, yes, no))
    return LabelReading(lines, np.array([meaning[0], meaning[1]]), 0)


def _chain(body: Body, arms: Sequence[tuple[str, object]], last: object) -> tuple[str, ...]:
    """Write `if value <test>: return label` for each arm, then the last label.  The value is named once."""
    lines = list(body.lines)
    variable = body.expression
    if not variable.isidentifier():
        variable = body.name
        lines.append(f"{variable} = {body.expression}")
    for test, label in arms:
        lines += [f"if {variable} {test}:", *indent([f"return {literal(label)}"])]
    return (*lines, f"return {literal(last)}")


def groups(
    body: Body, problem: SearchProblem, meaning: dict[int, int], spelled: Sequence[object]
) -> LabelReading:
    """Group values by label; the label with the most values needs no test.

    Args:
        body: of the feature.
        problem: its labels.
        meaning: the label index of each value.
        spelled: spelled[v] is the value v in Python.
    """
    groups: dict[int, list[int]] = {}
    for value in sorted(meaning):
        groups.setdefault(meaning[value], []).append(value)
    order = sorted(groups, key=lambda y: (len(groups[y]), -max(groups[y])))
    table = np.full(len(spelled) + 1, order[-1], dtype=np.int64)
    for value, label in meaning.items():
        table[value] = label
    label_of = problem.labels
    if len(order) == 2:
        members = [spelled[v] for v in groups[order[0]]]
        tests = [f"{body.expression} {one_of(members, negate)}" for negate in (False, True)]
        lines = (*body.lines, choose(tests[0], tests[1], label_of[order[0]], label_of[order[1]]))
    else:
        lines = _chain(
            body,
            [(one_of([spelled[v] for v in groups[y]]), label_of[y]) for y in order[:-1]],
            label_of[order[-1]],
        )
    return LabelReading(lines, table, 0)


def _token_itself(
    family: Family, row: int, problem: SearchProblem, meaning: dict[int, int]
) -> list[LabelReading]:
    """Return the token itself, if each token is its own label."""
    itself = [problem.labels.index(t) if t in problem.labels else -1 for t in problem.tokens]
    if family.direct is None or any(
        symbol < problem.size and itself[symbol] != label for symbol, label in meaning.items()
    ):
        return []
    fallback = meaning.get(problem.size, next(iter(meaning.values())))
    lines = family.direct(row, literal(problem.labels[fallback]))
    return [LabelReading(lines, np.array([*itself, fallback]), 0)]


def _number_itself(body: Body, problem: SearchProblem, meaning: dict[int, int]) -> list[LabelReading]:
    """Return the number itself, as an integer or a string, shifted by a constant or held within bounds."""
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
    if body.absent:  # the number may be missing on an input though it is on no example
        fallback = missing if missing is not None else there[low]
        table[body.absent[0] - start] = fallback
        text = f"{text} if {body.absent[1]} else {literal(problem.labels[fallback])}"
        table[: body.absent[0] - start] = [-1] * (body.absent[0] - start)
    return [LabelReading((*lines, f"return {text}"), np.array(table), start)]


def _number_but_one(body: Body, problem: SearchProblem, meaning: dict[int, int]) -> list[LabelReading]:
    """Return the number itself, and another label for the smallest number alone."""
    numbers, low = _numerals(problem), min(meaning)
    others = {v: y for v, y in meaning.items() if v != low}
    if len(others) < 2 or any(numbers.get(y) != v for v, y in others.items()) or max(meaning) - low > 1 << 12:
        return []
    if numbers.get(meaning[low]) == low or not body.expression.isidentifier():
        return []
    index = {n: y for y, n in numbers.items()}
    table = np.array([meaning[low], *(index.get(v, -1) for v in range(low + 1, max(meaning) + 2))])
    text = (
        f"str({body.expression})"
        if isinstance(problem.labels[max(others.values())], str)
        else body.expression
    )
    test = f"{body.expression} {'>= 0' if low == -1 else f'> {low}'}"
    line = f"return {text} if {test} else {literal(problem.labels[meaning[low]])}"
    return [LabelReading((*body.lines, line), table, low)]


def _dictionary(
    body: Body, problem: SearchProblem, meaning: dict[int, int], spelled: Sequence[object]
) -> list[LabelReading]:
    """Look the label up in a dictionary, with or without a label for all other values."""
    if len(set(meaning.values())) < 3 or len(meaning) > ENTRIES:
        return []
    usual = max(meaning.values(), key=list(meaning.values()).count)
    rare = {v: y for v, y in meaning.items() if y != usual}
    out = []
    for entries, missing in ((meaning, -1), (rare, usual)):
        pairs = (f"{literal(spelled[v])}: {literal(problem.labels[y])}" for v, y in sorted(entries.items()))
        text = f"{{{', '.join(pairs)}}}"
        if missing < 0:
            line = f"return {text}[{body.expression}]"
        else:
            line = f"return {text}.get({body.expression}, {literal(problem.labels[missing])})"
        table = np.full(len(spelled) + 2, missing)
        table[[v + 1 for v in entries]] = list(entries.values())
        out.append(LabelReading((*body.lines, line), table, -1))
    return out


def _scaled(body: Body, problem: SearchProblem, meaning: dict[int, int]) -> list[LabelReading]:
    """Return a multiple of the number, or a constant less the number."""
    numbers = _numerals(problem)
    if len(meaning) < 3 or any(y not in numbers for y in meaning.values()):
        return []
    low, high = min(meaning), max(meaning)
    rise = numbers[meaning[high]] - numbers[meaning[low]]
    if rise % (high - low) or high - low > 1 << 12:
        return []
    factor = rise // (high - low)
    start = numbers[meaning[low]] - factor * low
    if factor in (0, 1) or any(numbers[y] != factor * v + start for v, y in meaning.items()):
        return []
    operand = body.expression if level_of(body.expression) >= ATOM else f"({body.expression})"
    if factor == -1:
        text = f"{start} - {operand}" if start else f"-{operand}"
    else:
        text = f"{factor} * {operand}" + (f" {'+' if start > 0 else '-'} {abs(start)}" if start else "")
    if isinstance(problem.labels[meaning[low]], str):
        text = f"str({text})"
    index = {n: y for y, n in numbers.items()}
    table = [-1, *(index.get(factor * v + start, -1) for v in range(low, high + 1)), -1]
    return [LabelReading((*body.lines, f"return {text}"), np.array(table), low - 1)]


def _numerals(problem: SearchProblem) -> dict[int, int]:
    """Return the numbers of labels, by index, if they are integers or decimal strings, all of one type."""
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


def _indexed(body: Body, problem: SearchProblem, meaning: dict[int, int], bound: int) -> list[LabelReading]:
    """Index a tuple of labels by a small number that is never negative."""
    if not 2 < bound <= MAX_RUNS:
        return []
    usual = max(meaning.values(), key=list(meaning.values()).count)
    table = np.array([meaning.get(v, usual) for v in range(bound)])
    if len(set(table.tolist())) < 3:  # a condition says it better
        return []
    labels = tuple_of(problem.labels[y] for y in table)
    return [LabelReading((*body.lines, f"return {labels}[{body.expression}]"), table, 0)]


def _nearest_to_zero(low: int, high: int) -> int:
    """Return the plainest integer of an interval."""
    return min(max(low, 0), high)


def _number(body: Body, problem: SearchProblem, meaning: dict[int, int]) -> list[LabelReading]:
    """Put thresholds between runs of values with one label; or ask for one value against all others."""
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
    out = []
    if len(runs) == 3 and runs[1][0] == runs[1][1] and runs[0][2] == runs[2][2]:
        middle, other = runs[1][2], runs[0][2]
        tests = [f"{body.expression} {sign} {runs[1][0]}" for sign in ("==", "!=")]
        lines = (*body.lines, choose(tests[0], tests[1], label_of[middle], label_of[other]))
        out.append(LabelReading(lines, np.array([other, middle, other]), runs[1][0] - 1))
    cuts = [_nearest_to_zero(a[1] + 1, b[0]) for a, b in pairwise(runs)]
    low = cuts[0] - 1  # below and above, values are clipped to the table's ends
    if cuts[-1] - low > WIDEST:
        return out
    table = np.array([runs[sum(v >= c for c in cuts)][2] for v in range(low, cuts[-1] + 1)])
    if len(runs) == 2:
        tests = [f"{body.expression} {sign} {cuts[0]}" for sign in (">=", "<")]
        if cuts[0] == 1:
            tests = [f"{body.expression} {sign} 0" for sign in (">", "<=")]
        lines = (*body.lines, choose(tests[0], tests[1], label_of[runs[1][2]], label_of[runs[0][2]]))
        out.append(LabelReading(lines, table, low))
    else:
        arms = [(f"< {cut}", label_of[run[2]]) for cut, run in zip(cuts, runs, strict=False)]
        out.append(LabelReading(_chain(body, arms, label_of[runs[-1][2]]), table, low))
    return out
