"""Bounds of `reach` hold on every word, whatever the multipliers; rounded problems lie on the safe side of
the exact ones.
"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clocks import later
from reach_cases import Case, cases, rows_of
from relucid.common.errors import Unsupported
from relucid.verifiers.engines.reach import problem as reach_problem
from relucid.verifiers.engines.reach.bounds import Bounder, ReachOutOfTime, Side
from relucid.verifiers.engines.reach.graph import Graph, of_automaton
from relucid.verifiers.engines.reach.problem import ReachProblem, joined, negated, unfolded

CASES = cases(15)
COARSE = {"as they are": (60, 34, 24), "coarse": (14, 8, 3), "coarser": (14, 5, 5), "coarsest": (14, 6, 2)}


@pytest.fixture(params=COARSE)
def coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Narrow numbers, so that small claims are rounded, too."""
    safe, width, fraction = COARSE[request.param]
    for name, setting in (("SAFE", 2**safe), ("WIDTH", width), ("FRACTION", fraction)):
        monkeypatch.setattr(reach_problem, name, setting)
    return str(request.param)


def exact_rows(problem: ReachProblem, word: tuple[int, ...]) -> list[Fraction]:
    """The problem's own rows, in fractions."""
    out: list[Fraction] = []
    for j in range(len(problem.constant)):
        total = Fraction(
            int(problem.constant[j]) + sum(int(problem.symbols[j, t, s]) for t, s in enumerate(word))
        )
        out.append(
            total
            + sum(
                Fraction(int(problem.relus[j, i]), 2**problem.shift) * max(0, out[i])
                for i in np.flatnonzero(problem.relus[j])
            )
        )
    return out


def problems(case: Case) -> list[tuple[ReachProblem, tuple[Side, ...]]]:
    """Exact and rounded, of every query and its negation."""
    out: list[tuple[ReachProblem, tuple[Side, ...]]] = []
    exact = joined(case.queries)
    if exact is not None:
        rows = range(exact.count, exact.count + len(case.queries))
        out.append(
            (
                exact,
                tuple(
                    Side(g, wins, row, -1 if wins else 1, -wins)
                    for g, row in enumerate(rows)
                    for wins in (False, True)
                ),
            )
        )
    for g, query in enumerate(case.queries):
        for wins, asked in ((False, query), (True, negated(query))):
            try:
                problem = unfolded(asked)
            except Unsupported:  # so narrow a setting is not meant for so wide a claim
                continue
            out.append((problem, (Side(g, wins, problem.count, 1, 0),)))
    return out


@pytest.mark.usefixtures("coarse")
def test_copies_lie_on_both_sides_of_the_row() -> None:
    rounded = 0
    for case in CASES:
        for problem, sides in problems(case):
            query = case.queries[sides[0].rival]
            for word in case.words[:20]:
                real = rows_of(query if not sides[0].wins or not problem.sign.any() else negated(query), word)
                for j, value in enumerate(exact_rows(problem, word)):
                    if j >= problem.count and not problem.sign.any():
                        continue
                    true = Fraction(real[problem.origin[j]], 2 ** int(problem.unit[j]))
                    assert (
                        value == true
                        if not problem.sign[j]
                        else (value >= true if problem.sign[j] > 0 else value <= true)
                    )
                    assert problem.lower[j] <= true <= problem.upper[j]
            rounded += problem.shift > 0
    assert rounded or reach_problem.SAFE == 2**60


def test_a_negated_query_is_negative_where_the_query_is_not() -> None:
    for case in CASES:
        for query in case.queries:
            for word in case.words[:10]:
                assert rows_of(negated(query), word)[-1] == -1 - rows_of(query, word)[-1]


def side_value(case: Case, side: Side, word: tuple[int, ...]) -> int:
    """What the side says is negative, exactly."""
    goal = rows_of(case.queries[side.rival], word)[-1]
    return -1 - goal if side.wins else goal


