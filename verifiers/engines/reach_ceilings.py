"""Upper bounds of the goals for the entries of an exact frontier, by lines that fit clusters of entries (`docs/reach.md`)."""

from __future__ import annotations

import numpy as np

from .reach_frontier import Frontier
from .reach_lines import Shape, functions, spare_bits, split
from .reach_problem import SHALLOW, Problem

CLUSTER = 200  # entries that are worth a cluster of their own
CLUSTERS = 16
LEANS = (None, 0.0, 1.0)  # lower slopes: the one that loses less area, or always one and the same


def ceilings(problem: Problem, front: Frontier, signs: tuple[int, ...] = (1,), clusters: int = CLUSTERS) -> np.ndarray:
    """(n, signs * goals): proved upper bounds of every goal, times each sign, over all words that begin like an entry."""
    plan, inner = problem.plans[front.t], problem.plans[front.t].inner
    own = np.concatenate([s * (front.high if s > 0 else front.low)[:, inner:] for s in signs], axis=1)
    if not len(front) or not inner or problem.level.max(initial=0) >= SHALLOW:
        return own
    bits = spare_bits(problem)
    targets = [(g, s << bits) for s in signs for g in range(problem.goals)]
    ids, count = split(front.value[:, :inner] * problem.pull[plan.live[:inner]], max(1, min(clusters, len(front) // CLUSTER)))
    order = np.argsort(ids, kind="stable")
    first = np.searchsorted(ids[order], np.arange(count))
    low = np.minimum(np.minimum.reduceat(front.low[order, :inner], first, axis=0), 0)
    high = np.maximum(np.maximum.reduceat(front.high[order, :inner], first, axis=0), 0)
    for level in plan.levels:
        high[:, level.columns] = np.minimum(high[:, level.columns], level.most)
    each = len(targets) * len(LEANS)
    repeated = [np.repeat(a, each, axis=0) for a in (low, high)]
    rows = np.tile(np.repeat([inner + g for g, _ in targets], len(LEANS)), count)
    scale = np.tile(np.repeat([s for _, s in targets], len(LEANS)), count)
    asked = functions(rows, scale, *repeated, np.zeros(repeated[0].shape, dtype=np.int8))
    for k, lean in enumerate(LEANS):
        if lean is not None:
            asked.below[k :: len(LEANS)] = lean
    shape = Shape(problem.relus[np.ix_(plan.live, plan.live[:inner])], [level.columns for level in plan.levels], problem.sign[plan.live[:inner]], problem.shift)
    fit = shape.lines(asked)
    symbols = problem.symbols[plan.live, front.t :].reshape(len(plan.live), -1)
    table = problem.to_go((fit.factors @ symbols).reshape(len(asked), problem.language.length - front.t, -1), front.t)[0]
    out = own.copy()
    ends = np.append(first[1:], len(order))
    for c in range(count):
        here, mine = order[first[c] : ends[c]], slice(c * each, (c + 1) * each)
        bound = front.value[here] @ fit.factors[mine].T + table[front.state[here], mine] + fit.constant[mine]
        best = bound.reshape(len(here), len(targets), len(LEANS)).min(axis=2) >> bits
        out[here] = np.minimum(out[here], best)
    return out
