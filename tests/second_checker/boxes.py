"""Proofs about real inputs: docs/reference/proof-format.md, 10, over rationals that are never rounded.

    check_box(network, specification, proof) -> None, or raises Rejected; Unsupported where it cannot say

Specifications: VNN-LIB 1.0, one conjunction of comparisons of inputs with numbers, and of outputs linearly
with each other, `or` of `and` at the top for outputs.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from flint import fmpq

from . import onnx_file
from .claim import Rejected, Unsupported
from .onnx_file import Form
from .tree import Lines, a_list, end, header, is_int, need, text_of, walk

ONE = 1 << 16
Bounds = list[tuple[fmpq, fmpq]]
Linear = dict[Any, Fraction]  # ("X", 3) or ("Y", 0) or 1
Row = tuple[Linear, bool]  # >= 0, or > 0


@dataclass
class Specification:
    low: list[fmpq]
    high: list[fmpq]
    unsafe: list[list[Row]]  # polyhedra


def check_box(network: Path, specification: Path, proof: Path) -> None:
    try:
        spec = read_specification(Path(specification).read_text())
        reader = RealReader(network, len(spec.low))
        Boxes(reader.read(), spec).check(Lines(text_of(proof)))
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        OSError,
        RecursionError,
        OverflowError,
    ) as e:
        raise Rejected(f"not a proof: {e!r}") from e


class RealReader(onnx_file.Reader):
    """The network's inputs are real numbers, in the order of their tensor."""

    def __init__(self, network: Path, inputs: int) -> None:
        super().__init__(
            SimpleNamespace(
                network=network,
                positions=inputs,
                alphabet=1,
                kind="any",
                labels=(),
                width=None,
                position=None,
            )
        )  # type: ignore[arg-type]

    def input_tensor(self, kind: onnx.TypeProto.Tensor) -> np.ndarray:
        shape = [d.dim_value or 1 for d in kind.shape.dim]
        need(math.prod(shape) == self.inputs, "an input of another size")
        elements = np.empty(self.inputs, dtype=object)
        elements[:] = [Form(fmpq(0), {i: fmpq(1)}) for i in range(self.inputs)]
        return elements.reshape(shape)

    def right_count(self, outputs: list[Form]) -> bool:
        return True


# -- VNN-LIB
# ------------------------------------------------------------


def read_specification(text: str) -> Specification:
    tokens = re.findall(r"[()]|[^\s()]+", re.sub(r";.*", "", text))

    def tree() -> Any:
        token = tokens.pop(0)
        if token != "(":
            return token
        out = []
        while tokens[0] != ")":
            out.append(tree())
        tokens.pop(0)
        return out

    sizes, ends, choices = {"X": 0, "Y": 0}, {}, []
    while tokens:
        command = tree()
        if command[0] == "declare-const":
            sizes[command[1][0]] += 1
        elif command[0] == "assert":
            polyhedra = normal(command[1])
            if (
                len(polyhedra) == 1
                and len(polyhedra[0]) == 1
                and all(v == 1 or v[0] == "X" for v in polyhedra[0][0][0])
            ):
                row, _ = polyhedra[0][0]
                (variable,) = (v for v in row if v != 1)
                ends[variable[1], row[variable] > 0] = -row.get(1, Fraction(0)) / row[variable]
            else:
                choices.append(polyhedra)
    box = [[ends[i, lower] for i in range(sizes["X"])] for lower in (True, False)]
    low, high = ([fmpq(v.numerator, v.denominator) for v in side] for side in box)
    return Specification(
        low,
        high,
        [list(itertools.chain.from_iterable(parts)) for parts in itertools.product(*choices)]
        if choices
        else [[]],
    )


