"""How a local changes at a step: forms with holes for signals, lightest first.

After `signals.py`, before `loops.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Arrays = Callable[..., np.ndarray]
MULTIPLES = (2, 3, 10)


@dataclass(frozen=True, eq=False)
class Update:
    """A form of an update.

    Args:
        holes: what stands in it: numbers, tests.
        write: gives Python for the new value of a local, from its name and the texts of the signals.
        weight: its nodes without the holes.
        apply: gives the new value from the old one and the signals, elementwise.
        looks: whether the new value depends on the old one.
        label: like `write`, if the local may hold the text of its number instead.
    """

    holes: tuple[Literal["number", "test"], ...]
    write: Callable[..., str]
    weight: int
    apply: Arrays
    looks: bool = True
    label: Callable[..., str] | None = None


@dataclass(frozen=True, eq=False)
class _State:
    """A function of the old value."""

    write: Callable[[str], str]
    weight: int
    apply: Callable[[np.ndarray], np.ndarray]
    product: bool = False


def _states(constants: list[int]) -> Iterator[_State]:
    yield _State(lambda v: v, 1, lambda v: v)
    for k in constants:
        yield _State(lambda v, k=k: f"{v} // {k}", 4, lambda v, k=k: v // k, True)  # type: ignore[misc]
        yield _State(lambda v, k=k: f"{v} % {k}", 4, lambda v, k=k: v % k, True)  # type: ignore[misc]
    for m in MULTIPLES:
        yield _State(lambda v, m=m: f"{m} * {v}", 4, lambda v, m=m: m * v, True)  # type: ignore[misc]
        for k in constants:
            yield _State(lambda v, k=k, m=m: f"{m} * ({v} % {k})", 7, lambda v, k=k, m=m: m * (v % k), True)  # type: ignore[misc]


def with_number(constants: list[int]) -> Iterator[Update]:
    """Yield updates by one number: `v + x`, `v // 2 + x`, `(2 * v + x) % 5`, `max(v, x)`, `x`."""
    for s in _states(constants):
        cores = [
            (lambda v, x, s=s: f"{s.write(v)} + {x}", lambda v, x, s=s: s.apply(v) + x, 2),
            (lambda v, x, s=s: f"{s.write(v)} - {_tight(x)}", lambda v, x, s=s: s.apply(v) - x, 2),
            (lambda v, x, s=s: f"{x} - {s.write(v)}", lambda v, x, s=s: x - s.apply(v), 2),
            (lambda v, x, s=s: f"max({s.write(v)}, {x})", lambda v, x, s=s: np.maximum(s.apply(v), x), 2),
            (lambda v, x, s=s: f"min({s.write(v)}, {x})", lambda v, x, s=s: np.minimum(s.apply(v), x), 2),
        ]
        if s.weight == 1:
            cores.append((lambda v, x: f"{v} * {_tight(x)}", lambda v, x: v * x, 2))
            cores.append((lambda v, x: f"abs({v} - {_tight(x)})", lambda v, x: abs(v - x), 4))
        for write, apply, weight in cores:
            yield Update(("number",), write, s.weight + weight, apply)
        if s.weight == 1 or (s.weight == 4 and "*" in s.write("v")):
            write, apply, weight = cores[0]
            base = s.weight + weight
            for k in constants:
                yield Update(
                    ("number",), lambda v, x, w=write, k=k: f"({w(v, x)}) % {k}", base + 3,
                    lambda v, x, a=apply, k=k: a(v, x) % k,
                )  # fmt: skip
                yield Update(
                    ("number",), lambda v, x, w=write, k=k: f"({w(v, x)}) // {k}", base + 3,
                    lambda v, x, a=apply, k=k: a(v, x) // k,
                )  # fmt: skip
                yield Update(
                    ("number",), lambda v, x, w=write, k=k: f"min({w(v, x)}, {k})", base + 3,
                    lambda v, x, a=apply, k=k: np.minimum(a(v, x), k),
                )  # fmt: skip
                yield Update(
                    ("number",), lambda v, x, w=write, k=k: f"max(min({w(v, x)}, {k}), 0)", base + 6,
                    lambda v, x, a=apply, k=k: np.maximum(np.minimum(a(v, x), k), 0),
                )  # fmt: skip
            for j in (0, 1):
                write, apply, _ = cores[j]
                yield Update(
                    ("number",), lambda v, x, w=write: f"max({w(v, x)}, 0)", base + 3,
                    lambda v, x, a=apply: np.maximum(a(v, x), 0),
                )  # fmt: skip


def _tight(text: str) -> str:
    return f"({text})" if any(c in text for c in (" + ", " - ", " % ", " // ", " * ")) and text[-1] != ")" else text


def _plain(constants: list[int]) -> Iterator[_State]:
    """Yield what a local becomes in one case of a test."""
    yield _State(lambda v: v, 1, lambda v: v)
    for c in (0, 1, 2):
        yield _State(lambda v, c=c: str(c), 1, lambda v, c=c: np.full_like(v, c))  # type: ignore[misc]
    for c in (1, 2):
        yield _State(lambda v, c=c: f"{v} + {c}", 4, lambda v, c=c: v + c)  # type: ignore[misc]
    yield _State(lambda v: f"{v} - 1", 4, lambda v: v - 1)
    yield _State(lambda v: f"max({v} - 1, 0)", 7, lambda v: np.maximum(v - 1, 0))
    yield _State(lambda v: f"1 - {v}", 4, lambda v: 1 - v)
    yield _State(lambda v: f"-{v}", 3, lambda v: -v)
    yield _State(lambda v: f"2 * {v}", 4, lambda v: 2 * v)
    for k in (2, 3, 4):
        yield _State(lambda v, k=k: f"min({v} + 1, {k})", 7, lambda v, k=k: np.minimum(v + 1, k))  # type: ignore[misc]
    for k in constants[:4]:
        yield _State(lambda v, k=k: f"({v} + 1) % {k}", 7, lambda v, k=k: (v + 1) % k)  # type: ignore[misc]


def with_test(constants: list[int]) -> Iterator[Update]:
    """Yield updates by one test: `v + 1 if test else 0`."""
    forms = list(_plain(constants))
    for a in forms:
        for b in forms:
            if a is not b and not (a.weight == b.weight == 1 and "v" not in a.write("v") + b.write("v")):
                yield Update(
                    ("test",), lambda v, x, a=a, b=b: f"{a.write(v)} if {x} else {b.write(v)}",
                    a.weight + b.weight + 1, lambda v, x, a=a, b=b: np.where(x, a.apply(v), b.apply(v)),
                )  # fmt: skip


def with_two_tests(constants: list[int]) -> Iterator[Update]:
    """Yield updates by two tests: `v + 1 if first else v - 1 if second else v`."""
    forms = [f for f in _plain(constants) if f.weight <= 4][:9]
    for a in forms:
        for b in forms:
            for c in forms:
                if a is not b and b is not c:
                    yield Update(
                        ("test", "test"),
                        lambda v, x, y, a=a, b=b, c=c: (
                            f"{a.write(v)} if {x} else {b.write(v)} if {y} else {c.write(v)}"
                        ),
                        a.weight + b.weight + c.weight + 2,
                        lambda v, x, y, a=a, b=b, c=c: np.where(x, a.apply(v), np.where(y, b.apply(v), c.apply(v))),
                    )  # fmt: skip


def with_number_and_test() -> Iterator[Update]:
    """Yield updates by a number in one case of a test: `v + x if test else v`."""
    rest = [
        _State(lambda v: v, 1, lambda v: v),
        _State(lambda v: "0", 1, lambda v: np.zeros_like(v)),
        _State(lambda v: f"{v} - 1", 4, lambda v: v - 1),
        _State(lambda v: f"{v} + 1", 4, lambda v: v + 1),
        _State(lambda v: f"-{v}", 3, lambda v: -v),
    ]
    firsts = [
        (lambda v, x: x, lambda v, x: x, 0),
        (lambda v, x: f"{v} + {x}", lambda v, x: v + x, 3),
        (lambda v, x: f"{v} - {_tight(x)}", lambda v, x: v - x, 3),
        (lambda v, x: f"max({v}, {x})", lambda v, x: np.maximum(v, x), 3),
    ]
    for write, apply, weight in firsts:
        for r in rest:
            yield Update(
                ("number", "test"), lambda v, x, y, w=write, r=r: f"{w(v, x)} if {y} else {r.write(v)}",
                weight + r.weight + 1, lambda v, x, y, a=apply, r=r: np.where(y, a(v, x), r.apply(v)),
                label=(lambda v, x, y: f"str({x}) if {y} else {v}") if weight == 0 and r is rest[0] else None,
            )  # fmt: skip
    yield Update(
        ("number", "test"), lambda v, x, y: f"{v} + {x} if {y} else {v} - {_tight(x)}", 7,
        lambda v, x, y: np.where(y, v + x, v - x),
    )  # fmt: skip


def of_flags() -> Iterator[Update]:
    """Yield updates of a truth value by one test: `seen or test`, `not v if test else v`."""
    yield Update(("test",), lambda v, x: x, 0, lambda v, x: x, looks=False)
    yield Update(("test",), lambda v, x: f"{v} or {x}", 3, np.logical_or)
    yield Update(("test",), lambda v, x: f"{v} and {x}", 3, np.logical_and)
    yield Update(("test",), lambda v, x: f"{v} != ({x})", 3, np.not_equal)
    yield Update(("test",), lambda v, x: f"not {v} if {x} else {v}", 4, np.not_equal)
    yield Update(("test",), lambda v, x: f"not {v} and {x}", 4, lambda v, x: ~v.astype(bool) & x.astype(bool))
    yield Update(("test",), lambda v, x: f"not {v} if {x} else False", 4, lambda v, x: ~v.astype(bool) & x.astype(bool))
    yield Update(("test",), lambda v, x: f"not {v} if {x} else True", 4, lambda v, x: ~(v.astype(bool) & x.astype(bool)))


def of_flags_by_two() -> Iterator[Update]:
    """Yield updates of a truth value by two tests: set by one, reset by the other."""
    yield Update(
        ("test", "test"), lambda v, x, y: f"True if {x} else False if {y} else {v}", 5,
        lambda v, x, y: np.where(x, 1, np.where(y, 0, v)),
    )  # fmt: skip
    yield Update(
        ("test", "test"), lambda v, x, y: f"True if {x} else not {v} if {y} else {v}", 6,
        lambda v, x, y: np.where(x, 1, np.where(y, 1 - v, v)),
    )  # fmt: skip
    yield Update(
        ("test", "test"), lambda v, x, y: f"False if {x} else not {v} if {y} else {v}", 6,
        lambda v, x, y: np.where(x, 0, np.where(y, 1 - v, v)),
    )  # fmt: skip
