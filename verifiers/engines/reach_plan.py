"""What a sweep of `reach` does at one layer, worked out once: which rows it follows, which it completes, and what their bounds are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .reach_problem import Problem


@dataclass(frozen=True, eq=False)
class Completion:
    """ReLUs of one level with complete arguments: columns, the columns that read them, and by which weights (readers, columns)."""

    columns: np.ndarray
    readers: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Level:
    """Open ReLUs of one level, as columns.

    `movable`: those whose excess may be moved into their readers `takers`, by `shares` (takers, movable).
    `readers` are all followed rows that read the level, by `up` (where positive) and `down` (where negative).  `most`: proved upper
    bounds of the level's outputs.
    """

    columns: np.ndarray
    movable: np.ndarray
    takers: np.ndarray
    shares: np.ndarray
    readers: np.ndarray
    up: np.ndarray
    down: np.ndarray
    most: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """The way into layer t: first `step` (per symbol) is added, then completions, then columns `kept` stay; those are rows `live`.

    `fresh` (per symbol) are new columns, sorted in by `order`.  `low` and `high` (states, live): what each row can still get from
    symbols, and from ReLUs that are not followed yet.  `dead` (states, ReLU columns): a partial sum at which the ReLU never
    becomes positive.  `inner`: the number of ReLU columns.
    """

    step: np.ndarray
    fresh: np.ndarray
    order: np.ndarray
    mixed: np.ndarray
    completions: tuple[Completion, ...]
    kept: np.ndarray
    live: np.ndarray
    inner: int
    low: np.ndarray
    high: np.ndarray
    dead: np.ndarray
    levels: tuple[Level, ...]
    movable: np.ndarray
    reads: np.ndarray


def plans(problem: Problem) -> tuple[Plan, ...]:
    """One plan per layer."""
    out: list[Plan] = []
    live = np.zeros(0, dtype=np.int64)
    for t in range(problem.language.length + 1):
        out.append(_plan(problem, t, live))
        live = out[-1].live
    return tuple(out)


def _plan(problem: Problem, t: int, before: np.ndarray) -> Plan:
    def added(rows: np.ndarray) -> np.ndarray:
        shape = (problem.language.symbol_count if t else 1, len(rows))
        return np.ascontiguousarray(problem.symbols[rows, t - 1].T) if t else np.zeros(shape, dtype=np.int64)

    fresh = np.flatnonzero(problem.wake <= t) if not t else np.flatnonzero(problem.wake == t)
    mixed = np.concatenate([before, fresh])
    order = np.argsort(mixed)
    mixed = mixed[order]
    inner = mixed < problem.count
    done = np.flatnonzero(inner)[problem.end[mixed[inner]] <= t]
    completions = []
    for level in np.unique(problem.level[mixed[done]]):
        columns = done[problem.level[mixed[done]] == level]
        weights = problem.relus[np.ix_(mixed, mixed[columns])]
        readers = np.flatnonzero(weights.any(axis=1))
        completions.append(Completion(columns, readers, weights[readers]))
    kept = np.setdiff1d(np.arange(len(mixed)), done)
    live = mixed[kept]
    count = int((live < problem.count).sum())
    dormant = np.setdiff1d(np.flatnonzero(problem.end > t), live)
    weights, upper = problem.relus[np.ix_(live, dormant)], np.maximum(problem.upper[dormant], 0)
    high = problem.high[t][:, live] + -(-(np.maximum(weights, 0) @ upper) >> problem.shift)
    low = problem.low[t][:, live] + (np.minimum(weights, 0) @ upper >> problem.shift)
    inputs = problem.relus[np.ix_(live[:count], live[:count])]
    most = -(-(np.maximum(inputs, 0) @ np.maximum(problem.upper[live[:count]], 0)) >> problem.shift)
    levels, movable = _levels(problem, t, live, count, len(dormant) > 0)
    return Plan(
        added(before),
        added(fresh) + problem.constant[fresh],
        order,
        mixed,
        tuple(completions),
        kept,
        live,
        count,
        low,
        high,
        -(high[:, :count] + most),
        levels,
        movable,
        problem.relus[np.ix_(live, live[:count])] != 0,
    )


def _levels(problem: Problem, t: int, live: np.ndarray, count: int, deep: bool) -> tuple[tuple[Level, ...], np.ndarray]:
    """The levels, and which ReLU columns are movable: all readers are followed, and in deep networks, it stays open for a while."""
    weights = problem.relus[np.ix_(live, live[:count])]
    followed = np.isin(np.arange(len(problem.constant)), live)
    movable = np.array([followed[problem.relus[:, i] != 0].all() for i in live[:count]], dtype=bool)
    movable &= problem.end[live[:count]] > t + (1 if deep else 0)
    levels = problem.level[live[:count]]
    out = []
    for level in np.unique(levels):
        columns = np.flatnonzero(levels == level)
        moving = columns[movable[columns]]
        takers = np.flatnonzero(weights[:, moving].any(axis=1))
        readers = np.flatnonzero(weights[:, columns].any(axis=1))
        here = weights[np.ix_(readers, columns)]
        out.append(
            Level(
                columns,
                moving,
                takers,
                weights[np.ix_(takers, moving)],
                readers,
                np.maximum(here, 0),
                np.minimum(here, 0),
                np.maximum(problem.upper[live[columns]], 0),
            ),
        )
    return tuple(out), movable
