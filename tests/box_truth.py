"""The exact truth about tiny networks over boxes of one or two inputs, by cutting polygons; uses nothing of
relucid's engines.  And tiny networks.

A polygon (a list of rational corners; a segment or a point where it is flat) is cut at every neuron's zero
line; on each piece the network is affine, so that its outputs are affine too, and the piece is cut by the
unsafe rows.  What is left is unsafe.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.integers import dyadic, integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.onnx.writer import with_source
from relucid.verifiers.engines.boxes import searches

Form = tuple[tuple[Fraction, ...], Fraction]  # coefficients, constant


def value(form: Form, point: tuple[Fraction, ...]) -> Fraction:
    return sum((c * x for c, x in zip(form[0], point, strict=True)), form[1])


def cut(corners: list[tuple[Fraction, ...]], form: Form) -> list[tuple[Fraction, ...]]:
    """The part of the polygon where form >= 0."""
    out: list[tuple[Fraction, ...]] = []
    for k, here in enumerate(corners):
        there = corners[(k + 1) % len(corners)]
        a, b = value(form, here), value(form, there)
        if a >= 0:
            out.append(here)
        if (a > 0 and b < 0) or (a < 0 and b > 0):
            t = a / (a - b)
            out.append(tuple(x + t * (y - x) for x, y in zip(here, there, strict=True)))
    return list(dict.fromkeys(out))


def negated(form: Form) -> Form:
    return tuple(-c for c in form[0]), -form[1]


def rectangle(lower: tuple[Fraction, ...], upper: tuple[Fraction, ...]) -> list[tuple[Fraction, ...]]:
    if len(lower) == 1:
        return [lower, upper] if lower != upper else [lower]
    (a, b), (c, d) = lower, upper
    return list(dict.fromkeys([(a, b), (c, b), (c, d), (a, d)]))


def pieces(network: Network, corners: list[tuple[Fraction, ...]]):
    """(polygon, outputs as forms) of every affine piece."""
    size = network.input_size
    start = [(tuple(Fraction(int(i == j)) for j in range(size)), Fraction(0)) for i in range(size)]
    waiting = [(corners, [start], 0, 0)]
    while waiting:
        polygon, values, k, j = waiting.pop()
        if not polygon:
            continue
        if k == len(network.nodes):
            yield polygon, values[-1]
            continue
        node = network.nodes[k]
        if isinstance(node, Affine):
            out = []
            for r in range(node.size):
                coefficients, constant = [Fraction(0)] * size, Fraction(int(node.bias[r]))
                for s, w in zip(node.sources, node.weights, strict=True):
                    for c in range(w.shape[1]):
                        f = values[s][c]
                        coefficients = [x + int(w[r, c]) * y for x, y in zip(coefficients, f[0], strict=True)]
                        constant += int(w[r, c]) * f[1]
                out.append((tuple(x / node.denominator for x in coefficients), constant / node.denominator))
            waiting.append((polygon, [*values, out], k + 1, 0))
            continue
        source = values[node.source]
        if j == 0:
            values = [*values, []]
        if j == len(source):
            waiting.append((polygon, values, k + 1, 0))
            continue
        zero = (tuple(Fraction(0) for _ in range(size)), Fraction(0))
        ends = [value(source[j], corner) for corner in polygon]
        sides = [(source[j], source[j]), (negated(source[j]), zero)]
        # one side where it has no other, or only a corner of it: the two agree where the sum is zero
        for side, kept in sides[:1] if min(ends) >= 0 else sides[1:] if max(ends) <= 0 else sides:
            part = cut(polygon, side)
            if part:
                waiting.append(
                    (part, [*values[:-1], [*values[-1], kept]], k, j + 1)
                    if j + 1 < len(source)
                    else (part, [*values[:-1], [*values[-1], kept]], k + 1, 0)
                )


def unsafe_point(network: Network, case: Case, cells: list[Any] | None = None) -> tuple[Fraction, ...] | None:
    """A point of the box that is unsafe, or None: exactly.  `cells`: the pieces, where they are known."""
    for polygon, outputs in cells or pieces(network, rectangle(case.lower, case.upper)):
        for rows in case.unsafe:
            left, strict = polygon, []
            for row in rows:
                coefficients = [Fraction(0)] * network.input_size
                constant = row.constant
                for i, c in row.x:
                    coefficients[i] += c
                for j, c in row.y:
                    coefficients = [a + c * b for a, b in zip(coefficients, outputs[j][0], strict=True)]
                    constant += c * outputs[j][1]
                form = (tuple(coefficients), constant)
                left = cut(left, form) if left else left
                strict += [form] if row.strict else []
            # among the corners every row is >= 0, so that at their middle it is > 0 where it is at one of
            # them
            if left:
                middle = tuple(sum(xs, Fraction(0)) / len(left) for xs in zip(*left, strict=True))
                if all(value(form, middle) > 0 for form in strict):
                    return left[0] if not strict else middle
    return None


def random_network(rng: np.random.Generator, inputs: int, *, scale: float = 1.0) -> Network:
    """Two ReLU layers, sometimes with a skip; weights are multiples of 1/8."""
    first, second, outputs = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 4))

    def matrix(*shape: int) -> np.ndarray:
        return integer_array(np.rint(rng.normal(0, 8 * scale, shape)).astype(np.int64))

    nodes = [
        Affine((0,), (matrix(first, inputs),), matrix(first), 8),
        Relu(1),
        Affine((2,), (matrix(second, first),), matrix(second), 8),
        Relu(3),
    ]
    if rng.random() < 0.3:
        nodes.append(Affine((2, 4), (matrix(outputs, first), matrix(outputs, second)), matrix(outputs), 8))
    else:
        nodes.append(Affine((4,), (matrix(outputs, second),), matrix(outputs), 8))
    return with_source(Network(inputs, tuple(nodes), "real"))


def random_property(rng: np.random.Generator, network: Network) -> Property:
    """One box, one or two polyhedra of one to three rows; now and then a fixed input or a row over inputs."""
    low = [Fraction(int(v), 8) for v in rng.integers(-16, 8, network.input_size)]
    high = [
        a + Fraction(int(v), 8) for a, v in zip(low, rng.integers(0, 17, network.input_size), strict=True)
    ]
    unsafe = []
    for _ in range(int(rng.integers(1, 3))):
        rows = []
        for _ in range(int(rng.integers(1, 4))):
            y = tuple(
                (j, Fraction(int(c))) for j, c in enumerate(rng.integers(-2, 3, network.output_size)) if c
            )
            x = ((0, Fraction(int(rng.integers(1, 3)))),) if rng.random() < 0.2 else ()
            rows.append(Row(x, y, Fraction(int(rng.integers(-40, 24)), 8)))
        unsafe.append(tuple(rows))
    return Property(network.input_size, network.output_size, (Case(tuple(low), tuple(high), tuple(unsafe)),))


ENGINES = ("inputs", "phases", "programs")


def alone(monkeypatch: pytest.MonkeyPatch, engine: str) -> str:
    """The backend for `decide` with which one of the ENGINES decides alone, however few inputs there are."""
    if engine == "phases":
        monkeypatch.setattr(searches, "FEW_INPUTS", -1)
    return "lp" if engine == "programs" else "split"


def floats(*layers: tuple[object, object]) -> Network:
    """A feed-forward network of exact (weight, bias) pairs, ReLU between them; any float64 or Fraction."""
    nodes: list[Affine | Relu] = []
    size = np.asarray(layers[0][0]).shape[1]
    for i, (weight, bias) in enumerate(layers):
        joined = np.concatenate(
            [np.asarray(weight, dtype=object), np.asarray(bias, dtype=object)[:, None]], axis=1
        )
        numerators, denominator = dyadic(np.frompyfunc(Fraction, 1, 1)(joined))
        if i:
            nodes.append(Relu(len(nodes)))
        nodes.append(
            Affine(
                (len(nodes),),
                (integer_array(numerators[:, :-1]),),
                integer_array(numerators[:, -1]),
                denominator,
            )
        )
    return Network(size, tuple(nodes), "real")


def above(
    limit: Fraction | int | float, *, inputs: int = 1, low: object = 0, high: object = 1, strict: bool = False
) -> Property:
    """Unsafe: output 0 >= limit, on [low, high] for every input."""
    row = Row((), ((0, Fraction(1)),), -Fraction(limit), strict)
    box = (Fraction(low),) * inputs, (Fraction(high),) * inputs  # type: ignore[arg-type]
    return Property(inputs, 1, (Case(*box, ((row,),)),))
