"""A network on a subdomain of a box, exactly: linear functions of inputs and open ReLUs.

`systems.py` makes linear systems of them for `last_word.py`.  ReLUs whose phase is known are substituted;
those that are multiples of each other, or of each other's negation, share one variable; all others have a
variable of their own, with an exact range.  Everything is in integers: values of nodes over `Network.scales`,
ranges over one scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ....models.network.integers import exact_matmul, exact_product, integer_array
from ....models.network.network import Affine, Network, Relu
from .lp import TooMuchWork, Work, largest

PLACES = 64  # places after the binary point that proved bounds keep; they are rounded outwards
PER_LAYER = 64  # work of any layer, in numbers of a tableau
PRODUCTS = 8  # products that take as long as one number of a tableau
MOST_ENTRIES = 1 << 22  # entries of a layer's matrices
MOST_VARIABLES = 1024
LARGEST = 2.0**300  # no value is beyond it (`floats.HOPELESS`)


@dataclass(frozen=True, eq=False)
class ExactSubdomain:
    """The box low <= x <= high, restricted to phases of ReLUs.

    phase: (neurons,), 1 or -1 if a split says so, else 0.
    lower, upper: (neurons,), floats; proved bounds of the ReLUs' inputs on the subdomain.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    phase: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def decided(self) -> np.ndarray:
        """The phases that splits or bounds say, (neurons,): 1, -1, or 0 if neither does."""
        known = np.where(self.lower >= 0, 1, np.where(self.upper <= 0, -1, 0))
        return np.where(self.phase != 0, self.phase, known)


@dataclass(frozen=True, eq=False)
class Argument:
    """The input of a neuron: (row . variables + constant) * factor / scale.

    low, high: the range of row . variables + constant, times the scale of the forms.
    phase: 1 or -1 if a split says so, else 0.
    variable: the variable of the neuron's output, by the same factor; None if its phase is known.
    """

    neuron: int
    row: np.ndarray
    constant: int
    factor: int
    scale: int
    low: int
    high: int
    phase: int
    variable: int | None


# a place in a ReLU node, and its value: a sum of (variable, factor) and a constant
_Stop = tuple[int, list[tuple[int, int]], int]


