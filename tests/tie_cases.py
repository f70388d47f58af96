"""Networks and properties where something is exactly equal, for the tests of exact programs, and what they
may be proved with.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from box_truth import pieces, rectangle, value
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Node, Relu
from relucid.models.onnx.writer import with_source

CASES = Path(__file__).parents[1].parent / "shared" / "cases" / "tie_strict"
NAMES = ("clip", "marabou421", "relu1", "relu_out", "twins", "vehicle1112")
ODD = (7, 5, 11)  # what weights are multiplied by, over 3: nothing is dyadic then


def tie_network(rng: np.random.Generator, *, odd: bool = False) -> Network:
    """Weights of -2 .. 2, neurons that are multiples of others, and sometimes ReLUs at the end."""
    inputs, first, second, outputs = (int(rng.integers(1, n)) for n in (3, 4, 4, 4))

    def matrix(*shape: int) -> np.ndarray:
        return rng.integers(-2, 3, shape)

    def twin(weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if rng.random() < 0.4:
            return weights, bias
        i, factor = int(rng.integers(len(weights))), int(rng.choice([1, 2, -1]))
        return np.concatenate([weights, factor * weights[i : i + 1]]), np.concatenate(
            [bias, factor * bias[i : i + 1]]
        )

    layers = [twin(matrix(first, inputs), matrix(first))]
    layers.append(twin(matrix(second, len(layers[0][1])), matrix(second)))
    last = matrix(outputs, len(layers[1][1]))
    last[:, 0] |= 1  # no output is constant
    layers.append((last, matrix(outputs)))
    nodes: list[Node] = []
    for n, (weights, bias) in enumerate(layers):
        times = ODD[n] if odd else 1
        nodes += [Relu(len(nodes))] if n else []
        nodes.append(
            Affine(
                (len(nodes),), (integer_array(weights * times),), integer_array(bias * times), 3 if odd else 1
            )
        )
    if rng.random() < 0.3:
        nodes.append(Relu(len(nodes)))
    network = Network(inputs, tuple(nodes), "real")
    return network if odd else with_source(network)


def tie_property(rng: np.random.Generator, network: Network) -> Property:
    """One box and one or two polyhedra with small integers, so that many rows hold with equality somewhere
    and nowhere with more.
    """
    low = [Fraction(int(v)) for v in rng.integers(-2, 1, network.input_size)]
    high = [a + int(v) for a, v in zip(low, rng.integers(0, 4, network.input_size), strict=True)]
    unsafe = []
    for _ in range(int(rng.integers(1, 3))):
        rows = []
        for _ in range(int(rng.integers(1, 4))):
            y = tuple(
                (j, Fraction(int(c))) for j, c in enumerate(rng.integers(-1, 2, network.output_size)) if c
            )
            x = ((0, Fraction(int(rng.choice([-1, 1])))),) if rng.random() < 0.2 else ()
            rows.append(
                Row(x, y or ((0, Fraction(1)),), Fraction(int(rng.integers(-3, 3))), bool(rng.random() < 0.6))
            )
        unsafe.append(tuple(rows))
    return Property(network.input_size, network.output_size, (Case(tuple(low), tuple(high), tuple(unsafe)),))


def just_true(rng: np.random.Generator, network: Network) -> Property:
    """An output, or a sum of them, is nowhere more than its largest value on the box, which it
    has somewhere.
    """
    stated = tie_property(rng, network)
    (case,) = stated.cases
    y = tuple((j, Fraction(int(c))) for j, c in enumerate(rng.integers(-2, 3, network.output_size)) if c) or (
        (0, Fraction(1)),
    )
    most = max(
        sum((c * value(outputs[j], corner) for j, c in y), Fraction(0))
        for corners, outputs in pieces(network, rectangle(case.lower, case.upper))
        for corner in corners
    )
    row = Row((), y, -most, strict=True)
    return Property(
        stated.inputs, stated.outputs, (Case(case.lower, case.upper, ((row,), *case.unsafe[1:])),)
    )


def not_strict(stated: Property) -> Property:
    (case,) = stated.cases
    unsafe = tuple(tuple(Row(r.x, r.y, r.constant) for r in rows) for rows in case.unsafe)
    return Property(stated.inputs, stated.outputs, (Case(case.lower, case.upper, unsafe),))
