"""Exact integer bounds, and the network as one language sees it: only the ReLUs that can still go both ways.

First step of every encoding.  Everything linear is composed: a value is (symbol indicators) @ S + (unstable ReLU
outputs) @ R + constant, over exact integers.  The extremes of the symbol part over the language's words are a dynamic
program over the automaton, so first-layer bounds are attained by words.  Deeper ones are the better of interval
propagation and backward substitution (CROWN: each ReLU between a line below and a line above), rounded to integers.
A ReLU that is never positive becomes 0, one that is never negative becomes its argument, and ReLUs whose arguments are
multiples of each other share one; all exactly.  `options.py` has a switch for each of these ideas.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..models.automata.automaton import Automaton
from ..models.automata.extremes import maxima
from ..models.claims.decision import Rival
from ..models.claims.domain import Domain
from ..models.network.integers import exact_matmul, exact_product, exact_quotient, exact_sum
from ..models.network.network import Affine, Network, integer_array
from .options import BEST, Encoding

SLOPE_BITS = (
    8  # upper slopes u/(u-l) are rounded to multiples of 2**-SLOPE_BITS; sound for every slope in [0, 1]
)
DEEPEST = 4  # layers of ReLUs that one backward pass goes through; for the layers below, intervals do: unrolled networks have hundreds


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear functions: row i is symbols[i] . indicators + relus[i] . (unstable ReLU outputs) + constant[i]."""

    symbols: np.ndarray  # (rows, length * symbol_count)
    relus: np.ndarray  # (rows, unstable ReLUs known when the rows were made)
    constant: np.ndarray  # (rows,)

    def __len__(self) -> int:
        return len(self.constant)

    def widened(self, relus: int) -> np.ndarray:
        """The ReLU part with columns for all `relus` known by now."""
        missing = relus - self.relus.shape[1]
        return (
            np.concatenate([self.relus, np.zeros((len(self), missing), dtype=np.int64)], axis=1)
            if missing
            else self.relus
        )

    def combined(self, weights: np.ndarray, relus: int) -> Rows:
        constant = exact_matmul(weights, self.constant[:, None])[:, 0]
        return Rows(exact_matmul(weights, self.symbols), exact_matmul(weights, self.widened(relus)), constant)

    def plus(self, other: Rows) -> Rows:
        return Rows(
            exact_sum(self.symbols, other.symbols),
            exact_sum(self.relus, other.relus),
            exact_sum(self.constant, other.constant),
        )


@dataclass(frozen=True, eq=False)
class UnstableRelu:
    """output = max(0, symbols . indicators + relus . outputs of earlier ones + constant), with lower < 0 < upper proved.

    Where nothing is folded, lower <= 0 <= upper.  `layer` numbers the ReLU node it belongs to; it reads only ReLUs of smaller layers.
    """

    symbols: np.ndarray
    relus: np.ndarray
    constant: int
    lower: int
    upper: int
    layer: int


