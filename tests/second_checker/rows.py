"""Rows of a label (docs/reference/proof-format.md, 3) and their bounds (5), walked backwards one at a time
over rationals.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from flint import fmpq

from .claim import Claim
from .onnx_file import Form, Network
from .words import Part

OPEN, ACTIVE, INACTIVE = "open", "active", "inactive"


@dataclass
class Row:
    """sum S[t, s] [word[t] = s] + sum R[j] y_j + C; rational while rows are combined, integers in normal
    form.
    """

    symbols: dict[tuple[int, int], fmpq] = field(default_factory=dict)
    relus: dict[int, fmpq] = field(default_factory=dict)
    const: fmpq = field(default_factory=lambda: fmpq(0))

    def add(self, factor: fmpq, other: Row) -> None:
        for k, v in other.symbols.items():
            self.symbols[k] = self.symbols.get(k, 0) + factor * v
        for j, v in other.relus.items():
            self.relus[j] = self.relus.get(j, 0) + factor * v
        self.const += factor * other.const

    def times(self, factor: fmpq | int) -> Row:
        out = Row()
        out.add(fmpq(factor), self)
        return out

    def key(self) -> tuple:
        return (
            frozenset((k, int(v)) for k, v in self.symbols.items() if v),
            frozenset((j, int(v)) for j, v in self.relus.items() if v),
            int(self.const),
        )

    def primitive(self) -> tuple[Row, fmpq]:
        """self = factor * row of integers without a common divisor, factor > 0."""
        numbers = [*self.symbols.values(), *self.relus.values(), fmpq(self.const)]
        d = math.lcm(*(int(x.q) for x in numbers))
        g = math.gcd(*(int(x * d) for x in numbers)) or 1
        factor = fmpq(g, d)
        return Row(
            {k: v / factor for k, v in self.symbols.items() if v},
            {j: v / factor for j, v in self.relus.items() if v},
            self.const / factor,
        ), factor

    def normal(self, present: list[list[int]]) -> tuple[Row, fmpq]:
        """The normal form, and the factor that was divided out."""
        out = Row({}, dict(self.relus), self.const)
        for t, symbols in enumerate(present):
            weights = {s: self.symbols.get((t, s), fmpq(0)) for s in symbols}
            how_often = Counter((int(w.p), int(w.q)) for w in weights.values())
            most = max(how_often.values())
            commonest = next(
                weights[s] for s in symbols if how_often[int(weights[s].p), int(weights[s].q)] == most
            )
            out.const += commonest
            out.symbols |= {(t, s): w - commonest for s, w in weights.items()}
        return out.primitive()


@dataclass
class Rows:
    """Everything that is fixed for one label."""

    relus: list[Row]  # arguments of the unstable ReLUs
    layers: list[list[int]]
    rivals: list[Row]
    bounds: list[tuple[int, int]]


Bounds = list[tuple[int, int]]


def greatest(part: Part, symbols: dict[tuple[int, int], fmpq]) -> fmpq:
    d = math.lcm(*(int(x.q) for x in symbols.values()))
    weights: dict[int, dict[int, int]] = {}
    for (t, s), v in symbols.items():
        weights.setdefault(t, {})[s] = int(v * d)
    return fmpq(part.maximum(weights), d)


def phases_by(bounds: Bounds) -> list[str]:
    return [ACTIVE if l >= 0 else INACTIVE if u <= 0 else OPEN for l, u in bounds]


def by_multipliers(
    row: Row,
    rows: list[Row],
    bounds: Bounds,
    phases: list[str],
    below: list[int],
    above: list[int],
    beta: list[int],
    part: Part,
) -> fmpq:
    """An upper bound of the row on the part's words that have the phases."""
    total = Row(dict(row.symbols), dict(row.relus), fmpq(row.const))
    for j in range(len(rows) - 1, -1, -1):  # a ReLU's argument has only ReLUs before it
        c = fmpq(total.relus.pop(j, 0))
        a, s, b = fmpq(below[j], 256), fmpq(above[j], 256), fmpq(beta[j], 256)
        l, u = bounds[j]
        if phases[j] == ACTIVE:
            factor = c + b
        elif phases[j] == INACTIVE:
            factor = -b
        elif c > 0:
            factor = c * s
            total.const += c * max(-s * l, (1 - s) * u)
        else:
            factor = c * a
        if factor:
            total.add(factor, rows[j])
    return greatest(part, total.symbols) + total.const


