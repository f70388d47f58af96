"""The network as one language sees it: only the ReLUs that can still be both on and off.

The first step of every encoding and of the engines over words, before `formula.py` and `dense.py`.  A ReLU
that is never positive becomes 0, and one that is never negative becomes its argument.  ReLUs of a layer whose
arguments are multiples of each other share one.  All steps are exact on every word of the language.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.claims.decision import Rival
from ..models.claims.domain import Domain
from ..models.network.integers import exact_matmul, exact_product, exact_quotient, exact_sum, integer_array
from ..models.network.network import Affine, Network
from .bounds import AffineRows, UnstableRelu, lower_and_upper


@dataclass(frozen=True, eq=False)
class Reduced:
    """A network on one language: its unstable ReLUs in topological order, and its outputs as rows over them.

    `dead` and `active` are the numbers of ReLUs that are always off and always on.
    """

    language: Automaton
    relus: tuple[UnstableRelu, ...]
    outputs: AffineRows
    dead: int
    active: int

    def bounds(self, rows: AffineRows) -> tuple[np.ndarray, np.ndarray]:
        """Return proved lower and upper bounds of rows over the language: integers, (rows,) each."""
        return lower_and_upper(self.language, self.relus, rows)

    def lead(self, rival: Rival) -> AffineRows:
        """Return one row that is >= 0 exactly on the words on which the rival wins.

        It is the rival's lead, divided by the greatest common divisor of its numbers, minus the rival's
        threshold (0 or 1).  The division makes a lead of 1 as large as these numbers allow.
        """
        rows = self.outputs.combined(integer_array([list(rival.coefficients)]), len(self.relus))
        rows = simplified(self.language, rows)
        g = math.gcd(*map(int, rows.symbols[0]), *map(int, rows.relus[0]), int(rows.constant[0])) or 1
        parts = rows.symbols, rows.relus, rows.constant
        symbols, relus, constant = (exact_quotient(part, g) for part in parts)
        return AffineRows(symbols, relus, exact_sum(constant, integer_array([-rival.threshold])))


def present_symbols(language: Automaton) -> tuple[tuple[int, ...], ...]:
    """Return per position the symbols that some word has there."""
    return tuple(tuple(sorted({symbol for _, symbol, _ in layer})) for layer in language.edges)


def simplified(language: Automaton, rows: AffineRows) -> AffineRows:
    """Return rows with the same values on the language and fewer nonzero weights.

    Every word has exactly one symbol per position, so the commonest weight of a position moves into the
    constant. Symbols that no word has at a position get weight 0.
    """
    shape = (len(rows), language.length, language.symbol_count)
    symbols = rows.symbols.astype(object).reshape(shape)
    constant = rows.constant.astype(object).copy()
    out = np.zeros(shape, dtype=object)
    for t, present in enumerate(present_symbols(language)):
        for i in range(len(rows)):
            weights = [int(symbols[i, t, s]) for s in present]
            # Of several, take that of the first symbol, so that -x becomes the negation of what x becomes.
            common = max(weights, key=weights.count)
            constant[i] = int(constant[i]) + common
            out[i, t, list(present)] = [w - common for w in weights]
    return AffineRows(
        integer_array(out.reshape(len(rows), language.length * language.symbol_count)),
        rows.relus,
        integer_array(constant),
    )


def reduced(
    network: Network,
    domain: Domain,
    language: Automaton,
    deadline: float | None = None,
) -> Reduced:
    """Reduce the network to what it computes on the words of a non-empty language (of one label, as a rule).

    Raises TimeoutError after `deadline` (of time.monotonic, in seconds).
    """
    values: dict[int, AffineRows] = {}
    relus: list[UnstableRelu] = []
    inputs = {0}  # nodes that equal the input: its numbers are 0 and 1, so a ReLU changes nothing
    dead = active = 0
    sources = [node.sources if isinstance(node, Affine) else (node.source,) for node in network.nodes]
    last_use = {s: k for k, here in enumerate(sources, start=1) for s in here}
    for k, node in enumerate(network.nodes, start=1):
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError("out of time while bounding the network")
        if isinstance(node, Affine):
            weights, bias = network.integer_form(k)
            empty = np.zeros((node.size, language.length * language.symbol_count), dtype=np.int64)
            total = AffineRows(empty, np.zeros((node.size, len(relus)), dtype=np.int64), bias)
            for s, w in zip(node.sources, weights, strict=True):
                total = total.plus(
                    _of_input(w, domain, language, len(relus))
                    if s in inputs
                    else values[s].combined(w, len(relus))
                )
            values[k] = total
        elif node.source in inputs:
            inputs.add(k)
        else:
            values[k], ups, downs = _rectified(language, relus, values[node.source], k)
            active, dead = active + ups, dead + downs
        for s in [s for s in values if last_use.get(s, len(network.nodes)) <= k and s != k]:
            del values[s]
    if (last := len(network.nodes)) in inputs:
        values[last] = _of_input(np.eye(network.input_size, dtype=np.int64), domain, language, 0)
    return Reduced(language, tuple(relus), values[last], dead, active)


def _of_input(weights: np.ndarray, domain: Domain, language: Automaton, relus: int) -> AffineRows:
    """Return weights @ (the network's input vector) as rows over the symbol indicators.

    Prefix and suffix are constant.
    """
    size, width = len(weights), len(domain.alphabet)
    start = len(domain.prefix) * width
    blocks = weights.reshape(size, domain.positions, width)
    symbols = blocks[:, len(domain.prefix) : len(domain.prefix) + language.length, : language.symbol_count]
    context = domain.one_hot(np.zeros((1, domain.max_length), dtype=np.int64))[0].astype(np.int64)
    context[start : start + domain.max_length * width] = 0
    symbols = symbols.reshape(size, language.length * language.symbol_count)
    return AffineRows(
        symbols, np.zeros((size, relus), dtype=np.int64), exact_matmul(weights, context[:, None])[:, 0]
    )


def _rectified(
    language: Automaton, relus: list[UnstableRelu], rows: AffineRows, layer: int
) -> tuple[AffineRows, int, int]:
    """Return max(0, rows), with the numbers of active and dead rows.

    Rows that stay nonlinear are appended to `relus`.
    """
    rows = AffineRows(rows.symbols, rows.widened(len(relus)), rows.constant)
    rows = simplified(language, rows)
    lower, upper = lower_and_upper(language, relus, rows)
    known, dead, active = len(relus), 0, 0
    # (row, ReLU, factor): the row is its linear part, if that is kept, plus factor * ReLU.
    outputs: list[tuple[int, int, int]] = []
    keep = np.ones((len(rows), 1), dtype=np.int64)
    opened: dict[tuple[int, ...], int] = {}  # the ReLUs of this layer, by their arguments
    for i in range(len(rows)):
        parts = (*map(int, rows.symbols[i]), *map(int, rows.relus[i]), int(rows.constant[i]))
        # Every value is a multiple of g.  Dividing gives smaller numbers, and bounds that round better.
        g = math.gcd(*parts) or 1
        low, high = -(-int(lower[i]) // g), int(upper[i]) // g
        if low >= 0:
            active += 1
            continue
        if high <= 0:
            keep[i], dead = 0, dead + 1
            continue
        argument, opposite = tuple(v // g for v in parts), tuple(-v // g for v in parts)
        if opposite in opened:  # max(0, -x) = max(0, x) - x
            outputs.append((i, opened[opposite], g))
            continue
        keep[i] = 0
        if argument not in opened:
            opened[argument] = len(relus)
            symbols, inner = exact_quotient(rows.symbols[i], g), exact_quotient(rows.relus[i], g)
            relus.append(UnstableRelu(symbols, inner, argument[-1], low, high, layer))
        outputs.append((i, opened[argument], g))
    wide = np.zeros((len(rows), len(relus)), dtype=object)
    wide[:, :known] = exact_product(rows.relus, keep)
    for i, relu, factor in outputs:
        wide[i, relu] = factor
    kept = AffineRows(
        exact_product(rows.symbols, keep), integer_array(wide), exact_product(rows.constant, keep[:, 0])
    )
    return kept, active, dead
