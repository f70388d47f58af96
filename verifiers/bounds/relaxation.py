"""The linear relaxation of a ReLU, for backward passes and for forward passes of the relaxed network.

Every pass that bounds a network uses this one step: words (`word_bounds.py`), boxes (`box_bounds.py`,
`descend.py`), the difference of two networks (`difference.py`), and the floating-point half of
`engines/reach`.  For y = max(0, x) with lower <= x <= upper:

    lower < 0 < upper    below * x <= y <= above * x + lift    for below, above in [0, 1]
    x >= 0               y = x
    x <= 0               y = 0

with lift = max(-above * lower, (1 - above) * upper).

A coefficient a >= 0 of y takes the upper line, a < 0 the lower one (CROWN: Zhang et al. 2018, theorem 3.2;
slopes that are optimised, alpha-CROWN: Xu et al. 2021).  Where the sign of x is known, from a split or from
its bounds, sign * x >= 0 may be added with a multiplier beta >= 0 (beta-CROWN: Wang et al. 2021, theorem
3.1).  The lines are sound for every such above, below and beta, which are searched for roughly.

All functions are plain numpy on arrays (functions, neurons) and know nothing of input sets or of networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .floats import FLOOR, UNIT

Index = slice | np.ndarray


@dataclass(frozen=True, eq=False)
class CutPlanes:
    """Upper planes of a layer's neurons by the values of node `source` (`cuts.py`): y <= slopes . values +
    offset.

    `owner` (planes, neurons): 1 where a plane is the neuron's; `slopes` (planes, size of the source);
    `offset` (planes,); `error` (planes,): what carrying one unit of it may be off by.  `weight` (functions,
    planes): how much of its neuron's coefficient each plane asks for.
    """

    source: int
    owner: np.ndarray
    slopes: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    weight: np.ndarray

    def __getitem__(self, functions: Index) -> CutPlanes:
        weight = self.weight[functions]
        return CutPlanes(self.source, self.owner, self.slopes, self.offset, self.error, weight)

    def taken(self, plus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share out positive coefficients `plus` (functions, neurons): what each plane takes, and at least
        what is left.

        Planes that ask for more than there is share it.
        """
        wanted = self.weight @ self.owner
        with np.errstate(all="ignore"):
            share = np.where(wanted > plus, plus / wanted, 1.0)
        weight = self.weight * (share @ self.owner.T)
        # All planes lie above y >= 0, so together they may take more than there is, but never less.
        left = np.maximum(plus - weight @ self.owner + (8 + 4 * len(self.owner)) * UNIT * plus, 0)
        return weight, left


@dataclass(frozen=True, eq=False)
class ReluRelaxation:
    """y <= above * x + lift and y >= below * x, of many neurons at once; arrays (functions or subdomains,
    neurons).

    Settled neurons have above = below = 1 or 0, and lift 0.  `signed_beta`: the sign of each neuron's x times
    its beta, None where no sign is known.  `gap`: how far y can be above the lower line; for branching only.
    `planes`: other upper bounds, which take some of the positive coefficients; they hold on the whole box.
    """

    above: np.ndarray
    below: np.ndarray
    lift: np.ndarray
    signed_beta: np.ndarray | None = None
    gap: np.ndarray | None = None
    planes: CutPlanes | None = None

    def __getitem__(self, rows: Index) -> ReluRelaxation:
        """Of some functions or subdomains."""
        beta, gap, planes = (
            None if v is None else v[rows] for v in (self.signed_beta, self.gap, self.planes)
        )
        return ReluRelaxation(self.above[rows], self.below[rows], self.lift[rows], beta, gap, planes)  # type: ignore[arg-type]

    def columns(self, neurons: Index) -> ReluRelaxation:
        """Of some neurons (of a slice: views), without `gap` and `planes`."""
        beta = None if self.signed_beta is None else self.signed_beta[:, neurons]
        return ReluRelaxation(self.above[:, neurons], self.below[:, neurons], self.lift[:, neurons], beta)

    def for_functions(self, subdomain: np.ndarray) -> ReluRelaxation:
        """From one row for each subdomain to one for each function on subdomain `subdomain` (functions,);
        without `gap` and `planes`.
        """
        given = (self.above, self.below, self.lift, self.signed_beta)
        if len(self.above) == 1:  # all functions live on one subdomain: views are enough
            shape = (len(subdomain), self.above.shape[1])
            above, below, lift, beta = (None if v is None else np.broadcast_to(v, shape) for v in given)
        else:
            above, below, lift, beta = (None if v is None else v[subdomain] for v in given)
        return ReluRelaxation(above, below, lift, beta)  # type: ignore[arg-type]

    def flat(self) -> ReluRelaxation:
        """The same with the lower line y >= 0 for every open neuron."""
        below = np.where(self.lift > 0, 0.0, self.below)
        return ReluRelaxation(self.above, below, self.lift, self.signed_beta, self.gap)

    def backward(self, plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
        """From coefficients of y, split into max(a, 0) and min(a, 0), to coefficients of x.

        The constant to add is the sum of plus * lift.
        """
        passed: np.ndarray = plus * self.above
        passed += minus * self.below
        if self.signed_beta is not None:
            passed += self.signed_beta
        return passed

    def forward(self, a: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The relaxed y for arguments x, on the line that coefficients a of y chose."""
        result: np.ndarray = np.where(a >= 0, self.above * x + self.lift, self.below * x)
        return result

    def excess(self, a: np.ndarray, x: np.ndarray) -> np.ndarray:
        """By how much coefficients a times the relaxed y exceed a times the true one for arguments x, betas
        included.  For branching only.
        """
        beta = 0.0 if self.signed_beta is None else self.signed_beta * x
        result: np.ndarray = a * (self.forward(a, x) - np.maximum(x, 0)) + beta
        return result

    def losses(self, a: np.ndarray) -> np.ndarray:
        """What replacing y with coefficients a may have cost at worst.  For branching only; needs `gap`."""
        result: np.ndarray = np.maximum(a, 0) * self.lift + np.maximum(-a, 0) * self.gap
        return result


def lift_of(above: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The constant of the upper line with slope `above` of an open neuron."""
    result: np.ndarray = np.maximum(-above * lower, (1 - above) * upper)
    return result


def first_lower_slopes(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The lower line that loses less area: slope 1 where the neuron is more often on than off, else 0 (Zhang
    et al. 2018).
    """
    return (upper > -lower).astype(np.float64)


def triangle(
    lower: np.ndarray,
    upper: np.ndarray,
    below: np.ndarray | None = None,
    signed_beta: np.ndarray | None = None,
) -> ReluRelaxation:
    """The triangle's upper edge, lifted outwards against rounding, and lower slopes `below` (the first ones
    where none are given).
    """
    active, dead = lower >= 0, upper <= 0
    is_open = ~(active | dead)
    with np.errstate(invalid="ignore", divide="ignore"):
        above = np.where(is_open, np.clip(upper / (upper - lower), 0, 1), active)
    lift = np.where(is_open, lift_of(above, lower, upper) * (1 + 8 * UNIT) + FLOOR, 0.0)
    low = first_lower_slopes(lower, upper) if below is None else below
    gap = np.where(is_open, np.maximum((1 - low) * upper, -low * lower), 0.0)
    return ReluRelaxation(above, np.where(is_open, low, active), lift, signed_beta, gap)
