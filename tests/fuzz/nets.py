"""Networks as plain data: a list of nodes, ["relu", source] or ["affine", sources, matrices, bias,
denominator]; node 0 is the input.

Made at random, evaluated without relucid, and made smaller.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from relucid.common.errors import InputError
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Node, Relu
from relucid.models.onnx.writer import with_source

Plain = list[Any]
INT64 = 2**62


def built(nodes: Plain, inputs: int, encoding: str = "one_hot") -> Network:
    out: list[Node] = []
    for node in nodes:
        if node[0] == "relu":
            out.append(Relu(node[1]))
        else:
            _, sources, matrices, bias, denominator = node
            arrays = [integer_array(integers(values)) for values in (*matrices, bias)]
            out.append(Affine(tuple(sources), tuple(arrays[:-1]), arrays[-1], denominator))
    network = Network(inputs, tuple(out), encoding)  # type: ignore[arg-type]
    if encoding != "real":
        return network
    try:
        return with_source(network)
    except InputError:  # some number is no float32
        return network


def integers(values: Any) -> np.ndarray:
    """int64 where they fit, which is much faster."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return np.array(values, dtype=object)


def plain(network: Network) -> Plain:
    """The way back."""
    return [
        ["relu", n.source]
        if isinstance(n, Relu)
        else ["affine", list(n.sources), [w.tolist() for w in n.weights], n.bias.tolist(), n.denominator]
        for n in network.nodes
    ]