def normal(formula: Any) -> list[list[Row]]:
    """Disjunctions of conjunctions of rows >= 0."""
    operator, *rest = formula
    if operator == "or":
        return [polyhedron for part in rest for polyhedron in normal(part)]
    if operator == "and":
        return [list(itertools.chain.from_iterable(parts)) for parts in itertools.product(*map(normal, rest))]
    if operator not in ("<=", ">=", "<", ">"):
        raise Unsupported(f"{operator} in a specification")
    left, right = map(linear, rest)
    return [[(plus(left, right, -1) if operator[0] == ">" else plus(right, left, -1), operator in "<>")]]


def plus(a: Linear, b: Linear, sign: int) -> Linear:
    return {v: a.get(v, Fraction(0)) + sign * b.get(v, Fraction(0)) for v in {*a, *b}}


def linear(term: Any) -> Linear:
    if isinstance(term, str):
        return {(term[0], int(term[2:])): Fraction(1)} if term[0] in "XY" else {1: Fraction(term)}
    operator, *parts = term
    values = [linear(p) for p in parts]
    if operator in ("+", "-") and len(values) > 1:
        out = values[0]
        for value in values[1:]:
            out = plus(out, value, 1 if operator == "+" else -1)
        return out
    if operator == "*" and set(values[0]) == {1}:
        return {v: values[0][1] * c for v, c in values[1].items()}
    raise Unsupported(f"{operator} in a specification")


# -- the tree
# ------------------------------------------------------------


@dataclass
class Region:
    low: list[fmpq]
    high: list[fmpq]
    bounds: Bounds
    empty = False


