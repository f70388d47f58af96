"""Relaxed sweeps of `reach`: entries that are close are merged into one that is at least as bad as each, so that few remain.

In an `unfolded` problem more of an upper copy and less of a lower copy can only raise the goals, so the corner of a cell
stands for all entries in it.  What stays negative to the end is proved for every prefix that went in; where the corner
of a cell ends badly, the prefixes that led there are named, and a word that may be a counterexample with them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from .reach_frontier import Frontier, Step, advanced, runs
from .reach_ceilings import ceilings
from .reach_problem import Problem

GROW, SHRINK = 1.5, 0.5  # of the cells: until few enough, and before trying again at the next layer


@dataclass(frozen=True, eq=False)
class Relaxed:
    """`bad`: which entries may still have a word that errs; `leads`: an entry (index) and symbols from there on, per bad end."""

    bad: np.ndarray
    leads: np.ndarray
    tails: np.ndarray


def relaxed(problem: Problem, front: Frontier, width: int, deadline: float, most: int = 64) -> Relaxed | None:
    """Sweep to the end with at most about `width` entries per layer; None when time is up."""
    trail: list[Step] = []
    back: list[tuple[np.ndarray, np.ndarray]] = []
    size, here = 0.0, front
    while here.t < problem.language.length and len(here):
        if time.monotonic() > deadline:
            return None
        following, step = advanced(problem, here)
        open_ = np.flatnonzero((following.high[:, problem.plans[following.t].inner :] >= 0).any(axis=1))
        following, step = following.take(open_), step.take(open_)
        parents = step.parent
        following, step, cell, size = merged_cells(problem, following, step, width, size)
        alive = (ceilings(problem, following) >= 0).any(axis=1)
        number = np.where(alive, np.cumsum(alive) - 1, -1)
        chosen = np.flatnonzero(alive)
        back.append((parents, number[cell]))
        here, step = following.take(chosen), step.take(chosen)
        trail.append(step)
    bad = np.ones(len(here), dtype=bool)
    worst = np.argsort(-front_goal(problem, here), kind="stable")[:most]
    tails = np.zeros((len(worst), len(trail)), dtype=np.int64)
    for k in reversed(range(len(trail))):
        tails[:, k] = trail[k].symbol[worst]
        worst = trail[k].parent[worst]
        parents, cells = back[k]
        previous = np.zeros(len(front) if k == 0 else len(trail[k - 1].parent), dtype=bool)
        there = cells >= 0
        previous[parents[there][bad[cells[there]]]] = True
        bad = previous
    return Relaxed(bad, worst, tails)


def front_goal(problem: Problem, front: Frontier) -> np.ndarray:
    """The largest upper bound of a goal, per entry."""
    return front.high[:, problem.plans[front.t].inner :].max(axis=1)


def merged_cells(problem: Problem, front: Frontier, step: Step, width: int, size: float) -> tuple[Frontier, Step, np.ndarray, float]:
    """Entries merged until at most about `width` are left, each one's cell, and the size of the cells that it took.

    A cell is a box in the ReLU columns, each scaled by how much it matters to the goals.
    """
    plan = problem.plans[front.t]
    if len(front) < 2 or not plan.inner:
        return _corners(problem, front, step, np.zeros((len(front), 0), dtype=np.int64), size)
    scaled = front.value[:, : plan.inner] * problem.pull[plan.live[: plan.inner]]
    scaled -= scaled.min(axis=0)
    if len(front) <= width:
        return _corners(problem, front, step, front.value[:, : plan.inner], size)
    spread = float(scaled.max())
    size = max(size * SHRINK, spread * 1e-6, 1e-9)
    keys = _cells(scaled, size)
    while len(runs(keys, front.state)[1]) > width and size <= spread:
        size *= GROW
        keys = _cells(scaled, size)
    return _corners(problem, front, step, keys, size)


def _cells(scaled: np.ndarray, size: float) -> np.ndarray:
    return np.floor(scaled / size).astype(np.int64)


def _corners(problem: Problem, front: Frontier, step: Step, keys: np.ndarray, size: float) -> tuple[Frontier, Step, np.ndarray, float]:
    """One entry for each (state, key): the worst corner of all that have it; its way is that of the one with the largest bound."""
    if not len(front):
        return front, step, np.zeros(0, dtype=np.int64), size
    order, first = runs(keys, front.state)
    sizes = np.diff(np.append(first, len(order)))
    cell = np.zeros(len(front), dtype=np.int64)
    cell[order] = np.repeat(np.arange(len(first)), sizes)
    if len(first) == len(front):
        return front.take(order), step.take(order), cell, size
    side = problem.sign[problem.plans[front.t].live]
    goal = front_goal(problem, front)[order]
    best = goal == np.repeat(np.maximum.reduceat(goal, first), sizes)
    leader = order[np.minimum.reduceat(np.where(best, np.arange(len(order)), len(order)), first)]

    def corner(array: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat((array * side)[order], first, axis=0) * side

    weight = np.ones(len(first), dtype=np.int64)
    corners = Frontier(front.t, front.state[leader], corner(front.value), weight, corner(front.low), corner(front.high))
    return corners, step.take(leader), cell, size


