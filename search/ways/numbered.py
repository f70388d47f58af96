"""Write machines with numbers for states: counters, clamped counters, toggles and flags.

Every numbering of the states is tried; the best make the columns of the transition table cheap actions
(`actions.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, permutations
from math import factorial

import numpy as np

from ...common.text import literal
from ..candidate import Candidate
from ..render import indent
from .actions import OUTSIDE, all_actions, cost_of, effects, moves
from .view import NEVER, StateForm, View, alike, chain, read

NUMBERED = 7  # states up to which every numbering is tried
WRITTEN = 12  # numberings that are written out


def _numberings(view: View) -> np.ndarray:
    """Return numberings to try, (numberings, states): the number of each state of `view.states`."""
    count = len(view.states)
    if count <= NUMBERED:
        return np.array(list(islice(permutations(range(count)), factorial(count))), dtype=np.int8).reshape(
            -1, count
        )
    place = {q: i for i, q in enumerate(view.states)}
    orders = [
        sorted(
            view.states, key=lambda q: (view.labels[q] != view.labels[view.machine.start], view.labels[q], q)
        )
    ]
    for token in range(view.problem.size):
        order = [view.machine.start]
        for q in order:  # along one token first, then whatever follows
            for target in (int(view.machine.step[q, token]), *map(int, view.machine.step[q])):
                if target != view.exit and target not in order:
                    order.append(target)
                    break
        orders.append(order + [q for q in view.states if q not in order])
    out = np.zeros((len(orders), count), dtype=np.int8)
    for row, order in zip(out, orders, strict=True):
        row[[place[q] for q in order]] = np.arange(count)
    return out


def numbered(view: View) -> Iterator[Candidate]:
    """Yield programs that hold the state as a number, with the cheapest action for each token."""
    count = len(view.states)
    numberings = _numberings(view)
    place = {q: i for i, q in enumerate(view.states)}
    total = np.zeros(len(numberings), dtype=np.int64)
    columns = list(alike([tuple(view.machine.step[view.states, a]) for a in range(view.problem.size)]))
    for column in columns:
        targets = np.array([place.get(int(q), -1) for q in column])
        inverse = np.argsort(numberings, axis=1)  # which state has this number
        after = np.where(
            targets[inverse] >= 0,
            np.take_along_axis(numberings, np.maximum(targets[inverse], 0), axis=1),
            OUTSIDE,
        )
        total += _costs(after, count)
    total += _breaks(view, numberings)
    for row in np.argsort(total, kind="stable")[:WRITTEN]:
        number = numberings[row]
        arms = []
        for column, members in alike(
            [tuple(view.machine.step[view.states, a]) for a in range(view.problem.size)]
        ).items():
            effect = [OUTSIDE] * count
            for i, target in enumerate(column):
                if target != view.exit:
                    effect[number[i]] = int(number[place[int(target)]])
            arms.append((members, _statement(view, tuple(effect))))
        yield from _finished(view, arms, [int(n) for n in number], count)


def _costs(after: np.ndarray, count: int) -> np.ndarray:
    """Return the cost of each numbering's cheapest action; entries that leave the loop do not matter."""
    actions = all_actions(count)
    cost = np.array([a.cost for a in actions])
    out = np.zeros(len(after), dtype=np.int64)
    for start in range(0, len(after), 512):
        part = after[start : start + 512]
        fits = ((part[:, None, :] == effects(count)[None]) | (part[:, None, :] == OUTSIDE)).all(axis=2)
        moving = (part != np.arange(count)).sum(axis=1)
        out[start : start + 512] = np.minimum(np.where(fits, cost, 10_000).min(axis=1), 10 * moving)
        out[start : start + 512] += 6 * (part == OUTSIDE).any(axis=1)
    return out