class Boxes:
    """The arithmetic of a box; its targets are unsafe polyhedra."""

    ONE = ONE

    def __init__(self, network: onnx_file.Network, spec: Specification) -> None:
        self.network, self.spec = network, spec
        self.inputs = network.inputs
        self.relus = [form for node in network.relus for form in node]
        self.rows = [[self.row(r) for r, _ in polyhedron] for polyhedron in spec.unsafe]

    def row(self, row: Linear) -> Form:
        """Over inputs and ReLUs; times the least number that makes all the polyhedron's rows integers is not
        needed: only signs count.
        """
        out = Form(fmpq(0))
        for v, factor in row.items():
            c = fmpq(factor.numerator, factor.denominator)
            if v == 1:
                out.const += c
            elif v[0] == "X":
                out = onnx_file.weighted([(fmpq(1), out), (c, Form(fmpq(0), {v[1]: fmpq(1)}))])
            else:
                out = onnx_file.weighted([(fmpq(1), out), (c, self.network.outputs[v[1]])])
        return out

    def check(self, lines: Lines) -> None:
        header(lines, "boxes")
        case = lines.next("tree")["tree"]
        need(is_int(case) and case == 0, "no case")
        region = Region(list(self.spec.low), list(self.spec.high), [])
        for form in self.relus:  # interval arithmetic
            region.bounds.append(tuple(self.interval(region, form, way) for way in (-1, 1)))  # type: ignore[arg-type]
        walk(lines, self, region, [set() for _ in self.rows])
        end(lines)

    def interval(self, region: Region, form: Form, way: int) -> fmpq:
        total = fmpq(form.const)
        for v, c in form.terms.items():
            if v < self.inputs:
                ends = (region.low[v], region.high[v])
            else:
                l, u = region.bounds[v - self.inputs]
                ends = (max(l, fmpq(0)), max(u, fmpq(0)))
            total += c * ends[1 if (c > 0) == (way > 0) else 0]
        return total

    def split(self, region: Region, kind: Any, i: Any, at: Any) -> list[Region]:
        n, e = a_list(at)
        need(
            kind == "input"
            and is_int(i)
            and 0 <= i < self.inputs
            and is_int(n)
            and is_int(e)
            and 0 <= e <= 1100,
            "a split of no input",
        )
        value = fmpq(n, 1) / fmpq(1 << e)
        need(region.low[i] <= value <= region.high[i], "a split outside of its box")
        low, high = list(region.low), list(region.high)
        low[i] = high[i] = value
        return [
            Region(list(region.low), high, list(region.bounds)),
            Region(low, list(region.high), list(region.bounds)),
        ]

    def run(self, region: Region) -> None:
        raise Rejected("the inputs of a box cannot be run")

    def defaults(self, bounds: Bounds) -> Any:
        return defaults(bounds)

    def row_count(self, target: int) -> int:
        return len(self.rows[target])

    def bound(self, region: Region, j: int, sign: int, below: list[int], above: list[int]) -> None:
        form, phase = signed(self.relus[j], sign), phases(region.bounds)
        self.better(region, j, sign, self.upper(region, form, phase, below, above, {}))

    def tighten(self, region: Region) -> None:
        start = 0
        for node in self.network.relus:
            usual, phase = defaults(region.bounds), phases(region.bounds)
            still_open = [j for j in range(start, start + len(node)) if phase[j] == 0]
            found = [
                (j, sign, self.upper(region, signed(self.relus[j], sign), phase, *usual, {}))
                for j in still_open
                for sign in (1, -1)
            ]
            for j, sign, bound in found:
                self.better(region, j, sign, bound)
            start += len(node)

    def better(self, region: Region, j: int, sign: int, bound: fmpq) -> None:
        l, u = region.bounds[j]
        region.bounds[j] = (l, min(u, bound)) if sign > 0 else (max(l, -bound), u)

    def holds(
        self,
        region: Region,
        p: int,
        flat: list[int],
        factors: list[int],
        below: list[int],
        above: list[int],
        beta: list[int],
    ) -> bool:
        phase = phases(region.bounds)
        for v in flat:
            phase[abs(v) - 1] = 1 if v > 0 else -1
        scale = fmpq(math.lcm(*(f.denominator for row, _ in self.spec.unsafe[p] for f in row.values())))
        total = onnx_file.weighted([(scale * w, row) for w, row in zip(factors, self.rows[p], strict=True)])
        bound = self.upper(region, total, phase, below, above, dict(enumerate(beta)))
        strict = any(w and s for w, (_, s) in zip(factors, self.spec.unsafe[p], strict=True))
        return bound < 0 or (strict and bound == 0)

    def upper(
        self,
        region: Region,
        form: Form,
        phase: list[int],
        below: list[int],
        above: list[int],
        beta: dict[int, int],
    ) -> fmpq:
        terms, total = {v: fmpq(c) for v, c in form.terms.items()}, fmpq(form.const)
        node_of = [k for k, node in enumerate(self.network.relus) for _ in node]
        for j in range(len(self.relus) - 1, -1, -1):
            c = terms.pop(self.inputs + j, fmpq(0))
            b = fmpq(beta.get(j, 0), ONE) * phase[j]
            l, u = region.bounds[j]
            if phase[j] == 1:
                factor = c + b
            elif phase[j] == -1:
                factor = b
            elif c > 0:
                s = fmpq(above[j], ONE)
                factor = c * s
                total += c * max(-s * l, (1 - s) * u)
            else:
                factor = c * fmpq(below[j], ONE)
            if factor:
                total += factor * self.relus[j].const
                for v, w in self.relus[j].terms.items():
                    need(v < self.inputs or node_of[v - self.inputs] < node_of[j], "a ReLU of a later node")
                    terms[v] = terms.get(v, fmpq(0)) + factor * w
        return total + sum(
            (c * (region.high[v] if c > 0 else region.low[v]) for v, c in terms.items()), fmpq(0)
        )


def signed(form: Form, sign: int) -> Form:
    return onnx_file.weighted([(fmpq(sign), form)])


def phases(bounds: Bounds) -> list[int]:
    return [1 if l >= 0 else -1 if u <= 0 else 0 for l, u in bounds]


def defaults(bounds: Bounds) -> tuple[list[int], list[int]]:
    """below and above: u / (u - l) to the nearest."""
    above = [
        max(0, min(ONE, int((ONE * u / (u - l) + fmpq(1, 2)).floor()))) if u > l else ONE for l, u in bounds
    ]
    return [ONE if u + l > 0 else 0 for l, u in bounds], above
