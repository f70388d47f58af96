"""The network on one label's words, as the checker sees it: linear rows over symbols and unstable ReLUs.

Part of the trusted base.  All numbers are exact integers.  A row is  symbols . x + relus . y + constant,
where x are the symbol indicators of a word and y the outputs of earlier unstable ReLUs.  Values are
numerators over the node's scale.  Where a row becomes a ReLU's argument or a rival's lead, it is divided by
the greatest common divisor of its numbers.  A ReLU that is never positive is 0; one that is never negative is
its argument.  ReLUs of a layer with equal or opposite arguments are one ReLU.  The specification is
docs/reference/proof-format.md, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ....models.automata.automaton import Automaton
from ....models.automata.extremes import maxima
from ....models.claims.word_claim import WordClaim
from ....models.network.integers import exact_matmul, exact_product, exact_sum, integer_array
from ....models.network.network import Affine
from ..region import Region

GRID = 8  # multipliers are integers over 2**GRID
ONE = 1 << GRID


@dataclass(eq=False)
class NetworkRows:
    """k rows of ReLUs' arguments, then other rows.

    symbols: (rows, length * symbols).
    relus: (rows, k).
    constant: (rows,).
    layer (k,): the number of each ReLU's node.
    """

    symbols: np.ndarray
    relus: np.ndarray
    constant: np.ndarray
    layer: tuple[int, ...] = ()

    def groups(self) -> list[tuple[int, int]]:
        """Return the columns of each ReLU layer as (first, last + 1), in order."""
        edges = [j for j in range(len(self.layer)) if j == 0 or self.layer[j] != self.layer[j - 1]]
        return list(zip(edges, [*edges[1:], len(self.layer)], strict=False))


@dataclass(frozen=True, eq=False)
class RowRegion(Region):
    """Bounds of the ReLUs of some rows, in units of these rows."""

    one = ONE


@dataclass(eq=False)
class RowFunctions:
    """Functions to bound from above: rows[f] times factor[f], on a region and under some phases.

    rows, factor: (functions,).
    below, above, beta: multipliers in units of 2**-GRID, (functions, k), or (1, k) for all functions.
    phase: of the same shape; 1 active, -1 inactive, 0 open.
    region: the bounds of the ReLUs' arguments.
    """

    rows: np.ndarray
    factor: np.ndarray
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray
    phase: np.ndarray
    region: RowRegion


def upper_bounds(language: Automaton, rows: NetworkRows, asked: RowFunctions) -> list[tuple[int, int]]:
    """Bound functions on all words of a language that have the given phases.

    language: not empty.
    rows: the network's rows; the region has lower <= upper for its ReLUs.
    asked: the functions, with below and above in [0, 2**GRID] and beta >= 0.

    Returns pairs (n, e) of integers, one per function; the bound is n / 2**e.  The algorithm is backward
    substitution (CROWN: Zhang et al. 2018, theorem 3.2) with betas for split ReLUs (Wang et al. 2021, theorem
    3.1), then a maximum over the automaton.
    """
    factor = integer_array(asked.factor)[:, None]
    relus = exact_product(rows.relus[asked.rows], factor)
    symbols = exact_product(rows.symbols[asked.rows], factor)
    constant = exact_product(rows.constant[asked.rows], factor[:, 0])
    shift = 0
    for first, end in reversed(rows.groups()):
        here, phase = relus[:, first:end], asked.phase[:, first:end]
        above, below = asked.above[:, first:end], asked.below[:, first:end]
        lower, upper = asked.region.lower[None, first:end], asked.region.upper[None, first:end]
        beta = exact_product(asked.beta[:, first:end], 1 << shift)
        plus, minus = np.maximum(here, 0), np.minimum(here, 0)
        lift = np.maximum(
            exact_product(above, exact_product(lower, -1)),
            exact_product(exact_sum(exact_product(above, -1), integer_array([[ONE]])), upper),
        )
        opened = exact_sum(exact_product(plus, above), exact_product(minus, below))
        passed = np.where(
            phase == 0,
            opened,
            np.where(phase > 0, exact_sum(exact_product(here, ONE), beta), exact_product(beta, -1)),
        )
        lifted = exact_product(plus, np.where(phase == 0, lift, 0))
        passed = integer_array(passed)
        constant = exact_sum(
            exact_product(constant, ONE),
            lifted.astype(object).sum(axis=1),
            exact_matmul(passed, rows.constant[first:end, None])[:, 0],
        )
        symbols = exact_sum(exact_product(symbols, ONE), exact_matmul(passed, rows.symbols[first:end]))
        relus = exact_sum(
            exact_product(relus[:, :first], ONE), exact_matmul(passed, rows.relus[first:end, :first])
        )
        shift += GRID
    best = maxima(language, symbols.reshape(len(symbols), language.length, language.symbol_count))
    return [(int(b) + int(c), shift) for b, c in zip(best, constant, strict=True)]


def proved_upper(
    language: Automaton,
    rows: NetworkRows,
    chosen: list[int],
    sign: int,
    region: RowRegion,
    *,
    intervals: bool = True,
) -> list[int]:
    """Bound sign * row from above by an integer, for each chosen row.

    Uses default multipliers, and interval arithmetic too if `intervals` is set; takes the smaller bound.
    """
    places, signs = np.array(chosen, dtype=np.int64), np.full(len(chosen), sign, dtype=np.int64)
    below, above, beta = (m[None] for m in region.defaults)
    asked = RowFunctions(places, signs, below, above, beta, region.phase[None], region)
    substituted = upper_bounds(language, rows, asked)
    if not intervals:
        return [n >> e for n, e in substituted]
    relus = exact_product(rows.relus[places], sign)
    highest = exact_matmul(np.maximum(relus, 0), np.maximum(region.upper, 0)[:, None])[:, 0]
    lowest = exact_matmul(np.minimum(relus, 0), np.maximum(region.lower, 0)[:, None])[:, 0]
    symbols = exact_product(rows.symbols[places], sign).reshape(
        len(chosen), language.length, language.symbol_count
    )
    interval = exact_sum(
        maxima(language, symbols), exact_product(rows.constant[places], sign), highest, lowest
    )
    return [min(int(i), n >> e) for i, (n, e) in zip(interval, substituted, strict=True)]


@dataclass(eq=False)
class Built:
    """One label's rows: the k unstable ReLUs, then one row per rival.

    lower, upper (k,): bounds of the ReLUs' arguments on the whole language.
    """

    rows: NetworkRows
    lower: np.ndarray
    upper: np.ndarray


def build(claim: WordClaim, label: int, language: Automaton) -> Built:
    """Build a label's rows from the claim; `language` is the label's words and not empty."""
    builder, rivals = _RowBuilder(claim, language), claim.decision.rivals(label)
    outputs = builder.outputs()
    leads, _ = builder.divided(
        builder.combined(integer_array([list(r.coefficients) for r in rivals]), outputs)
    )
    thresholds = integer_array([-r.threshold for r in rivals])  # 0 or 1, so they need no division
    leads = NetworkRows(leads.symbols, leads.relus, exact_sum(leads.constant, thresholds))
    return Built(builder.stacked(leads), integer_array(builder.lower), integer_array(builder.upper))


class _RowBuilder:
    """Builds the rows node by node, and collects the unstable ReLUs."""

    def __init__(self, claim: WordClaim, language: Automaton) -> None:
        self.claim, self.language = claim, language
        self.unstable: list[NetworkRows] = []  # one row each
        self.layers: list[int] = []
        self.lower: list[int] = []
        self.upper: list[int] = []

    def wide(self, rows: NetworkRows) -> np.ndarray:
        """Return the rows' ReLU coefficients with a column for every unstable ReLU found so far."""
        missing = len(self.unstable) - rows.relus.shape[1]
        return (
            np.concatenate([rows.relus, np.zeros((len(rows.constant), missing), dtype=np.int64)], axis=1)
            if missing
            else rows.relus
        )

    def combined(self, weights: np.ndarray, rows: NetworkRows) -> NetworkRows:
        """Return weights @ rows."""
        return NetworkRows(
            exact_matmul(weights, rows.symbols),
            exact_matmul(weights, self.wide(rows)),
            exact_matmul(weights, rows.constant[:, None])[:, 0],
        )

    def outputs(self) -> NetworkRows:
        """Return the rows of the network's outputs."""
        network, values = self.claim.network, [self._input()]
        for k, node in enumerate(network.nodes, start=1):
            if isinstance(node, Affine):
                weights, bias = network.integer_form(k)
                total = NetworkRows(
                    np.zeros((node.size, values[0].symbols.shape[1]), dtype=np.int64),
                    np.zeros((node.size, len(self.unstable)), dtype=np.int64),
                    bias,
                )
                for source, w in zip(node.sources, weights, strict=True):
                    part = self.combined(w, values[source])
                    symbols, relus = (
                        exact_sum(total.symbols, part.symbols),
                        exact_sum(self.wide(total), part.relus),
                    )
                    total = NetworkRows(symbols, relus, exact_sum(total.constant, part.constant))
                values.append(total)
            else:
                values.append(self._rectified(values[node.source], k))
        return values[-1]

    def _input(self) -> NetworkRows:
        """Return the input vector's rows: indicators of the word's symbols, constants for its context."""
        domain, language = self.claim.domain, self.language
        width, before = len(domain.alphabet), len(domain.prefix)
        symbols = np.zeros((domain.input_size, language.length * language.symbol_count), dtype=np.int64)
        for t in range(language.length):
            for s in range(language.symbol_count):
                symbols[(before + t) * width + s, t * language.symbol_count + s] = 1
        constant = domain.one_hot(np.zeros((1, domain.max_length), dtype=np.int64))[0].astype(np.int64)
        constant[before * width : (before + language.length) * width] = 0
        return NetworkRows(symbols, np.zeros((domain.input_size, 0), dtype=np.int64), constant)

    def stacked(self, rows: NetworkRows) -> NetworkRows:
        """Stack the arguments of all unstable ReLUs, then these rows."""
        parts = [*self.unstable, rows]
        return NetworkRows(
            integer_array(np.concatenate([p.symbols.astype(object) for p in parts])),
            integer_array(np.concatenate([self.wide(p).astype(object) for p in parts])),
            integer_array(np.concatenate([p.constant.astype(object) for p in parts])),
            tuple(self.layers),
        )

    def _rectified(self, rows: NetworkRows, layer: int) -> NetworkRows:
        """Return the rows of a layer's ReLUs, and add its unstable ReLUs to those collected."""
        count, known = len(rows.constant), len(self.unstable)
        divided, common = self.divided(rows)
        everything, places = self.stacked(divided), list(range(known, known + count))
        region = RowRegion(integer_array(self.lower), integer_array(self.upper))
        uppers = proved_upper(self.language, everything, places, 1, region)
        lowers = [-v for v in proved_upper(self.language, everything, places, -1, region)]
        out = NetworkRows(
            rows.symbols.astype(object),
            np.zeros((count, known + count), dtype=object),
            rows.constant.astype(object),
        )
        out.relus[:, :known] = self.wide(rows)
        here: dict[tuple[int, ...], int] = {}  # unstable ReLUs of this layer by their arguments
        for i in range(count):
            if lowers[i] >= 0:
                continue
            argument = tuple(map(int, (*divided.symbols[i], *divided.relus[i], divided.constant[i])))
            opposite = here.get(tuple(-v for v in argument)) if uppers[i] > 0 else None
            if opposite is not None:  # max(0, -x) = max(0, x) - x
                out.relus[i, opposite] = common[i]
                continue
            out.symbols[i], out.relus[i], out.constant[i] = 0, 0, 0
            if uppers[i] > 0:
                if argument not in here:
                    here[argument] = len(self.unstable)
                    self.unstable.append(
                        NetworkRows(
                            divided.symbols[i : i + 1],
                            divided.relus[i : i + 1, :known],
                            divided.constant[i : i + 1],
                        )
                    )
                    self.layers.append(layer)
                    self.lower.append(lowers[i])
                    self.upper.append(uppers[i])
                out.relus[i, here[argument]] = common[i]
        return NetworkRows(
            integer_array(out.symbols),
            integer_array(out.relus[:, : len(self.unstable)]),
            integer_array(out.constant),
        )

    def divided(self, rows: NetworkRows) -> tuple[NetworkRows, list[int]]:
        """Normalise rows; return them and the divisors.

        Each position's most frequent weight moves into the constant.  Then each row is divided by the
        greatest common divisor of its numbers.
        """
        length, width = self.language.length, self.language.symbol_count
        symbols = rows.symbols.astype(object).reshape(len(rows.constant), length, width).copy()
        constant, relus = rows.constant.astype(object).copy(), self.wide(rows).astype(object).copy()
        common = []
        for t in range(length):
            present = sorted({s for _, s, _ in self.language.edges[t]})
            for i in range(len(constant)):
                weights = [int(symbols[i, t, s]) for s in present]
                # Of equally frequent weights, take the first symbol's: -x then has the form of x, negated.
                usual = max(weights, key=weights.count)
                symbols[i, t] = 0
                symbols[i, t, present] = [w - usual for w in weights]
                constant[i] += usual
        flat = symbols.reshape(len(constant), length * width)
        for i in range(len(constant)):
            g = math.gcd(*map(int, flat[i]), *map(int, relus[i]), int(constant[i])) or 1
            flat[i], relus[i], constant[i] = flat[i] // g, relus[i] // g, constant[i] // g
            common.append(g)
        return NetworkRows(integer_array(flat), integer_array(relus), integer_array(constant)), common
