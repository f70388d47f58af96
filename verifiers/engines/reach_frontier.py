"""The frontier of `reach`: all prefixes of one length as distinct (automaton state, partial sums), and how it moves by one symbol.

Three things keep it small.  Rows whose argument is complete are applied and dropped.  Each remaining partial sum is clamped to
the window in which the rest of a word can still change the ReLU's phase: beyond it, the ReLU is a constant or linear from
now on, and a linear excess is moved into the rows that read it, so that entries with the same future become equal.  Equal
entries are merged; where only the largest goal is asked for, entries equal but for the goal are, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .reach_plan import Plan
from .reach_problem import SAFE, Problem

MULTIPLIERS = np.random.default_rng(20261).integers(-(2**62), 2**62, size=4096) | 1  # hashing only speeds up: equality is checked


@dataclass(frozen=True, eq=False)
class Frontier:
    """n entries after `t` symbols; `value` (n, live) are the partial sums of the plan's live rows, goals last.

    `weight`: how many prefixes each entry stands for (Python integers where 64 bits might not do).
    `low`, `high`: bounds of what the live rows end at.
    """

    t: int
    state: np.ndarray
    value: np.ndarray
    weight: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.state)

    def take(self, chosen: np.ndarray) -> Frontier:
        """The chosen entries (indices or a mask)."""
        parts = (self.state, self.value, self.weight, self.low, self.high)
        return Frontier(self.t, *(part[chosen] for part in parts))


@dataclass(frozen=True, eq=False)
class Step:
    """Where the entries of a frontier came from: index in the one before, and the symbol that was read."""

    parent: np.ndarray
    symbol: np.ndarray

    def take(self, chosen: np.ndarray) -> Step:
        return Step(self.parent[chosen], self.symbol[chosen])


def start(problem: Problem) -> Frontier:
    """The empty prefix, once per initial state."""
    states = problem.language.layer_sizes[0]
    none = np.zeros((states, 0), dtype=np.int64)
    value = _resolved(problem, 0, none, np.zeros(states, dtype=np.int64))
    return _settled(problem, 0, np.arange(states), value, np.ones(states, dtype=np.int64))


def advanced(problem: Problem, front: Frontier) -> tuple[Frontier, Step]:
    """Every entry by every symbol."""
    t, edges = front.t + 1, problem.layers[front.t]
    degree = edges.degree[front.state]
    parent = np.repeat(np.arange(len(front)), degree)
    ends = np.cumsum(degree)
    edge = np.arange(len(parent)) + np.repeat(edges.first[front.state] - (ends - degree), degree)
    symbol = edges.symbol[edge]
    value = _resolved(problem, t, front.value[parent], symbol)
    weight = front.weight[parent]
    if weight.dtype != object and problem.language.size >= SAFE and len(weight) and int(weight.max()) * len(weight) >= SAFE:
        weight = weight.astype(object)
    return _settled(problem, t, edges.target[edge], value, weight), Step(parent, symbol)


def _resolved(problem: Problem, t: int, value: np.ndarray, symbol: np.ndarray) -> np.ndarray:
    """Partial sums after one more symbol: new rows come in, complete ReLUs are added to their readers and go out."""
    plan = problem.plans[t]
    value += plan.step[symbol]
    if plan.fresh.shape[1]:
        value = np.concatenate([value, plan.fresh[symbol]], axis=1)[:, plan.order]
    for done in plan.completions:
        outputs = np.maximum(value[:, done.columns], 0)
        value[:, done.readers] += problem.away(outputs @ done.weights.T, plan.mixed[done.readers])
    return value[:, plan.kept] if len(plan.kept) < len(plan.mixed) else value


def _settled(problem: Problem, t: int, state: np.ndarray, value: np.ndarray, weight: np.ndarray) -> Frontier:
    """Partial sums clamped to the window in which something is still open (in place), and bounds of what every live row ends at."""
    plan = problem.plans[t]
    low, high = value + plan.low[state], value + plan.high[state]
    dead = np.zeros((len(value), plan.inner), dtype=bool)
    for level in plan.levels:
        if len(level.movable):
            excess = np.maximum(low[:, level.movable], 0)
            if excess.any():
                more = problem.away(excess @ level.shares.T, plan.live[level.takers])
                for array in (value, low, high):
                    array[:, level.movable] -= excess
                    array[:, level.takers] += more
            _bury(plan, level.movable, high[:, level.movable] <= 0, state, value, low, high)
        top, bottom = np.clip(high[:, level.columns], 0, level.most), np.maximum(low[:, level.columns], 0)
        dead[:, level.columns] = high[:, level.columns] <= 0
        high[:, level.readers] += -(-(top @ level.up.T + bottom @ level.down.T) >> problem.shift)
        low[:, level.readers] += (top @ level.down.T + bottom @ level.up.T) >> problem.shift
    if len(plan.levels) > 1:  # ReLUs that only dead ones read may as well be dead
        matters = np.ones((len(value), len(plan.live)), dtype=bool)
        matters[:, : plan.inner] = ~dead
        for i in reversed(np.flatnonzero(plan.movable)):
            matters[:, i] &= matters[:, plan.reads[:, i]].any(axis=1)
        columns = np.flatnonzero(plan.movable)
        _bury(plan, columns, ~matters[:, columns], state, value, low, high)
    return Frontier(t, state, value, weight, low, high)


def _bury(
    plan: Plan, columns: np.ndarray, which: np.ndarray, state: np.ndarray, value: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Give the ReLUs that are 0 from now on (or do not matter) the one partial sum that stands for it."""
    if which.any():
        change = np.where(which, value[:, columns] - plan.dead[:, columns][state], 0)
        for array in (value, low, high):
            array[:, columns] -= change


def merged(problem: Problem, front: Frontier, step: Step, deciding: bool) -> tuple[Frontier, Step]:
    """Equal entries become one.  `deciding`: the goal (there is one) does not count, the largest stays."""
    if len(front) < 2:
        return front, step
    keys = front.value[:, :-1] if deciding else front.value
    order, first = runs(keys, front.state)
    if len(first) == len(order):
        return front, step
    kept = order[first]
    if deciding:
        goal = front.value[order, -1]
        sizes = np.diff(np.append(first, len(order)))
        best = goal == np.repeat(np.maximum.reduceat(goal, first), sizes)
        kept = order[np.minimum.reduceat(np.where(best, np.arange(len(order)), len(order)), first)]
    weight = np.add.reduceat(front.weight[order], first)
    out = front.take(kept)
    return Frontier(out.t, out.state, out.value, weight, out.low, out.high), step.take(kept)


def runs(keys: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order in which equal (state, key) stand together, and where each run begins in it."""
    with np.errstate(over="ignore"):
        mixed = keys @ MULTIPLIERS[: keys.shape[1]] + state * MULTIPLIERS[-1]
        mixed ^= mixed >> 29
    order = np.argsort(mixed, kind="stable")
    sorted_hash = mixed[order]
    same_hash = sorted_hash[1:] == sorted_hash[:-1]
    pairs = np.flatnonzero(same_hash)
    left, right = order[pairs], order[pairs + 1]
    if not ((keys[left] == keys[right]).all() and (state[left] == state[right]).all()):  # a collision: sort by everything
        order = np.lexsort([*keys.T, state])
        same = (keys[order[1:]] == keys[order[:-1]]).all(axis=1) & (state[order[1:]] == state[order[:-1]])
        return order, np.flatnonzero(np.concatenate([[True], ~same]))
    return order, np.flatnonzero(np.concatenate([[True], ~same_hash]))