@dataclass(frozen=True, eq=False)
class Reduced:
    """A network on one language: its unstable ReLUs in order, its outputs as rows over them, and how many ReLUs were settled."""

    language: Automaton
    relus: tuple[UnstableRelu, ...]
    outputs: Rows
    dead: int
    active: int
    encoding: Encoding = BEST

    def bounds(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Proved lower and upper bounds of the rows over the language, as integers."""
        words = every_word(self.language) if self.encoding.box else self.language
        negated = Rows(*(exact_product(a, -1) for a in (rows.symbols, rows.relus, rows.constant)))
        lower = exact_product(upper_bounds(words, self.relus, negated, self.encoding.crown), -1)
        return lower, upper_bounds(words, self.relus, rows, self.encoding.crown)

    def lead(self, rival: Rival) -> Rows:
        """One row, >= 0 exactly on the words on which the rival wins: how far it is ahead, less its threshold.

        How far it is ahead is divided by its greatest common divisor, so that "ahead by 1" is as much as a network's numbers can mean.
        """
        rows = self.outputs.combined(integer_array([list(rival.coefficients)]), len(self.relus))
        if self.encoding.fold:
            rows = simplified(self.language, rows)
            g = math.gcd(*map(int, rows.symbols[0]), *map(int, rows.relus[0]), int(rows.constant[0])) or 1
            rows = Rows(*(exact_quotient(part, g) for part in (rows.symbols, rows.relus, rows.constant)))
        return Rows(
            rows.symbols, rows.relus, exact_sum(rows.constant, integer_array([-rival.threshold]))
        )  # 0 or 1


def every_word(language: Automaton) -> Automaton:
    """All words of this length, whether they are in the language or not."""
    everything = tuple((0, s, 0) for s in range(language.symbol_count))
    return Automaton(
        language.symbol_count, (1,) * (language.length + 1), (everything,) * language.length, (0,)
    )


def upper_bounds(
    language: Automaton, relus: Sequence[UnstableRelu], rows: Rows, crown: bool = True
) -> np.ndarray:
    """Proved upper bounds of rows that may read all of `relus`: the better of intervals and backward substitution."""
    wide = rows.widened(len(relus))
    symbol_part = maxima(language, rows.symbols.reshape(len(rows), language.length, language.symbol_count))
    upper = integer_array([r.upper for r in relus])
    interval = exact_sum(symbol_part, exact_matmul(np.maximum(wide, 0), upper[:, None])[:, 0], rows.constant)
    if not crown or not relus or not wide.any():
        return interval
    current, shift = Rows(rows.symbols, wide, rows.constant), 0  # `current` bounds the rows times 2**shift
    by_layer: dict[int, list[int]] = {}
    for j, r in enumerate(relus):
        by_layer.setdefault(r.layer, []).append(j)
    for layer in sorted(by_layer, reverse=True):
        here = by_layer[layer]
        if not current.relus[:, here].any():
            current = Rows(current.symbols, current.relus[:, : here[0]], current.constant)
        elif shift == SLOPE_BITS * DEEPEST:
            break
        else:
            current, shift = _substituted(current, [relus[j] for j in here], here[0]), shift + SLOPE_BITS
    rest = exact_matmul(np.maximum(current.relus, 0), upper[: current.relus.shape[1], None])[
        :, 0
    ]  # what was not substituted: intervals
    symbol_part = maxima(language, current.symbols.reshape(len(rows), language.length, language.symbol_count))
    substituted = integer_array([int(v) >> shift for v in exact_sum(symbol_part, rest, current.constant)])
    return np.minimum(interval, substituted)


def _substituted(rows: Rows, group: Sequence[UnstableRelu], first: int) -> Rows:
    """Rows that bound `rows` from above times 2**SLOPE_BITS, with the group's outputs (columns first onwards) replaced.

    y <= s*x + max(-s*l, (1-s)*u) with s near u/(u-l), and y >= 0 or y >= x, whichever loses less area.
    """
    one = 1 << SLOPE_BITS
    slopes = [
        min(one, (r.upper * one + (r.upper - r.lower) // 2) // max(1, r.upper - r.lower)) for r in group
    ]
    offsets = [max(-s * r.lower, (one - s) * r.upper) for s, r in zip(slopes, group, strict=True)]
    below = [one if r.upper > -r.lower else 0 for r in group]
    coefficients = rows.relus[:, first : first + len(group)]
    positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
    weights = exact_sum(
        exact_product(positive, np.array(slopes)[None]), exact_product(negative, np.array(below)[None])
    )
    inner = Rows(
        integer_array(np.stack([r.symbols for r in group])),
        integer_array([list(r.relus) + [0] * (first - len(r.relus)) for r in group]).reshape(
            len(group), first
        ),
        integer_array([r.constant for r in group]),
    ).combined(weights, first)
    kept = Rows(
        exact_product(rows.symbols, one),
        exact_product(rows.relus[:, :first], one),
        exact_product(rows.constant, one),
    )
    total = kept.plus(inner)
    lifted = exact_matmul(positive, integer_array(offsets)[:, None])[:, 0]
    return Rows(total.symbols, total.relus, exact_sum(total.constant, lifted))


def present_symbols(language: Automaton) -> tuple[tuple[int, ...], ...]:
    """Per position, the symbols that some word has there."""
    return tuple(tuple(sorted({symbol for _, symbol, _ in layer})) for layer in language.edges)


def simplified(language: Automaton, rows: Rows) -> Rows:
    """The same functions on the language with fewer nonzeros: each position's commonest weight moves into the constant.

    Every word has exactly one symbol per position; symbols that no word has at a position get weight 0.
    """
    shape = (len(rows), language.length, language.symbol_count)
    symbols = rows.symbols.astype(object).reshape(shape)
    constant = rows.constant.astype(object).copy()
    out = np.zeros(shape, dtype=object)
    for t, present in enumerate(present_symbols(language)):
        for i in range(len(rows)):
            weights = [int(symbols[i, t, s]) for s in present]
            common = max(
                weights, key=weights.count
            )  # of several, the one of the first symbol: -x looks like x, negated
            constant[i] = int(constant[i]) + common
            out[i, t, list(present)] = [w - common for w in weights]
    return Rows(
        integer_array(out.reshape(len(rows), language.length * language.symbol_count)),
        rows.relus,
        integer_array(constant),
    )


def reduced(
    network: Network,
    domain: Domain,
    language: Automaton,
    deadline: float | None = None,
    encoding: Encoding | None = None,
) -> Reduced:
    """The network on a (non-empty, label-restricted) language.  Raises TimeoutError after `deadline` (time.monotonic)."""
    encoding = encoding or BEST
    values: dict[int, Rows] = {}
    relus: list[UnstableRelu] = []
    inputs = {
        0
    }  # nodes that are the input itself; indicators are never negative, so a ReLU leaves them alone
    dead = active = 0
    sources = [node.sources if isinstance(node, Affine) else (node.source,) for node in network.nodes]
    last_use = {s: k for k, here in enumerate(sources, start=1) for s in here}
    for k, node in enumerate(network.nodes, start=1):
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError("out of time while bounding the network")
        if isinstance(node, Affine):
            weights, bias = network.integer_form(k)
            empty = np.zeros((node.size, language.length * language.symbol_count), dtype=np.int64)
            total = Rows(empty, np.zeros((node.size, len(relus)), dtype=np.int64), bias)
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
            values[k], ups, downs = _rectified(language, relus, values[node.source], k, encoding)
            active, dead = active + ups, dead + downs
        for s in [s for s in values if last_use.get(s, len(network.nodes)) <= k and s != k]:
            del values[s]
    if (last := len(network.nodes)) in inputs:
        values[last] = _of_input(np.eye(network.input_size, dtype=np.int64), domain, language, 0)
    return Reduced(language, tuple(relus), values[last], dead, active, encoding)


def _of_input(weights: np.ndarray, domain: Domain, language: Automaton, relus: int) -> Rows:
    """weights @ (the network's input vector) as rows over the language's symbol indicators; the context is constant."""
    size, width = len(weights), len(domain.alphabet)
    start = len(domain.prefix) * width
    blocks = weights.reshape(size, domain.positions, width)
    symbols = blocks[:, len(domain.prefix) : len(domain.prefix) + language.length, : language.symbol_count]
    context = domain.one_hot(np.zeros((1, domain.max_length), dtype=np.int64))[0].astype(np.int64)
    context[start : start + domain.max_length * width] = 0
    symbols = symbols.reshape(size, language.length * language.symbol_count)
    return Rows(
        symbols, np.zeros((size, relus), dtype=np.int64), exact_matmul(weights, context[:, None])[:, 0]
    )


def _rectified(
    language: Automaton, relus: list[UnstableRelu], rows: Rows, layer: int, encoding: Encoding
) -> tuple[Rows, int, int]:
    """max(0, rows): settled rows stay linear, the others append to `relus`.  With the numbers of active and dead rows."""
    rows = Rows(rows.symbols, rows.widened(len(relus)), rows.constant)
    if encoding.fold:
        rows = simplified(language, rows)
    lower, upper = Reduced(language, tuple(relus), rows, 0, 0, encoding).bounds(rows)
    known, dead, active = len(relus), 0, 0
    outputs: list[
        tuple[int, int, int]
    ] = []  # row, ReLU, factor: the row's value is its linear part (where kept) + factor * the ReLU
    keep = np.ones((len(rows), 1), dtype=np.int64)
    opened: dict[tuple[int, ...], int] = {}  # the ReLUs of this layer by their arguments
    for i in range(len(rows)):
        parts = (*map(int, rows.symbols[i]), *map(int, rows.relus[i]), int(rows.constant[i]))
        g = (
            math.gcd(*parts) or 1
        )  # every value is a multiple of this: smaller numbers for the solver, and rounder bounds
        low, high = -(-int(lower[i]) // g), int(upper[i]) // g
        if encoding.fold:
            if low >= 0:
                active += 1
                continue
            if high <= 0:
                keep[i], dead = 0, dead + 1
                continue
        else:
            g, low, high = 1, min(0, int(lower[i])), max(0, int(upper[i]))
        argument, opposite = tuple(v // g for v in parts), tuple(-v // g for v in parts)
        if encoding.merge and opposite in opened:  # max(0, -x) = max(0, x) - x
            outputs.append((i, opened[opposite], g))
            continue
        keep[i] = 0
        if not encoding.merge or argument not in opened:
            opened[argument] = len(relus)
            symbols, inner = exact_quotient(rows.symbols[i], g), exact_quotient(rows.relus[i], g)
            relus.append(UnstableRelu(symbols, inner, argument[-1], low, high, layer))
        outputs.append((i, opened[argument], g))
    wide = np.zeros((len(rows), len(relus)), dtype=object)
    wide[:, :known] = exact_product(rows.relus, keep)
    for i, relu, factor in outputs:
        wide[i, relu] = factor
    kept = Rows(
        exact_product(rows.symbols, keep), integer_array(wide), exact_product(rows.constant, keep[:, 0])
    )
    return kept, active, dead
