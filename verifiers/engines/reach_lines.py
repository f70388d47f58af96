"""Linear upper bounds of goals for entries of `reach`: backward substitution from the goals, the rest of the word by dynamic programming.

Entries are taken in clusters.  Within a cluster, each open ReLU lies between bounds; its output, times a coefficient a >= 0, is
at most w * argument + max(-w * lower, (a - w) * upper) for every integer w in 0 .. a, and times a < 0 at most w * argument for every
w in a .. 0.  So any integers will do: rounding loses nothing but tightness.  (`docs/reach.md` says why that holds for rounded and
merged entries, too.)
"""

from __future__ import annotations

import numpy as np

from .reach_frontier import Frontier
from .reach_problem import SAFE, SHALLOW, Problem

BITS = 10  # after the point, of coefficients
CLUSTER = 200  # entries that are worth a cluster of their own
CLUSTERS = 16
LEANS = (None, 0.0, 1.0)  # lower slopes: the one that loses less area, or always one and the same


def ceilings(problem: Problem, front: Frontier, signs: tuple[int, ...] = (1,), clusters: int = CLUSTERS) -> np.ndarray:
    """(n, signs * goals): proved upper bounds of every goal, times each sign, over all words that begin like an entry."""
    plan = problem.plans[front.t]
    targets = [(g, s) for s in signs for g in range(problem.goals)]
    own = front.high[:, plan.inner :] if signs == (1,) else np.concatenate([s * (front.high if s > 0 else front.low)[:, plan.inner :] for s in signs], axis=1)
    if not len(front) or not plan.inner or problem.level.max(initial=0) >= SHALLOW:
        return own
    bits = min(BITS, max(0, SAFE.bit_length() - problem.largest.bit_length()))
    ids, count = split(front.value[:, : plan.inner] * problem.pull[plan.live[: plan.inner]], max(1, min(clusters, len(front) // CLUSTER)))
    order = np.argsort(ids, kind="stable")
    first = np.searchsorted(ids[order], np.arange(count))
    low = np.minimum(np.minimum.reduceat(front.low[order, : plan.inner], first, axis=0), 0)
    high = np.maximum(np.maximum.reduceat(front.high[order, : plan.inner], first, axis=0), 0)
    for level in plan.levels:
        high[:, level.columns] = np.minimum(high[:, level.columns], level.most)
    factors, constant, table = _lines(problem, front.t, low, high, targets, bits)
    out = own.copy()
    ends = np.append(first[1:], len(order))
    for c in range(count):
        here = order[first[c] : ends[c]]
        bound = front.value[here] @ factors[c].T + table[front.state[here]][:, c * len(constant[c]) : (c + 1) * len(constant[c])] + constant[c]
        best = bound.reshape(len(here), len(targets), len(LEANS)).min(axis=2) >> bits
        out[here] = np.minimum(out[here], best)
    return out


def _lines(
    problem: Problem, t: int, low: np.ndarray, high: np.ndarray, targets: list[tuple[int, int]], bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per cluster and function (target, lean): factors (c, f, live) of the partial sums, constant (c, f), table (states, c * f); times 2**bits."""
    plan, clusters, functions = problem.plans[t], len(low), len(targets) * len(LEANS)
    goals = np.repeat([plan.inner + g for g, _ in targets], len(LEANS))
    scale = np.repeat([s << bits for _, s in targets], len(LEANS))
    weights = problem.relus[np.ix_(plan.live, plan.live[: plan.inner])]
    factors = np.zeros((clusters, functions, len(plan.live)), dtype=np.int64)
    factors[:, np.arange(functions), goals] = scale
    constant = np.zeros((clusters, functions), dtype=np.int64)
    outputs = np.broadcast_to(-(-(scale[:, None] * weights[goals]) >> problem.shift), (clusters, functions, plan.inner)).copy()
    slope = high / np.maximum(high - low, 1)
    leans = np.stack([(high > -low).astype(np.float64) if lean is None else np.full(high.shape, lean) for lean in LEANS], axis=1)
    leans = np.tile(leans, (1, len(targets), 1))
    for level in reversed(plan.levels):
        columns = level.columns
        a = outputs[:, :, columns]
        up, down = low[:, None, columns], high[:, None, columns]
        w = np.where(a > 0, np.clip(np.rint(a * slope[:, None, columns]).astype(np.int64), 0, a), a * (leans[:, :, columns] > 0))
        constant += np.where(a > 0, np.maximum(-w * up, (a - w) * down), 0).sum(axis=2)
        factors[:, :, columns] = w
        outputs -= (-(w @ weights[columns])) >> problem.shift
    symbols = problem.symbols[plan.live, t:].reshape(len(plan.live), -1)
    shape = (clusters * functions, problem.language.length - t, problem.language.symbol_count)
    table = problem.to_go((factors.reshape(clusters * functions, -1) @ symbols).reshape(shape), t)[0]
    return factors, constant, table


def split(values: np.ndarray, parts: int, smallest: int = 1) -> tuple[np.ndarray, int]:
    """Ids of up to `parts` groups of rows, by halving the largest group along its widest column; and how many there are."""
    ids = np.zeros(len(values), dtype=np.int64)
    groups = [np.arange(len(values))]
    closed: list[np.ndarray] = []
    while groups and len(groups) + len(closed) < parts:
        groups.sort(key=len)
        largest = groups.pop()
        here = values[largest]
        spread = here.max(axis=0) - here.min(axis=0)
        column = here[:, int(spread.argmax())]
        left = column < np.median(column)
        if not left.any():  # more than half are equal to the smallest
            left = column == column.min()
        if left.all() or min(left.sum(), (~left).sum()) < smallest:
            closed.append(largest)
            continue
        groups += [largest[left], largest[~left]]
    for k, group in enumerate([*groups, *closed]):
        ids[group] = k
    return ids, len(groups) + len(closed)
