"""Folds: functions of many elements (sum, any, max, ...) that are computed one element at a time.

A pass over unknown tokens can so pause between two elements (`passes.py`).  `walks.py` compiles source text
into calls of these, and `tokens.py` answers with them what a program asks of its tokens.
"""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .values import SIZE_LIMIT, Execution, List, ProgramFault, Value, checked


class _Nothing:
    """The type of `NOTHING`."""

    key = ("nothing",)


NOTHING = _Nothing()  # the minimum or maximum before the first element

Key = Callable[[Value], Value]


@dataclass(frozen=True)
class Fold:
    """A function like sum or any, computed one element at a time.

    start: the first accumulator.
    step: step(accumulator, element, run) returns the new accumulator, and whether the result is final.
    finish: turns the last accumulator into the result.
    """

    name: str
    start: Any
    step: Callable[[Any, Value, Execution], tuple[Any, bool]]
    finish: Callable[[Any], Value]

    def beginning(self, start: Any) -> Fold:
        """Return the fold with another first accumulator."""
        return replace(self, start=start)

    def run(self, values: Iterator[Value], m: Execution) -> Value:
        """Fold all values.  Raises what the operation raises, and ProgramFault beyond a limit."""
        acc = self.start
        for value in values:
            m.tick()
            acc, finished = self.step(acc, value, m)
            if finished:
                break
        return self.finish(acc)


def extreme(name: str, key: Key | None = None, default: Value = NOTHING) -> Fold:
    """Make min or max, as `name` says.

    key: what is compared, as in CPython; None for the elements themselves.
    default: the result without any element.
    """
    less = name == "min"

    def plain(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
        better = acc is NOTHING or (value < acc if less else value > acc)
        return (value if better else acc), False

    def keyed(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
        assert key is not None
        k = key(value)
        better = acc is NOTHING or (k < acc[0] if less else k > acc[0])
        return ((k, value) if better else acc), False

    def finish(acc: Any) -> Value:
        if acc is NOTHING:
            if default is NOTHING:
                raise ValueError(f"{name}() iterable argument is empty")
            return default
        return acc if key is None else acc[1]

    return Fold(name, NOTHING, plain if key is None else keyed, finish)


def _inserted(acc: tuple[Value, ...], value: Value, key: Key | None) -> tuple[Value, ...]:
    """Put a value into a sorted tuple, behind its equals."""
    longer = list(acc)
    insort_right(longer, value, key=key)
    return tuple(longer)


def ordering(key: Key | None = None, reverse: bool = False) -> Fold:
    """Make `sorted`: the accumulator holds the elements in ascending order, equal ones as they came."""
    return Fold(
        "sorted",
        (),
        lambda acc, v, m: (checked(_inserted(acc, v, key), m), False),
        lambda acc: List(sorted(acc, key=key, reverse=reverse)),
    )


def ranked(rank: int, count: int) -> Fold:
    """Make the element at a rank (from 0, ascending) of `count` elements; it keeps as few as it can."""
    low = rank < count - rank - 1
    kept = rank + 1 if low else count - rank

    def step(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
        longer = _inserted(acc, value, None)
        return (longer[:kept] if low else longer[-kept:]), False

    return Fold("ranked", (), step, lambda acc: acc[-1] if low else acc[0])


def most_frequent(name: str) -> Fold:
    """Make max(x, key=x.count) or the minimum, as `name` says, for elements that are strings.

    The accumulator holds each element with its count, in the order in which they came first.
    """
    best = max if name == "max" else min

    def step(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
        counts = dict(acc)
        counts[value] = counts.get(value, 0) + 1
        return tuple(counts.items()), False

    def finish(acc: Any) -> Value:
        if not acc:
            raise ValueError(f"{name}() iterable argument is empty")
        return best(acc, key=lambda pair: pair[1])[0]

    return Fold(f"{name} by count", (), step, finish)


def _joined(acc: frozenset[Value], value: Value, m: Execution) -> tuple[frozenset[Value], bool]:
    """Add a value to a set, which is copied: so it must not grow beyond the limit of all sequences."""
    if value in acc:
        return acc, False
    if len(acc) == SIZE_LIMIT:
        raise ProgramFault("", f"computes a set of more than {SIZE_LIMIT} elements")
    return acc | {value}, False


def _same(acc: Any) -> Value:
    return acc


FOLDS = {
    "sum": Fold("sum", 0, lambda acc, v, m: (checked(acc + v, m), False), _same),
    "any": Fold("any", False, lambda acc, v, m: (True, True) if v else (False, False), _same),
    "all": Fold("all", True, lambda acc, v, m: (True, False) if v else (False, True), _same),
    "min": extreme("min"),
    "max": extreme("max"),
    "tuple": Fold("tuple", (), lambda acc, v, m: (checked((*acc, v), m), False), _same),
    "sorted": ordering(),
    "set": Fold("set", frozenset(), _joined, _same),
}