class Forms:
    """The variables of a network on a subdomain, and its values as linear functions of them.

    Args:
        plain: give every ReLU whose phase is not known a variable of its own, as proof files do.
        first: treat the ReLUs of nodes before this one as variables of which only the proved range is known
            (for large networks).

    `low` and `high` (variables,) are ranges of the inputs, then of the open ReLUs, times `scale`.

    Raises TooMuchWork.
    """

    def __init__(
        self,
        network: Network,
        subdomain: ExactSubdomain,
        budget: Work,
        *,
        plain: bool = False,
        first: int = 0,
    ) -> None:
        self.network, self.subdomain, self._budget, self._plain = network, subdomain, budget, plain
        common = math.lcm(1 << PLACES, *(v.denominator for v in (*subdomain.low, *subdomain.high)))
        self.scale = common
        self.low = [int(v * common) for v in subdomain.low]
        self.high = [int(v * common) for v in subdomain.high]
        self.arguments: list[Argument] = []
        self._seen: dict[tuple[int, ...], Argument] = {}
        # for each ReLU node: the places where the argument passes, and the values at the others
        self._held: dict[int, tuple[np.ndarray, list[_Stop]]] = {}
        self._integer: dict[int, tuple[list[np.ndarray], np.ndarray]] = {}
        read, decided, begin = _read_from(network, first), subdomain.decided, 0
        for k, node in enumerate(network.nodes, start=1):
            if isinstance(node, Relu):
                places = slice(begin, begin + network.sizes[k])
                begin = places.stop
                if k in read:
                    new = int((decided[places] == 0).sum()) if k >= first else network.sizes[k]
                    if new + len(self.low) > MOST_VARIABLES:
                        raise TooMuchWork
                    if k < first:
                        self._as_given(k, places)
                    else:
                        self._layer(k, places.start, decided[places])

    @property
    def open(self) -> list[Argument]:
        """The ReLUs that are variables."""
        return [a for a in self.arguments if a.variable is not None]

    def _as_given(self, k: int, places: slice) -> None:
        """Make variables of ReLU node k, with the ranges that are proved."""
        scale, stops = self.network.scales[k], list[_Stop]()
        for place, ends in enumerate(
            zip(self.subdomain.lower[places], self.subdomain.upper[places], strict=True)
        ):
            low, high = (min(max(float(v), 0.0), LARGEST) for v in ends)
            stops.append((place, [(len(self.low), 1)], 0))
            self.low.append(int(Fraction(low) * scale * self.scale))
            self.high.append(-int(-Fraction(high) * scale * self.scale // 1))
        self._held[k] = np.zeros(self.network.sizes[k], dtype=np.int64), stops

    def _layer(self, k: int, first: int, decided: np.ndarray) -> None:
        """Find the arguments of ReLU node k, and what its outputs are: known, shared or new variables."""
        self._budget.spend(PER_LAYER)
        network, subdomain = self.network, self.subdomain
        source = network.nodes[k - 1].source  # type: ignore[union-attr]
        passes = np.where(decided > 0, 1, 0)
        needed = np.flatnonzero((decided == 0) | (subdomain.phase[first : first + len(decided)] != 0))
        stops: list[_Stop] = []
        if len(needed):
            chosen = np.zeros((len(needed), network.sizes[source]), dtype=np.int64)
            chosen[np.arange(len(needed)), needed] = 1
            rows, constants = self.carried({source: chosen}, np.zeros(len(needed), dtype=np.int64))
            width = len(self.low)
            low, high = (np.array(ends, dtype=object) for ends in (self.low, self.high))
            tops = largest(rows, constants, low, high, self.scale)
            bottoms = -largest(-rows, -constants, low, high, self.scale)
            for n, place in enumerate(needed.tolist()):
                j, scale = first + place, network.scales[source]
                ends = self._ends(j, int(bottoms[n]), int(tops[n]), scale)
                phase = int(subdomain.phase[j])
                if phase == 0 and not self._plain and (ends[0] >= 0 or ends[1] <= 0):
                    passes[place] = int(ends[0] >= 0)
                    continue
                factor = math.gcd(int(np.gcd.reduce(rows[n, :width])), int(constants[n])) or 1
                row, constant = rows[n] // factor, int(constants[n]) // factor
                within = min(ends[0] // factor, 0), max(-(-ends[1] // factor), 0)
                key = _key(row, constant)
                same, other = (
                    None if self._plain else self._seen.get(k) for k in (key, tuple(-v for v in key))
                )
                variable = None
                if phase == 0 and same is not None:
                    if same.variable is None:
                        passes[place] = int(same.phase > 0)
                    else:
                        stops.append((place, [(same.variable, factor)], 0))
                    continue
                if phase == 0 and other is not None:
                    if other.variable is None:
                        passes[place] = int(other.phase < 0)
                    else:  # relu(p) = p + relu(-p)
                        terms = [(int(v), factor * int(row[v])) for v in np.flatnonzero(row)]
                        stops.append((place, [*terms, (other.variable, factor)], factor * constant))
                    continue
                if phase == 0:
                    variable = len(self.low)
                    self.low.append(0)
                    self.high.append(within[1])
                    stops.append((place, [(variable, factor)], 0))
                self.arguments.append(Argument(j, row, constant, factor, scale, *within, phase, variable))
                self._seen.setdefault(key, self.arguments[-1])
        self._held[k] = passes, stops

    def _ends(self, j: int, low: int, high: int, scale: int) -> tuple[int, int]:
        """Return the range of a neuron's argument, by its form and by what is proved of it."""
        below, above = float(self.subdomain.lower[j]), float(self.subdomain.upper[j])
        if math.isfinite(below):
            numerator, denominator = below.as_integer_ratio()
            low = max(low, numerator * scale * self.scale // denominator)
        if math.isfinite(above):
            numerator, denominator = above.as_integer_ratio()
            high = min(high, -(-numerator * scale * self.scale // denominator))
        return low, high

    def carried(
        self, functions: dict[int, np.ndarray], constant: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return sums of functions of nodes as functions of the variables.

        functions: for each node, integer coefficients of its numerators, (functions, size).
        constant: (functions,).

        Returns coefficients (functions, variables) and constants (functions,).
        """
        network, waiting = self.network, dict(functions)
        count = len(constant)
        total = constant.astype(object)
        found = np.zeros((count, len(self.low)), dtype=object)

        def add(k: int, value: np.ndarray) -> None:
            waiting[k] = waiting[k].astype(object) + value if k in waiting else value

        for k in range(max(waiting), 0, -1):
            given = waiting.pop(k, None)
            if given is None:
                continue
            node = network.nodes[k - 1]
            if isinstance(node, Relu):
                passes, stops = self._held[k]
                for place, terms, more in stops:
                    column = given[:, place].astype(object)
                    for variable, factor in terms:
                        found[:, variable] += column * factor
                    total = total + column * more
                if passes.any():
                    add(node.source, given * passes)
                continue
            weights, bias = self._affine(k, node)
            total = total + exact_matmul(given, bias[:, None])[:, 0].astype(object)
            for s, w in zip(node.sources, weights, strict=True):
                self._budget.spend(count * w.size // PRODUCTS)
                add(s, exact_matmul(integer_array(given), w))
        if 0 in waiting:
            found[:, : network.input_size] += waiting[0].astype(object)
        return found, total

    def _affine(self, k: int, node: Affine) -> tuple[list[np.ndarray], np.ndarray]:
        """Return what `Network.integer_form` gives, for this node alone."""
        if k not in self._integer:
            if sum(m.shape[0] * m.shape[1] for m in node.matrices) > MOST_ENTRIES:
                raise TooMuchWork
            scales = self.network.scales
            common = scales[k] // node.denominator
            weights = [
                exact_product(w, common // scales[s]) for s, w in zip(node.sources, node.weights, strict=True)
            ]
            self._integer[k] = weights, exact_product(node.bias, common)
        return self._integer[k]


def _read_from(network: Network, first: int) -> set[int]:
    """Return the ReLU nodes that matter: those from `first` on, and those that they or the outputs read."""
    found: set[int] = set()
    waiting = {len(network.nodes)}
    for k in range(len(network.nodes), 0, -1):
        node = network.nodes[k - 1]
        if k in waiting:
            if isinstance(node, Relu):
                found.add(k)
                waiting |= {node.source} if k >= first else set()
            else:
                waiting |= set(node.sources)
    return found


def _key(row: np.ndarray, constant: int) -> tuple[int, ...]:
    """The constant, then the coefficients without trailing zeros: the same form among more variables."""
    last = np.flatnonzero(row)[-1] + 1 if row.any() else 0
    return (constant, *map(int, row[:last]))