def default_multipliers(bounds: Bounds) -> tuple[list[int], list[int]]:
    """below and above."""
    above = [max(0, min(256, (256 * u + (u - l) // 2) // max(1, u - l))) for l, u in bounds]
    return [256 if u + l > 0 else 0 for l, u in bounds], above


def by_default_multipliers(row: Row, rows: list[Row], bounds: Bounds, part: Part) -> int:
    k = max(row.relus, default=-1) + 1
    below, above = default_multipliers(bounds[:k])
    return int(
        by_multipliers(row, rows[:k], bounds[:k], phases_by(bounds[:k]), below, above, [0] * k, part).floor()
    )


def by_default(row: Row, rows: list[Row], bounds: Bounds, part: Part) -> int:
    """The default rule's upper bound."""
    interval = greatest(part, row.symbols) + row.const
    for j, c in row.relus.items():
        l, u = bounds[j]
        interval += c * (max(u, 0) if c > 0 else max(l, 0))
    return min(int(interval.floor()), by_default_multipliers(row, rows, bounds, part))


def both(row: Row, rows: list[Row], bounds: Bounds, part: Part, rule=by_default) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Lower and upper bound."""
    return -rule(row.times(-1), rows, bounds, part), rule(row, rows, bounds, part)


def of_label(claim: Claim, network: Network, part: Part, c: int) -> Rows:
    present = [sorted({s for _, s, _ in edges}) for edges in part.edges]
    inputs: list[Row] = []  # the network's inputs as rows: fixed around the word, its symbols inside
    first, last = len(claim.prefix), len(claim.prefix) + claim.longest
    for p in range(claim.positions):
        for s in range(claim.alphabet):
            if first <= p < last:
                inputs.append(Row({(p - first, s): fmpq(1)}) if s in present[p - first] else Row())
            else:
                fixed = claim.prefix[p] if p < first else claim.suffix[p - last]
                inputs.append(Row(const=fmpq(int(fixed == s))))
    values = list(inputs)

    def combined(form: Form) -> Row:
        out = Row(const=fmpq(form.const))
        for v, factor in form.terms.items():
            out.add(factor, values[v])
        return out

    relus: list[Row] = []
    layers: list[list[int]] = []
    bounds: Bounds = []
    for arguments in network.relus:
        found: list[tuple[Row, tuple[int, int]]] = []
        numbers: dict[tuple, int] = {}  # of this node's new ReLUs, by their arguments
        new_values = []
        for form in arguments:
            argument = combined(form)
            row, factor = argument.normal(present)
            l, u = both(row, relus, bounds, part)
            if l >= 0:
                new_values.append(argument)
            elif u <= 0:
                new_values.append(Row())
            elif (turned := row.times(-1).key()) in numbers:
                twin = Row(relus={numbers[turned]: factor})
                twin.add(fmpq(1), argument)
                new_values.append(twin)
            else:
                if row.key() not in numbers:
                    numbers[row.key()] = len(relus) + len(found)
                    found.append((row, (l, u)))
                new_values.append(Row(relus={numbers[row.key()]: factor}))
        values += new_values
        layers.append(list(range(len(relus), len(relus) + len(found))))
        relus += [row for row, _ in found]
        bounds += [b for _, b in found]
    rivals = []
    for combination, threshold in claim.rivals(c):
        row = Row()
        for column, sign in combination.items():
            row.add(fmpq(sign), combined(network.outputs[column]))
        row, _ = row.normal(present)
        row.const -= threshold
        rivals.append(row)
    return Rows(relus, [layer for layer in layers if layer], rivals, bounds)