@pytest.mark.usefixtures("coarse")
def test_bounds_hold_for_any_multipliers_and_phases() -> None:
    rng = np.random.default_rng(1)
    tight = 0
    for case in CASES:
        graph = of_automaton(case.queries[0].language)
        for problem, sides in problems(case):
            bounder = Bounder(problem, sides)
            which = np.resize(np.arange(len(sides)), 6)
            asked = bounder.asking(which, *bounder.whole())
            # phases that some word has, so that there are words to check
            some = [rows_of(case.queries[0], case.words[k]) for k in rng.integers(len(case.words), size=6)]
            signs = np.array(
                [
                    [1 if row > 0 else -1 if row < 0 else 1 - 2 * rng.integers(2) for row in rows[:-1]]
                    for rows in some
                ]
            )
            phase = (signs * (rng.random(signs.shape) < 0.7)).reshape(6, -1).astype(np.int8)[:, bounder.pairs]
            phase = np.where(asked.phase == 0, phase, asked.phase)
            above, below = rng.random(asked.above.shape), rng.random(asked.above.shape)
            asked = replace(
                asked, phase=phase, above=above, below=below, beta=3 * rng.random(above.shape) * bounder.most
            )
            best = bounder.bounded(graph, asked, which)
            moved = bounder.bounded(graph, bounder.moved(best, None)[0], which)
            scale = 2.0 ** (bounder.bits - int(problem.unit[problem.count]))
            for word in case.words[:40]:
                rows = rows_of(case.queries[0], word)
                for f, side in enumerate(which):
                    signs = np.array([rows[j] for j in bounder.pairs])
                    if ((phase[f] > 0) & (signs < 0)).any() or ((phase[f] < 0) & (signs > 0)).any():
                        continue  # the bound speaks of words with these phases only
                    true = side_value(case, sides[side], word)
                    assert true <= best.upper[f] / scale + 1e-9 and true <= moved.upper[f] / scale + 1e-9
                    tight += true > best.upper[f] / scale - 1
    assert tight  # some bounds are attained


@pytest.mark.usefixtures("coarse")
def test_boxes_hold_at_every_final_node() -> None:
    for case in CASES:
        graph = of_automaton(case.queries[0].language)
        for problem, sides in problems(case):
            bounder = Bounder(problem, sides)
            direction = bounder.direction(len(problem.constant) - 1, *bounder.whole())
            finer = graph.refined(direction // max(1, int(np.abs(direction).max()) // 4), 10**6)
            assert finer is not None
            lows, highs, uppers = bounder.boxes(finer, *bounder.whole(), later())
            _, ways = finer.every(np.zeros((finer.length, problem.symbols.shape[2], 0), dtype=np.int64))
            words = finer.spelled(ways, np.arange(finer.size))
            node = _ends(finer, words)
            for word, end in list(zip(words, node, strict=True))[:60]:
                rows = rows_of(case.queries[0], tuple(map(int, word)))
                for i, j in enumerate(bounder.pairs):
                    true = Fraction(rows[j], 2 ** int(problem.unit[i]))
                    assert lows[end, i] <= true <= highs[end, i]
                for s, side in enumerate(sides):
                    true = Fraction(
                        side_value(case, side, tuple(map(int, word))), 2 ** int(problem.unit[side.row])
                    )
                    assert true * 2**bounder.bits <= uppers[end, s]
            with pytest.raises(ReachOutOfTime):
                if bounder.inner:
                    bounder.boxes(finer, *bounder.whole(), time.monotonic() - 1)
                raise ReachOutOfTime


def _ends(graph: Graph, words: np.ndarray) -> np.ndarray:
    """Where each word ends (words have one path)."""
    out = []
    for word in words:
        nodes = np.arange(graph.sizes[0])
        for layer, symbol in zip(graph.layers, word, strict=True):
            nodes = layer.target[np.isin(layer.source, nodes) & (layer.symbol == symbol)]
        out.append(int(nodes[0]))
    return np.array(out)


def test_splitting_a_relu_of_a_single_level_never_weakens_a_bound() -> None:
    split = 0
    for case in CASES:
        graph = of_automaton(case.queries[0].language)
        for problem, sides in problems(case):
            bounder = Bounder(problem, sides)
            which = np.arange(len(sides))
            best = bounder.bounded(graph, bounder.asking(which, *bounder.whole()), which)
            halves = bounder.halves(best)
            if halves is not None and len(problem.levels) == 1 and not problem.sign.any():
                both = bounder.bounded(graph, *halves)
                assert (both.upper <= np.tile(best.upper, 2)).all()
                split += 1
    assert split


def test_numbers_far_beyond_64_bits_are_refused_or_rounded() -> None:
    query = next(case.queries[0] for case in CASES if case.queries[0].count)
    wide = 2**80

    def scaled(array: np.ndarray) -> np.ndarray:
        return array.astype(object) * wide

    big = replace(
        query,
        symbols=scaled(query.symbols),
        constant=scaled(query.constant),
        lower=scaled(query.lower),
        upper=scaled(query.upper),
    )
    assert joined([big]) is None
    problem = unfolded(big)
    assert problem.shift and max(int(abs(problem.symbols).max()), int(abs(problem.constant).max())) < 2**60


def test_values_are_exact_beyond_64_bits() -> None:
    for case in CASES:
        query = case.queries[0]
        for wide in (1, 2**40, 2**70):
            arrays = {
                name: getattr(query, name).astype(object) * wide
                for name in ("symbols", "constant", "lower", "upper")
            }
            last = query.relus.astype(object)
            last[-1] *= 2**20  # also where only what a goal reads is wide
            big = replace(query, relus=last, **arrays)
            words = case.words[:10]
            assert [list(map(int, row)) for row in big.values(np.array(words))] == [
                rows_of(big, word) for word in words
            ]
