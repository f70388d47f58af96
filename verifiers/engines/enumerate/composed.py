"""Composes everything linear in a network: ReLU layers over sums of one table row per position.

`tree.py` evaluates this form.  A linear part of the input is never multiplied.  A word has one symbol per
position, so the part's value is a sum of table rows, and the context around the word is part of the constant.
All numbers are exact integers; nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ....models.claims.decision import Decision
from ....models.claims.domain import Domain
from ....models.claims.word_claim import WordClaim
from ....models.network.integers import exact_matmul, exact_sum, integer_array
from ....models.network.network import Affine

_INPUT = -1  # a value that is the network's input itself


@dataclass(frozen=True, eq=False)
class ComposedLayer:
    """Linear functions of a word.

        sum_t symbols[:, t, word[t]] + sum_g relus[g] @ max(0, layer g) + constant

    symbols: (rows, length, symbols), or None where the word is not read directly.
    relus: for each layer g that is read, weights (rows, rows of layer g).
    constant: (rows,).
    """

    symbols: np.ndarray | None
    relus: Mapping[int, np.ndarray]
    constant: np.ndarray

    def __len__(self) -> int:
        return len(self.constant)


def composed(claim: WordClaim) -> tuple[ComposedLayer, ...]:
    """Return the layers whose ReLUs the network uses, then the margins.

    Label j > 0 is the network's answer iff margin j - 1 is positive, larger than every earlier margin and at
    least as large as every later one.  Label 0 is the answer iff no margin is positive.
    """
    network, domain = claim.network, claim.domain
    values: list[ComposedLayer | int] = [_INPUT]  # an integer g >= 0: the ReLUs of layer g
    layers: list[ComposedLayer] = []
    for k, node in enumerate(network.nodes, start=1):
        if isinstance(node, Affine):
            weights, bias = network.integer_form(k)
            total = ComposedLayer(None, {}, bias)
            for s, w in zip(node.sources, weights, strict=True):
                total = _plus(total, _times(w, values[s], domain))
            values.append(total)
        elif isinstance(source := values[node.source], ComposedLayer):
            layers.append(source)
            values.append(len(layers) - 1)
        else:
            values.append(source)  # a ReLU changes nothing: indicators and ReLUs are never negative
    return _used([*layers, _margins(claim.decision, values[-1], domain)])


def _margins(decision: Decision, outputs: ComposedLayer | int, domain: Domain) -> ComposedLayer:
    """Return by how much each label leads the first one."""
    if isinstance(outputs, ComposedLayer):  # by subtraction: a matrix (labels, labels) would be large
        return outputs if decision.kind == "sign" else _ahead_of_the_first(outputs)
    count = len(decision.labels)
    if decision.kind == "sign":
        return _times(np.array([[1]]), outputs, domain)
    return _times(
        np.concatenate([np.full((count - 1, 1), -1), np.eye(count - 1, dtype=np.int64)], axis=1),
        outputs,
        domain,
    )


def _ahead_of_the_first(layer: ComposedLayer) -> ComposedLayer:
    """Subtract the first row from all others."""

    def ahead(rows: np.ndarray) -> np.ndarray:
        return exact_sum(rows[1:], -rows[:1])

    symbols = None if layer.symbols is None else ahead(layer.symbols)
    return ComposedLayer(symbols, {g: ahead(w) for g, w in layer.relus.items()}, ahead(layer.constant))


def _plus(a: ComposedLayer, b: ComposedLayer) -> ComposedLayer:
    """Return the sum of two layers."""
    symbols = (
        exact_sum(a.symbols, b.symbols)
        if a.symbols is not None and b.symbols is not None
        else a.symbols
        if b.symbols is None
        else b.symbols
    )
    relus = dict(a.relus)
    for g, w in b.relus.items():
        relus[g] = exact_sum(relus[g], w) if g in relus else w
    return ComposedLayer(symbols, relus, exact_sum(a.constant, b.constant))


def _times(weights: np.ndarray, value: ComposedLayer | int, domain: Domain) -> ComposedLayer:
    """Return weights @ value."""
    if value == _INPUT:
        return _of_input(weights, domain)
    nothing = np.zeros(len(weights), dtype=np.int64)
    if isinstance(value, int):
        return ComposedLayer(None, {value: weights}, nothing)
    symbols = value.symbols
    if symbols is not None:
        symbols = exact_matmul(weights, symbols.reshape(len(value), -1)).reshape(
            len(weights), *symbols.shape[1:]
        )
    relus = {g: exact_matmul(weights, w) for g, w in value.relus.items()}
    return ComposedLayer(symbols, relus, exact_matmul(weights, value.constant[:, None])[:, 0])


def _of_input(weights: np.ndarray, domain: Domain) -> ComposedLayer:
    """Return weights @ the one-hot input, with the context around the word in the constant."""
    start, stop = len(domain.prefix), len(domain.prefix) + domain.max_length
    blocks = weights.reshape(len(weights), domain.positions, len(domain.alphabet))
    fixed = domain.ids(np.zeros((1, domain.max_length), dtype=np.int64))[0]
    constant = np.zeros(len(weights), dtype=np.int64)
    for p in [*range(start), *range(stop, domain.positions)]:
        constant = exact_sum(constant, blocks[:, p, fixed[p]])
    return ComposedLayer(blocks[:, start:stop, : len(domain.symbols)], {}, integer_array(constant))


def _used(layers: list[ComposedLayer]) -> tuple[ComposedLayer, ...]:
    """Leave out the layers that the last one does not depend on."""
    wanted = {len(layers) - 1}
    for g in reversed(range(len(layers))):
        if g in wanted:
            wanted |= set(layers[g].relus)
    number = {g: i for i, g in enumerate(sorted(wanted))}
    return tuple(
        ComposedLayer(
            layers[g].symbols, {number[h]: w for h, w in layers[g].relus.items()}, layers[g].constant
        )
        for g in number
    )
