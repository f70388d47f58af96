"""A small machine as Python that a person would write: counters, modular and clamped counters, toggles, flags, memory of a token.

Between `learn.py` and the ranking.  Every numbering of the states is tried that makes the columns of the transition table the cheapest
actions (`actions.py`); a state that nothing leaves becomes a `return` inside the loop; states are called by their labels where each has
its own; a chain of tests with states named after how they are reached is always there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations
from math import factorial

import numpy as np

from ..models.labelled import Labelled
from .actions import OUTSIDE, all_actions, cost_of, effects, moves
from .candidate import Candidate
from .feature import Body, Family
from .learn import Machine
from .problem import Problem
from .reading import Reading, groups, readings
from .render import indent, is_in, literal

NUMBERED = 7  # states up to which every numbering is tried
WRITTEN = 12  # numberings that are written out
NEVER = -1  # a state in which no example ends


@dataclass(frozen=True, eq=False)
class _View:
    """A machine with the label that each state means, and perhaps one state that the program leaves the loop from."""

    problem: Problem
    machine: Machine
    labels: np.ndarray
    exit: int | None

    @property
    def states(self) -> list[int]:
        return [q for q in range(len(self.machine.step)) if q != self.exit]


def written(machine: Machine, problem: Problem, examples: Labelled) -> list[Candidate]:
    """Programs that run the machine, plainest first."""
    ends = machine.run(examples.words)
    labels = np.full(len(machine.step), NEVER)
    labels[ends] = examples.labels
    alone = (machine.step == np.arange(len(machine.step))[:, None]).all(axis=1) & (labels != NEVER)
    exits = [int(q) for q in np.flatnonzero(alone) if q != machine.start]
    found: list[Candidate] = []
    for leave in [None, *exits]:
        view = _View(problem, machine, labels, leave)
        for form in (_numbered, _named):
            found += form(view)
    return sorted(found, key=lambda c: c.key)


def _numberings(view: _View) -> np.ndarray:
    """(numberings, states): the number of each state of `view.states`."""
    count = len(view.states)
    if count <= NUMBERED:
        return np.array(list(islice(permutations(range(count)), factorial(count))), dtype=np.int8).reshape(-1, count)
    place = {q: i for i, q in enumerate(view.states)}
    orders = [sorted(view.states, key=lambda q: (view.labels[q] != view.labels[view.machine.start], view.labels[q], q))]
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


def _numbered(view: _View) -> Iterator[Candidate]:
    """States as numbers, each column as the cheapest action."""
    count = len(view.states)
    numberings = _numberings(view)
    place = {q: i for i, q in enumerate(view.states)}
    total = np.zeros(len(numberings), dtype=np.int64)
    columns = list(_groups([tuple(view.machine.step[view.states, a]) for a in range(view.problem.size)]))
    for column in columns:
        targets = np.array([place.get(int(q), -1) for q in column])
        inverse = np.argsort(numberings, axis=1)  # which state has this number
        after = np.where(targets[inverse] >= 0, np.take_along_axis(numberings, np.maximum(targets[inverse], 0), axis=1), OUTSIDE)
        total += _costs(after, count)
    total += _breaks(view, numberings)
    for row in np.argsort(total, kind="stable")[:WRITTEN]:
        number = numberings[row]
        arms = []
        for column, members in _groups([tuple(view.machine.step[view.states, a]) for a in range(view.problem.size)]).items():
            effect = [OUTSIDE] * count
            for i, target in enumerate(column):
                if target != view.exit:
                    effect[number[i]] = int(number[place[int(target)]])
            arms.append((members, _statement(view, tuple(effect))))
        yield from _finished(view, arms, [int(n) for n in number], count)


def _costs(after: np.ndarray, count: int) -> np.ndarray:
    """Per numbering, the cost of its cheapest action (those entries that leave the loop do not matter)."""
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


def _breaks(view: _View, numberings: np.ndarray) -> np.ndarray:
    """How often the label changes along the numbers: what thresholds will cost."""
    labels = view.labels[view.states]
    ordered = labels[np.argsort(numberings, axis=1)]
    return 8 * ((ordered[:, 1:] != ordered[:, :-1]) & (ordered[:, 1:] != NEVER) & (ordered[:, :-1] != NEVER)).sum(axis=1)


def _statement(view: _View, after: tuple[int, ...]) -> tuple[str, ...]:
    """The cheapest statements for one column; where it leaves the loop, the return comes first."""
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
    """The condition that `v` is one of these numbers."""
    if len(numbers) == 1:
        return f"v == {numbers[0]}"
    if numbers == list(range(numbers[0], count)):
        return f"v > {numbers[0] - 1}" if numbers[0] == 1 else f"v >= {numbers[0]}"
    if numbers == list(range(numbers[-1] + 1)):
        return f"v <= {numbers[-1]}"
    rest = [k for k in range(count) if k not in numbers]
    return f"v != {rest[0]}" if len(rest) == 1 else f"v in {tuple(numbers)}"


def _finished(view: _View, arms: Sequence[tuple[tuple[int, ...], tuple[str, ...]]], numbers: list[int], count: int) -> Iterator[Candidate]:
    """The loop over the arms, as numbers and, for two states, as a flag."""
    start = numbers[view.states.index(view.machine.start)]
    loop = [f"v = {start}", "for token in tokens:", *indent(_chain(view, arms))]
    text = "\n".join(part for line in loop for part in _parts(line)[::2])
    name = _name(text, count)
    yield from _read(view, _in_code(loop, lambda code: re.sub(r"\bv\b", name, code)), numbers, "number", name, count)
    if count == 2:
        name = "inside" if "1 - v" in text else "flag"
        flag = _in_code(loop, _as_flag)
        if not any(_ARITHMETIC.search(part) for line in flag for part in _parts(line)[::2]):
            yield from _read(view, _in_code(flag, lambda code: re.sub(r"\bv\b", name, code)), numbers, "flag", name, count)


_ARITHMETIC = re.compile(r"\bv (in\b|[<>]|==|!=|[-+*/%])|\bv = .*\d")


def _as_flag(code: str) -> str:
    for pattern, put in (
        (r"v = 1 - v$", "v = not v"), (r"v = 0$", "v = False"), (r"v = 1$", "v = True"), (r"v \+= 1$", "v = True"), (r"v -= 1$", "v = False"),
        (r"v == 0\b", "not v"), (r"v == 1\b", "v"),
    ):  # fmt: skip
        code = re.sub(pattern, put, code)
    return code


def _in_code(lines: Sequence[str], change: Callable[[str], str]) -> tuple[str, ...]:
    """Each line with its code changed; what stands in strings (tokens may be anything) is left alone."""
    return tuple("".join(part if i % 2 else change(part) for i, part in enumerate(_parts(line))) for line in lines)


def _parts(line: str) -> list[str]:
    """Code, string, code, string, ..., code."""
    return re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", line)


def _name(text: str, count: int) -> str:
    if "max(v" in text or "v -= 1" in text:
        return "depth"
    if "v += 1" in text or "min(v + 1" in text or "v + " in text:
        return "count"
    return "state"


def _chain(view: _View, arms: Sequence[tuple[tuple[int, ...], tuple[str, ...]]]) -> tuple[str, ...]:
    """if / elif over tokens; where no token leaves everything as it is, the largest group is the `else`."""
    acting = sorted((a for a in arms if a[1]), key=lambda a: len(a[0]))
    if len(acting) == len(arms) == 1:
        return acting[0][1]
    lines: list[str] = []
    for i, (members, body) in enumerate(acting):
        last = len(acting) == len(arms) and i == len(acting) - 1
        head = "else" if last else f"{'elif' if i else 'if'} {is_in(view.problem, members)}"
        lines += [f"{head}:", *indent(body)]
    return tuple(lines) or ("pass",)


def _named(view: _View) -> Iterator[Candidate]:
    """A chain of states: called by their labels where those are different strings, else by the tokens that lead there."""
    states = view.states
    own = [view.problem.labels[int(view.labels[q])] if view.labels[q] != NEVER else None for q in states]
    if all(isinstance(y, str) for y in own) and len(set(own)) == len(own):
        names = [str(y) for y in own]
    else:
        names = _reached(view)
    name = dict(zip(states, names, strict=True))
    back = "" if view.exit is None else f"return {literal(view.problem.labels[int(view.labels[view.exit])])}"

    def go(target: int) -> str:
        return back if target == view.exit else f"state = {literal(name[target])}"

    by_token: list[tuple[tuple[int, ...], tuple[str, ...]]] = []
    for column, members in _groups([tuple(view.machine.step[states, a]) for a in range(view.problem.size)]).items():
        by_target = {t: [q for q, to in zip(states, column, strict=True) if to == t] for t in dict.fromkeys(map(int, column))}
        if len(by_target) == 1:
            by_token.append((members, (go(int(column[0])),)))
            continue
        tests = [(sources, t) for t, sources in by_target.items() if sources != [t]]
        lines: list[str] = []
        for i, (sources, t) in enumerate(tests):
            moving = [q for q in sources if q != t]
            head = f"state == {literal(name[moving[0]])}" if len(moving) == 1 else f"state in {_tuple(name[q] for q in moving)}"
            lines += [f"{'elif' if i else 'if'} {head}:", *indent([go(t)])]
        by_token.append((members, tuple(lines)))
    by_state: list[str] = []
    for q in states:
        row = _groups([(int(t),) for t in view.machine.step[q]])
        inner = _chain(view, [(members, () if t == q else (go(t),)) for (t,), members in row.items()])
        if any(t != q for (t,) in row):
            by_state += [f"{'elif' if by_state else 'if'} state == {literal(name[q])}:", *indent(inner)]
    start = f"state = {literal(name[view.machine.start])}"
    for body in (_chain(view, by_token), tuple(by_state) or ("pass",)):
        lines_ = (start, "for token in tokens:", *indent(body))
        yield from _read(view, lines_, list(range(len(states))), "names", "state", len(states), names)


def _reached(view: _View) -> list[str]:
    """A name per state: the shortest words that lead there."""
    words: dict[int, str] = {view.machine.start: "start"}
    queue = [view.machine.start]
    for q in queue:
        for token, target in zip(view.problem.tokens, map(int, view.machine.step[q]), strict=True):
            if target not in words:
                words[target] = token if words[q] == "start" else f"{words[q]} {token}"
                queue.append(target)
    names = [words.get(q, f"never {q}") for q in view.states]
    return names if len(set(names)) == len(names) else [f"{n} ({i})" for i, n in enumerate(names)]


def _tuple(names: Iterator[str] | Sequence[str]) -> str:
    parts = [literal(n) for n in names]
    return f"({', '.join(parts)})"


def _read(
    view: _View, lines: tuple[str, ...], values: list[int], kind: str, name: str, count: int, names: Sequence[str] = ()
) -> Iterator[Candidate]:
    """The label from the last state, as from any feature."""
    ends = [i for i, q in enumerate(view.states) if view.labels[q] != NEVER]
    seen = np.array([values[i] for i in ends])
    labels = np.array([view.labels[view.states[i]] for i in ends])
    body = Body(lines, name, name)
    if len(set(labels.tolist())) == 1:
        only = int(labels[0])
        found = [Reading((*lines, f"return {literal(view.problem.labels[only])}"), np.array([only]), 0)]
    elif kind == "names":
        found = _by_name(view, lines, names, dict(zip(seen.tolist(), labels.tolist(), strict=True)))
    else:
        family = Family("state_machine", kind, 1, _unused, lambda row: body, bound=count)  # type: ignore[arg-type]
        found = readings(family, 0, view.problem, seen, labels)
    for reading in found:
        table = np.full(len(view.machine.step), -1)
        if view.exit is not None:
            table[view.exit] = view.labels[view.exit]
        table[view.states] = reading.apply(np.array(values))
        yield _running(view.machine, table, reading.lines)


def _running(machine: Machine, table: np.ndarray, lines: tuple[str, ...]) -> Candidate:
    return Candidate("automaton", "state_machine", lines, lambda words: table[machine.run(words)])


def _by_name(view: _View, lines: tuple[str, ...], names: Sequence[str], meaning: dict[int, int]) -> list[Reading]:
    labels = view.problem.labels
    if all(labels[y] == names[v] for v, y in meaning.items()):
        itself = np.array([meaning.get(v, -1) for v in range(len(names))])
        return [Reading((*lines, "return state"), itself, 0)]
    return [groups(Body(lines, "state", "state"), view.problem, meaning, list(names))]


def _unused(words: np.ndarray, rows: np.ndarray) -> np.ndarray:
    raise AssertionError("a machine is run by itself")


def _groups(keys: list[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Indices with equal keys."""
    out: dict[tuple[int, ...], tuple[int, ...]] = {}
    for i, key in enumerate(keys):
        out[key] = (*out.get(key, ()), i)
    return out