def _breaks(view: View, numberings: np.ndarray) -> np.ndarray:
    """Return what thresholds will cost for each numbering: how often the label changes along the numbers."""
    labels = view.labels[view.states]
    ordered = labels[np.argsort(numberings, axis=1)]
    result: np.ndarray = 8 * (
        (ordered[:, 1:] != ordered[:, :-1]) & (ordered[:, 1:] != NEVER) & (ordered[:, :-1] != NEVER)
    ).sum(axis=1)
    return result


def _statement(view: View, after: tuple[int, ...]) -> tuple[str, ...]:
    """Write the cheapest statements for one column; a return that leaves the loop comes first."""
    count = len(after)
    leaves = [k for k in range(count) if after[k] == OUTSIDE]
    target = np.array(after)
    fits = ((effects(count) == target) | (target == OUTSIDE)).all(axis=1)
    best = all_actions(count)[int(np.argmax(fits))].lines if fits.any() else None
    plain = moves(list(range(count)), [k if after[k] == OUTSIDE else after[k] for k in range(count)])
    lines = plain if best is None or cost_of(plain) < cost_of(best) else best
    if not leaves:
        return lines
    assert view.exit is not None
    back = f"return {literal(view.problem.labels[int(view.labels[view.exit])])}"
    if len(leaves) == count:
        return (back,)
    return (f"if {_among(leaves, count)}:", *indent([back]), *lines)


def _among(numbers: list[int], count: int) -> str:
    """Write the condition that `v` is one of these numbers."""
    if len(numbers) == 1:
        return f"v == {numbers[0]}"
    if numbers == list(range(numbers[0], count)):
        return f"v > {numbers[0] - 1}" if numbers[0] == 1 else f"v >= {numbers[0]}"
    if numbers == list(range(numbers[-1] + 1)):
        return f"v <= {numbers[-1]}"
    rest = [k for k in range(count) if k not in numbers]
    return f"v != {rest[0]}" if len(rest) == 1 else f"v in {tuple(numbers)}"


def _finished(
    view: View, arms: Sequence[tuple[tuple[int, ...], tuple[str, ...]]], numbers: list[int], count: int
) -> Iterator[Candidate]:
    """Write the loop over the arms, with a number and, for two states, also with a flag."""
    start = numbers[view.states.index(view.machine.start)]
    loop = [f"v = {start}", "for token in tokens:", *indent(chain(view, arms))]
    text = "\n".join(part for line in loop for part in _parts(line)[::2])
    name = _name(text, count)
    values = tuple(numbers)

    def called(lines: Sequence[str], name: str) -> tuple[str, ...]:
        return _in_code(lines, lambda code: re.sub(r"\bv\b", name, code))

    yield from read(view, called(loop, name), StateForm("number", name, values))
    if count == 2:
        name = "inside" if "1 - v" in text else "flag"
        flag = _in_code(loop, _as_flag)
        if not any(_ARITHMETIC.search(part) for line in flag for part in _parts(line)[::2]):
            yield from read(view, called(flag, name), StateForm("flag", name, values))


_ARITHMETIC = re.compile(r"\bv (in\b|[<>]|==|!=|[-+*/%])|\bv = .*\d")


def _as_flag(code: str) -> str:
    for pattern, put in (
        (r"v = 1 - v$", "v = not v"), (r"v = 0$", "v = False"), (r"v = 1$", "v = True"),
        (r"v == 0\b", "not v"), (r"v == 1\b", "v"),
    ):  # fmt: skip
        code = re.sub(pattern, put, code)
    return code


def _in_code(lines: Sequence[str], change: Callable[[str], str]) -> tuple[str, ...]:
    """Change the code of each line, but not its strings: a token may be any text."""
    return tuple(
        "".join(part if i % 2 else change(part) for i, part in enumerate(_parts(line))) for line in lines
    )


def _parts(line: str) -> list[str]:
    """Split a line into code, string, code, string, ..., code."""
    return re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", line)


def _name(text: str, count: int) -> str:
    if "max(v" in text or "v -= 1" in text:
        return "depth"
    if "v += 1" in text or "min(v + 1" in text or "v + " in text:
        return "count"
    return "state"
