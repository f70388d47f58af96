"""Comparisons of softmax results, as comparisons of the logits before them.

`head_property` uses this.  A linear row over the results, multiplied by the denominators of its softmaxes,
says that sum_k c_k e^(f_k) >= 0, with rational c_k and linear forms f_k of the logits (`Exponentials`).  Let
P be the terms with c > 0 and N those with c < 0, and let v on P and w on N be positive numbers of sum 1.
Then the row implies that for some p in P

    f_p + ln(c_p / v_p) >= sum_n w_n (f_n + ln(|c_n| / w_n)),

because some p has at least the share v_p of the sum over N, and the logarithm of a mean is at least the mean
of the logarithms.  If there is one term on either side, this is the row itself.  If not, it is an outer
approximation, which better v and w (`ShareCut`) bring as close as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

from ...common.errors import Unsupported
from ..network.enclosures import exp, log
from ..network.head import ZERO, Element, LogSoftmaxShare, Plain, SoftmaxShare
from .condition import Linear
from .property import Row

BITS = 128  # of logarithms in rows
MOST_BITS = (
    1 << 13
)  # of exponentials, in which their sums may be too close to 0 to tell: some milliseconds each
MOST_TERMS = 256
MOST_ALTERNATIVES = 500

Key = tuple[tuple[tuple[str, int], Fraction], ...]  # the linear part of a form
Weights = tuple[Fraction, ...]


@dataclass(frozen=True)
class Exponentials:
    """sum of factor * e^form >= 0, or > 0 where `strict`; no two forms are the same, and no factor is 0."""

    terms: tuple[tuple[Fraction, Linear], ...]
    strict: bool

    def holds(self, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> bool:
        """Return whether it holds, exactly.

        A sum of e^q with distinct rational q and rational factors other than 0 is never 0 (the theorem of
        Lindemann and Weierstrass).  So the precision is doubled until the sign is certain.

        Raises Unsupported where that would take more than MOST_BITS.
        """
        merged: dict[Fraction, Fraction] = {}
        for factor, form in self.terms:
            at = value(form, inputs, logits)
            merged[at] = merged.get(at, Fraction(0)) + factor
        left = {at: factor for at, factor in merged.items() if factor}
        if not left:
            return not self.strict
        if all(f > 0 for f in left.values()) or all(f < 0 for f in left.values()):
            return next(iter(left.values())) > 0
        highest, bits = max(left), 64
        while bits <= MOST_BITS:
            low = high = Fraction(0)
            for at, factor in left.items():
                ends = [factor * e for e in exp(at - highest, bits)]
                low, high = low + min(ends), high + max(ends)
            if low > 0 or high < 0:
                return low > 0
            bits *= 2
        raise Unsupported(f"a threshold is what the network gives, as far as {MOST_BITS} bits tell")

    @property
    def sides(self) -> tuple[list[tuple[Fraction, Linear]], list[tuple[Fraction, Linear]]]:
        return [t for t in self.terms if t[0] > 0], [(-f, form) for f, form in self.terms if f < 0]


def value(form: Linear, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> Fraction:
    total = form.constant
    for (kind, i), factor in form.terms.items():
        total += factor * (inputs if kind == "X" else logits)[i]
    return total


def translated(row: Row, elements: Sequence[Element]) -> Row | Exponentials:
    """Return a row over results, none of which is an argmax, as one over inputs and logits.

    Raises Unsupported.
    """
    linear = Linear({("X", i): c for i, c in row.x}, row.constant)
    shares: dict[tuple[int, ...], dict[int, Fraction]] = {}
    logs: dict[tuple[int, ...], Fraction] = {}
    for j, c in row.y:
        element = elements[j]
        if isinstance(element, Plain):
            linear = linear.plus(logit(element.index), c)
        elif isinstance(element, LogSoftmaxShare):
            linear = linear.plus(logit(element.group[element.member]), c)
            logs[element.group] = logs.get(element.group, Fraction(0)) + c
        elif isinstance(element, SoftmaxShare):
            own = shares.setdefault(element.group, {})
            own[element.member] = own.get(element.member, Fraction(0)) + c * element.factor
            linear = linear.plus(Linear({}, c * element.offset))
    shares = {group: own for group, own in shares.items() if any(own.values())}
    logs = {group: c for group, c in logs.items() if c}
    if not shares and not logs:
        return plain_row(linear, row.strict)
    if not logs and not linear.terms:
        return _of_shares(shares, linear.constant, row.strict)
    if not shares and len(logs) == 1:
        return _of_logs(*next(iter(logs.items())), linear, row.strict)
    raise Unsupported(
        "a row of the property adds what Softmax, Sigmoid or Tanh gives to inputs or to other values, "
        "which is no comparison of logits"
    )


def logit(i: int) -> Linear:
    return Linear() if i == ZERO else Linear({("Y", i): Fraction(1)})


def plain_row(form: Linear, strict: bool) -> Row:
    x, y = (tuple((i, c) for (kind, i), c in sorted(form.terms.items()) if kind == k) for k in "XY")
    return Row(x, y, form.constant, strict)


def _of_shares(
    shares: dict[tuple[int, ...], dict[int, Fraction]], constant: Fraction, strict: bool
) -> Exponentials:
    """constant + sum over groups of (sum of c e^z) / (sum of e^z) >= 0, times all sums."""
    groups = list(shares)
    if prod(map(len, groups)) > MOST_TERMS:
        raise Unsupported(
            f"a row of the property relates softmaxes of {' x '.join(str(len(g)) for g in groups)} values, "
            f"over {MOST_TERMS}"
        )
    terms = []
    for members in product(*(range(len(g)) for g in groups)):
        factor = constant + sum(
            (shares[g].get(m, Fraction(0)) for g, m in zip(groups, members, strict=True)), Fraction(0)
        )
        form = Linear()
        for g, m in zip(groups, members, strict=True):
            form = form.plus(logit(g[m]))
        terms.append((factor, form))
    return _merged(terms, strict)


def _of_logs(group: tuple[int, ...], factor: Fraction, linear: Linear, strict: bool) -> Exponentials:
    """linear - factor * ln(sum of e^z) >= 0."""
    sign = Fraction(1 if factor > 0 else -1)
    return _merged([(sign, linear.times(1 / factor)), *((-sign, logit(i)) for i in group)], strict)


def _merged(terms: Sequence[tuple[Fraction, Linear]], strict: bool) -> Exponentials:
    """Add up the terms of equal forms, and divide all by the size of one factor.

    If all factors are the same in size, their logarithms are then exactly 0.
    """
    found: dict[tuple[Key, Fraction], tuple[Fraction, Linear]] = {}
    for factor, form in terms:
        key = tuple(sorted(form.terms.items())), form.constant
        found[key] = found.get(key, (Fraction(0), form))[0] + factor, form
    left = [(f, form) for f, form in found.values() if f]
    unit = next((-f for f, _ in left if f < 0), Fraction(1))
    return Exponentials(tuple((f / unit, form) for f, form in left), strict)


@dataclass(frozen=True)
class ShareCut:
    """Shares of the terms in P (`positive`, the v) and in N (`negative`, the w); each sums to 1."""

    positive: Weights
    negative: Weights


def outwards(row: Exponentials, cuts: Sequence[ShareCut] = ()) -> list[list[Row]]:
    """Return conjunctions of linear rows, one of which holds wherever the row does.

    There is none if the row never holds.  Exact if the row has one term on either side.
    """
    above, below = row.sides
    if not above:
        return [[]] if not below and not row.strict else []
    if not below:
        return [[]]
    negative = [tuple(Fraction(int(k == n)) for k in range(len(below))) for n in range(len(below))]
    if len(below) > 1:
        negative = list(dict.fromkeys([*negative, _evenly(len(below)), *(c.negative for c in cuts)]))
    positive = [_evenly(len(above)), *(c.positive for c in cuts)] if len(above) > 1 else [_evenly(1)]
    return [
        [_implied(row, p, part, w) for p, part in enumerate(some) if part for w in negative]
        for some in _parts(positive, len(above))
    ]


def _evenly(count: int) -> Weights:
    return (Fraction(1, count),) * count


def _parts(positive: Sequence[Weights], count: int) -> list[Weights]:
    """Return, for each way to choose one term p from every v, the share that each term must have.

    The share is 0 for a term that was not chosen.  Ways that another way implies are left out.
    """
    found: list[Weights] = [(Fraction(0),) * count]
    for v in dict.fromkeys(positive):
        more = {
            tuple(max(old, v[p]) if k == p else old for k, old in enumerate(some))
            for some in found
            for p in range(count)
        }
        found = [
            a
            for a in more
            if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in more)
        ]
        if len(found) > MOST_ALTERNATIVES:
            raise Unsupported(
                f"in terms of logits a row of the property has more than {MOST_ALTERNATIVES} alternatives"
            )
    return sorted(found)


def _implied(row: Exponentials, p: int, part: Fraction, w: Weights) -> Row:
    """If term p is at least that part of what N sums up to."""
    above, below = row.sides
    factor, form = above[p]
    low, high = log(factor / part, BITS)
    constant, exact = high, low == high
    for share, (less, other) in zip(w, below, strict=True):
        if share:
            form = form.plus(other, -share)
            low, high = log(less / share, BITS)
            constant, exact = constant - share * low, exact and low == high
    single = len(above) == len(below) == 1
    return plain_row(form.plus(Linear({}, constant)), row.strict and exact and single)


def cut_at(row: Exponentials, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> ShareCut:
    """The cut that is tight at a point."""
    parts = []
    for side in row.sides:
        at = [value(form, inputs, logits) for _, form in side]
        sizes = [
            f * max(exp(a - max(at), 32)[1], Fraction(1, 1 << 64)) for (f, _), a in zip(side, at, strict=True)
        ]
        rounded = [max(1, round(s / sum(sizes) * (1 << 20))) for s in sizes]
        parts.append(tuple(Fraction(r, sum(rounded)) for r in rounded))
    return ShareCut(*parts)
