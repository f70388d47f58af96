"""What a person would write for one column of a transition table: `count += 1`, `depth = max(depth - 1, 0)`.

For `numbered.py`.  States are numbered 0, 1, ...; an action is a statement with its effect on every number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..rank import description_length
from ..render import function, indent

OUTSIDE = 99  # an effect that is no state


@dataclass(frozen=True)
class Action:
    """Statements over the variable `v`; effect[k] is the number that comes after the number k."""

    lines: tuple[str, ...]
    effect: tuple[int, ...]
    cost: int


@cache
def all_actions(count: int) -> tuple[Action, ...]:
    """List statements on the numbers 0 .. count - 1, cheapest first, one for each effect."""
    numbers = range(count)
    found: dict[tuple[int, ...], tuple[str, ...]] = {}

    def add(effect: list[int], *lines: str) -> None:
        inside = tuple(e if 0 <= e < count else OUTSIDE for e in effect)
        best = found.get(inside)
        if best is None or cost_of(lines) < cost_of(best):
            found[inside] = lines

    add(list(numbers))
    for c in numbers:
        add([c] * count, f"v = {c}")
    for k in (1, 2):
        add([v + k for v in numbers], f"v += {k}")
        add([v - k for v in numbers], f"v -= {k}")
    for top in range(1, count):
        add([min(v + 1, top) for v in numbers], f"v = min(v + 1, {top})")
        add([min(v, top) for v in numbers], f"v = min(v, {top})")
        add([top - v for v in numbers], f"v = {top} - v")
        add([max(v, top) for v in numbers], f"v = max(v, {top})")
    add([max(v - 1, 0) for v in numbers], "v = max(v - 1, 0)")
    for m in range(2, count + 1):
        for k in range(1, m):
            add([(v + k) % m for v in numbers], f"v = (v + {k}) % {m}")
        for k in (2, 3):
            add([v * k % m for v in numbers], f"v = {k} * v % {m}")
            add([(v * k + 1) % m for v in numbers], f"v = ({k} * v + 1) % {m}")
        add([v % m for v in numbers], f"v %= {m}")
        add([v // m for v in numbers], f"v //= {m}")
        add([v // m + 1 for v in numbers], f"v = v // {m} + 1")
    tests = [(f"v == {a}", [v == a for v in numbers]) for a in numbers]
    tests += [(f"v < {a}", [v < a for v in numbers]) for a in range(2, count)]
    tests += [(f"v > {a}", [v > a for v in numbers]) for a in range(count - 2)]
    for test, true in tests:
        for b in numbers:
            add(
                [b if yes else v for v, yes in zip(numbers, true, strict=True)], f"if {test}:", f"    v = {b}"
            )
            for c in numbers:
                add([b if yes else c for yes in true], f"v = {b} if {test} else {c}")
        add([v + yes for v, yes in zip(numbers, true, strict=True)], f"if {test}:", "    v += 1")
        add([v - yes for v, yes in zip(numbers, true, strict=True)], f"if {test}:", "    v -= 1")
    for a in numbers:
        for b in numbers:
            for sign, step in (("+", 1), ("-", -1)):
                add([b if v == a else v + step for v in numbers], f"v = {b} if v == {a} else v {sign} 1")
    singles = [(a, b) for a in numbers for b in numbers if a != b] if count <= 6 else []
    for a, b in singles:
        for c, d in singles:
            if a < c:
                effect = [b if v == a else d if v == c else v for v in numbers]
                add(effect, f"if v == {a}:", f"    v = {b}", f"elif v == {c}:", f"    v = {d}")
    out = [Action(lines, effect, cost_of(lines)) for effect, lines in found.items()]
    return tuple(sorted(out, key=lambda a: (a.cost, len("".join(a.lines)), a.lines)))


@cache
def effects(count: int) -> np.ndarray:
    """Return the effects of `all_actions`, in their order: int8 (actions, count)."""
    return np.array([a.effect for a in all_actions(count)], dtype=np.int8)


@cache
def cost_of(lines: tuple[str, ...]) -> int:
    """Count the nodes of a block of statements inside the loop."""
    whole, empty = (
        description_length(function(("for token in tokens:", *indent(block)), "f"))
        for block in (lines or ("pass",), ("pass",))
    )
    return whole - empty + (1 if lines else 0)


def moves(before: list[int], after: list[int]) -> tuple[str, ...]:
    """Write a chain of tests that takes the number before[i] to after[i]."""
    groups: dict[int, list[int]] = {}
    for a, b in zip(before, after, strict=True):
        if a != b:
            groups.setdefault(b, []).append(a)
    lines: list[str] = []
    for i, (b, sources) in enumerate(groups.items()):
        test = f"v == {sources[0]}" if len(sources) == 1 else f"v in {tuple(sources)}"
        lines += [f"{'elif' if i else 'if'} {test}:", *indent([f"v = {b}"])]
    return tuple(lines)
