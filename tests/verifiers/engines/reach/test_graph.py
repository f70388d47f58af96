"""Languages as graphs against plain sets of words: what is refined, cut, counted and best."""

from __future__ import annotations

import numpy as np
import pytest
from random_claims import random_claim
from relucid.models.automata.automaton import Automaton
from relucid.verifiers.engines.reach import graph as reach_graph
from relucid.verifiers.engines.reach.graph import Graph, of_automaton

SEEDS = range(40)


def language(seed: int) -> Automaton:
    return random_claim(seed).language


def words_of(graph: Graph) -> list[tuple[int, ...]]:
    """By walking, edge by edge."""
    paths: list[tuple[int, tuple[int, ...]]] = [(node, ()) for node in range(graph.sizes[0])]
    for layer in graph.layers:
        edges = list(zip(layer.source, layer.symbol, layer.target, strict=True))
        paths = [
            (int(target), (*word, int(symbol)))
            for node, word in paths
            for source, symbol, target in edges
            if source == node
        ]
    return [word for _, word in paths]


def ends_of(graph: Graph) -> dict[tuple[int, ...], int]:
    """Each word's final node (words have one path)."""
    out = {}
    for word in words_of(graph):
        nodes = set(range(graph.sizes[0]))
        for layer, symbol in zip(graph.layers, word, strict=True):
            here = np.isin(layer.source, list(nodes)) & (layer.symbol == symbol)
            nodes = set(layer.target[here].tolist())
        out[word] = nodes.pop()
    return out


def functions(graph: Graph, symbols: int, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9, 10, size=(graph.length, symbols, count))


def value(weights: np.ndarray, word: tuple[int, ...], function: int) -> int:
    return sum(int(weights[t, s, function]) for t, s in enumerate(word))


@pytest.mark.parametrize("seed", SEEDS)
def test_it_has_the_automatons_words(seed: int) -> None:
    automaton = language(seed)
    graph = of_automaton(automaton)
    words = words_of(graph)
    assert graph.size == automaton.size == len(words) == len(set(words))
    assert all(automaton.label_of(word) is not None for word in words)
    sums, ways = graph.every(np.zeros((graph.length, automaton.symbol_count, 1), dtype=np.int64))
    assert {tuple(map(int, w)) for w in graph.spelled(ways, np.arange(len(sums)))} == set(words)


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_extremes_and_best_words(seed: int) -> None:
    automaton = language(seed)
    graph = of_automaton(automaton)
    weights = functions(graph, automaton.symbol_count, 3, seed)
    words, ends = words_of(graph), ends_of(graph)
    sums, ways = graph.every(weights)
    for word, got in zip(graph.spelled(ways, np.arange(len(sums))), sums, strict=True):
        assert [value(weights, tuple(word), f) for f in range(3)] == got.tolist()
    *_, last = graph.forward(weights)
    tables = graph.backward(weights, np.zeros((graph.sizes[-1], 3), dtype=np.int64))
    best = graph.best(weights, tables, np.arange(3))
    for f in range(3):
        top = max(value(weights, w, f) for w in words)
        assert tables[0][:, f].max() == top == value(weights, tuple(best[f]), f) and tuple(
            map(int, best[f])
        ) in set(words)
        for node in range(graph.sizes[-1]):
            assert last[node, f] == max(value(weights, w, f) for w in words if ends[w] == node)
    assert graph.arrivals.tolist() == [
        sum(end == node for end in ends.values()) for node in range(graph.sizes[-1])
    ]


@pytest.mark.parametrize("limit", [1 << 22, 0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_refinement_keeps_the_words_and_tells_sums_apart(
    seed: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach_graph, "DENSE", limit)  # both ways to number keys
    automaton = language(seed)
    graph = of_automaton(automaton)
    weights = functions(graph, automaton.symbol_count, 1, seed)
    finer = graph.refined(weights[:, :, 0], 10**6)
    assert finer is not None
    assert sorted(words_of(finer)) == sorted(words_of(graph)) and finer.size == graph.size
    ends, before = ends_of(finer), ends_of(graph)
    told = {(before[w], value(weights, w, 0)) for w in ends}
    assert len(told) == finer.sizes[-1] == len(set(ends.values()))
    assert len({(ends[w], before[w], value(weights, w, 0)) for w in ends}) == len(told)
    assert graph.refined(weights[:, :, 0], 0) is None or graph.length == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_cut_is_gone_and_nothing_else(seed: int) -> None:
    graph = of_automaton(language(seed))
    rng = np.random.default_rng(seed)
    masks = [rng.random(len(layer.source)) < 0.8 for layer in graph.layers]
    ends = rng.random(graph.sizes[-1]) < 0.8
    left = []
    for word, end in ends_of(graph).items():
        nodes, through = set(range(graph.sizes[0])), bool(ends[end])
        for mask, layer, symbol in zip(masks, graph.layers, word, strict=True):
            here = np.isin(layer.source, list(nodes)) & (layer.symbol == symbol)
            through &= bool(mask[here].any())
            nodes = set(layer.target[here & mask].tolist())
        if through:
            left.append(word)
    kept = graph.kept(masks, ends)
    assert sorted(words_of(kept) if kept else []) == sorted(left)
    if kept:
        for layer, size, following in zip(kept.layers, kept.sizes, kept.sizes[1:], strict=False):
            assert set(layer.source.tolist()) == set(range(size)) and set(layer.target.tolist()) == set(
                range(following)
            )
            assert (np.diff(layer.source) >= 0).all()


def test_counts_beyond_64_bits() -> None:
    one = reach_graph.GraphLayer(np.zeros(10, dtype=np.int64), np.arange(10), np.zeros(10, dtype=np.int64))
    graph = Graph((1,) * 41, (one,) * 40)
    assert graph.size == 10**40 and int(graph.arrivals[0]) == 10**40