def outputs(nodes: Plain, inputs: np.ndarray) -> tuple[np.ndarray, int]:
    """Exact numerators (batch, outputs) and their denominator, for integer inputs (batch, size)."""
    values: list[tuple[np.ndarray, int, int]] = [
        (inputs.astype(np.int64), 1, int(np.abs(inputs).max(initial=0)))
    ]  # and the largest size
    for node in nodes:
        if node[0] == "relu":
            numbers, denominator, most = values[node[1]]
            values.append((np.maximum(numbers, 0), denominator, most))
            continue
        _, sources, matrices, bias, own = node
        common = math.lcm(*(values[s][1] for s in sources))
        terms = [
            (values[s], m, common // values[s][1])
            for s, m in zip(sources, map(integers, matrices), strict=True)
        ]
        largest = [
            max(1, abs(int(m.max(initial=0))), abs(int(m.min(initial=0)))) * m.shape[1] for _, m, _ in terms
        ]
        most = max(map(abs, bias)) * common + sum(
            max(1, v[2]) * factor * size for (v, _, factor), size in zip(terms, largest, strict=True)
        )
        kind: Any = np.int64 if most < INT64 else object
        total = np.zeros((len(inputs), len(bias)), dtype=kind) + np.array(
            [b * common for b in bias], dtype=kind
        )
        for v, m, factor in terms:
            total = total + (v[0].astype(kind) * factor) @ m.astype(kind).T
        values.append((total, common * own, most))
    return values[-1][0], values[-1][1]


def sizes(nodes: Plain, inputs: int) -> list[int]:
    out = [inputs]
    for node in nodes:
        out.append(out[node[1]] if node[0] == "relu" else len(node[3]))
    return out


def matrix(rng: random.Random, rows: int, columns: int, most: int = 4) -> list[list[int]]:
    return [[rng.randint(-most, most) for _ in range(columns)] for _ in range(rows)]


def numbers(rng: random.Random, count: int, most: int = 4) -> list[int]:
    return [rng.randint(-most, most) for _ in range(count)]


def layers(rng: random.Random, inputs: int, outputs: int) -> Plain:
    """Affine and ReLU in turn, one to three hidden layers, integers over 1, 2, 8 or 3."""
    nodes: Plain = []
    before, unit = inputs, rng.choice((1, 1, 2, 8, 3))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        size = rng.randint(1, 5)
        nodes += [
            ["affine", [len(nodes)], [matrix(rng, size, before)], numbers(rng, size), unit],
            ["relu", len(nodes) + 1],
        ]
        before = size
    return [*nodes, ["affine", [len(nodes)], [matrix(rng, outputs, before)], numbers(rng, outputs), unit]]


def graph(rng: random.Random, inputs: int, outputs: int) -> Plain:
    """Any graph: skips, shared and unused nodes, ReLUs of the input and of ReLUs, no sources at all, a ReLU
    at the end.
    """
    nodes: Plain = []
    for k in range(rng.randint(0, 6)):
        if rng.random() < 0.45:
            nodes.append(["relu", rng.randint(0, k)])
        else:
            nodes.append(_affine(rng, sizes(nodes, inputs), rng.randint(1, 4)))
    nodes.append(_affine(rng, sizes(nodes, inputs), outputs))
    return [*nodes, ["relu", len(nodes)]] if rng.random() < 0.15 else nodes


def _affine(rng: random.Random, sizes: list[int], size: int) -> Any:
    sources = rng.choices(
        range(len(sizes)), [i + 1 for i in range(len(sizes))], k=rng.choice((0, 1, 1, 1, 2, 3))
    )
    return [
        "affine",
        sources,
        [matrix(rng, size, sizes[s]) for s in sources],
        numbers(rng, size),
        rng.choice((1, 1, 2, 3, 8)),
    ]


def widened(rng: random.Random, nodes: Plain) -> Plain:
    """With large numbers in one node, which small ones beside them decide about."""
    out = copy.deepcopy(nodes)
    node = rng.choice([n for n in out if n[0] == "affine"])
    power = rng.choice((10, 18, 22, 24, 30, 45, 52, 62, 70, 200))
    node[2] = [[[(v << power) + rng.randint(-1, 1) for v in row] for row in m] for m in node[2]]
    node[3] = [(v << power) + rng.randint(-1, 1) for v in node[3]]
    return out


def nudged(rng: random.Random, nodes: Plain) -> Plain:
    """One number is another."""
    out = copy.deepcopy(nodes)
    node = rng.choice([n for n in out if n[0] == "affine"])
    rows = [row for m in [*node[2], [node[3]]] for row in m if row]
    if rows:
        row = rng.choice(rows)
        row[rng.randrange(len(row))] += rng.choice((-3, -1, 1, 3))
    return out


def smaller(nodes: Plain) -> Iterator[Plain]:
    """Without a hidden unit, with zeros, with halves."""
    for k, node in enumerate(nodes[:-1], start=1):
        if node[0] == "affine" and len(node[3]) > 1 and not _widths_matter(nodes, k):
            yield from (_without(nodes, k, unit) for unit in range(len(node[3])))
    for change in (lambda v: 0, lambda v: v // 2 if v > 0 else -(-v // 2)):
        for k, node in enumerate(nodes):
            if node[0] == "affine":
                places = [
                    (part, r, c)
                    for part in range(len(node[2]))
                    for r, row in enumerate(node[2][part])
                    for c in range(len(row))
                ]
                for part, r, c in places:
                    if (now := node[2][part][r][c]) != change(now):
                        out = copy.deepcopy(nodes)
                        out[k][2][part][r][c] = change(now)
                        yield out
                for r, now in enumerate(node[3]):
                    if now != change(now):
                        out = copy.deepcopy(nodes)
                        out[k][3][r] = change(now)
                        yield out
                if node[4] != 1:
                    yield [*nodes[:k], [*node[:4], 1], *nodes[k + 1 :]]


def _followers(nodes: Plain, k: int) -> set[int]:
    """The node and the ReLUs that pass its units on."""
    same = {k}
    for j, node in enumerate(nodes, start=1):
        if node[0] == "relu" and node[1] in same:
            same.add(j)
    return same


def _widths_matter(nodes: Plain, k: int) -> bool:
    return len(nodes) in _followers(nodes, k)


def _without(nodes: Plain, k: int, unit: int) -> Plain:
    out, same = copy.deepcopy(nodes), _followers(nodes, k)
    del out[k - 1][3][unit]
    for m in out[k - 1][2]:
        del m[unit]
    for node in out:
        if node[0] == "affine":
            for source, m in zip(node[1], node[2], strict=True):
                if source in same:
                    for row in m:
                        del row[unit]
    return out
