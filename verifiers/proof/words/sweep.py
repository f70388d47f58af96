"""Runs the network exactly on every word of a language, prefix by prefix, with equal prefixes merged.

Part of the trusted base: this is how the words that a proof leaves to be run are run.  A unit of an affine
node is complete when every symbol that it depends on has been read.  Until then, only the sum of what has
arrived matters.  Prefixes with the same state of the automaton and the same sums are followed once, so an
unrolled recurrent cell takes as many as it has states, at any length.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ....models.network.network import Affine
from ..format import ProofTooLarge, Rejected

CELLS = 1 << 26  # numbers held at once


@dataclass(frozen=True, eq=False)
class _SweepStep:
    """What happens to the columns (one per unit that is still needed) when the t-th symbol has been read.

    begun: the biases of columns that are appended.
    added (symbols, columns): what the symbol adds.
    passes: complete columns, whether a ReLU follows, the columns that read them, and weights.
    kept: the columns that are still needed.
    """

    begun: np.ndarray
    added: np.ndarray
    passes: tuple[tuple[np.ndarray, bool, np.ndarray, np.ndarray], ...]
    kept: np.ndarray


def run_words(
    claim: WordClaim, label: int, language: Automaton, most: int, tick: Callable[[], None] = lambda: None
) -> int:
    """Check that the network gives the label on every word of a language; return the prefixes followed.

    language: not empty.
    most: the largest number of prefixes to follow.
    tick: called once per position; it may raise.

    Raises Rejected if the network gives another label, and ProofTooLarge if there are too many prefixes.
    """
    steps, rectified = _steps(claim, language)
    state = np.arange(language.layer_sizes[0])
    symbol = np.zeros(len(state), dtype=np.int64)
    sums = np.zeros((len(state), 0), dtype=steps[0].added.dtype)
    followed = 0
    for t, step in enumerate(steps):
        tick()
        if t:
            parent, symbol, state = _onward(language.edges[t - 1], state)
            sums = sums[parent]
        followed += len(state)
        if followed > most or step.added.shape[1] * len(state) > CELLS:
            raise ProofTooLarge("it leaves too much to be run")
        sums = np.concatenate([sums, np.tile(step.begun, (len(state), 1))], axis=1) + step.added[symbol]
        for columns, through, readers, weights in step.passes:
            sums[:, readers] += (np.maximum(sums[:, columns], 0) if through else sums[:, columns]) @ weights.T
        state, sums = _merged(state, sums[:, step.kept])
    outputs = np.maximum(sums, 0) if rectified else sums
    if (claim.decision.decide(outputs) != label).any():
        raise Rejected("the network errs on a word that was run")
    return followed


def _onward(
    edges: tuple[tuple[int, int, int], ...], state: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extend every prefix by every edge of its state: the prefix, the symbol, the new state."""
    source, symbol, target = np.array(edges, dtype=np.int64).T  # sorted by source
    first, after = (np.searchsorted(source, state, side) for side in ("left", "right"))
    parent = np.repeat(np.arange(len(state)), after - first)
    turn = np.arange(len(parent)) - np.repeat(np.cumsum(after - first) - (after - first), after - first)
    edge = first[parent] + turn
    return parent, symbol[edge], target[edge]


def _merged(state: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep one of the entries that have the same state and the same sums."""
    table = np.column_stack([state, sums])
    if table.dtype == object:
        keys: Sequence[Hashable] = list(map(tuple, table))
    else:
        keys = np.ascontiguousarray(table).view(np.dtype((np.void, table.shape[1] * 8))).reshape(-1).tolist()
    kept = list(dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True)).values())
    return state[kept], sums[kept]


def _steps(claim: WordClaim, language: Automaton) -> tuple[list[_SweepStep], bool]:
    """Make one step for each number of symbols read, from 0 to length.

    After the last step the columns are the outputs'.  Also returns whether a ReLU comes after them.
    """
    network, domain, length = claim.network, claim.domain, language.length
    dtype = np.dtype(object if network.arithmetic.kind == "O" else np.int64)
    # per node: the affine node that its values come from, and whether a ReLU is between
    seen: list[tuple[int, bool]] = [(0, False)]
    units: dict[int, np.ndarray] = {}  # per affine node, its columns
    count = 0
    for k, node in enumerate(network.nodes, start=1):
        if isinstance(node, Affine):
            units[k] = np.arange(count, count + node.size)
            count += node.size
        base = k if isinstance(node, Affine) else seen[node.source][0]
        seen.append((base, base != k and base != 0))  # the input's indicators are never negative
    last, rectified = seen[-1]
    if last == 0:
        raise ProofTooLarge("a network without weights is not run")

    symbols, bias = (
        np.zeros((length, language.symbol_count, count), dtype=dtype),
        np.zeros(count, dtype=dtype),
    )
    around = (
        domain.one_hot(np.zeros((1, domain.max_length), dtype=np.int64))[0]
        .astype(np.int64)
        .reshape(domain.positions, -1)
    )
    inside = slice(len(domain.prefix), len(domain.prefix) + length)
    around[inside] = 0
    # (source, whether a ReLU is between, reader, weights), for each affine node that reads another one
    links: list[tuple[int, bool, int, np.ndarray]] = []
    begins, ends = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for k, columns in units.items():
        node = network.nodes[k - 1]
        assert isinstance(node, Affine)
        weights, bias[columns] = network.integer_form(k)
        # per unit, the numbers of symbols after which something arrives
        times: list[set[int]] = [set() for _ in columns]
        for source, w in zip(node.sources, weights, strict=True):
            base, through = seen[source]
            if base:
                links.append((base, through, k, w))
                arrivals = ends[units[base]]
            else:
                blocks = w.reshape(len(w), *around.shape)
                bias[columns] += w @ around.reshape(-1)
                symbols[:, :, columns] += blocks[:, inside, : language.symbol_count].transpose(1, 2, 0)
                w, arrivals = (blocks[:, inside] != 0).any(axis=2), np.arange(1, length + 1)
            for i, j in zip(*np.nonzero(w), strict=True):
                times[i].add(int(arrivals[j]))
        begins[columns], ends[columns] = (
            [min(ts, default=0) for ts in times],
            [max(ts, default=0) for ts in times],
        )

    steps, live = [], np.zeros(0, dtype=np.int64)
    for t in range(length + 1):
        new = np.flatnonzero(begins == t)
        live = np.concatenate([live, new])
        place = {int(column): i for i, column in enumerate(live)}
        passes = []
        for base, through, k, w in sorted(links, key=lambda link: link[0]):
            done = np.flatnonzero(ends[units[base]] == t)
            readers = np.flatnonzero((w[:, done] != 0).any(axis=1))
            if len(readers):
                at = [[place[int(c)] for c in chosen] for chosen in (units[base][done], units[k][readers])]
                passes.append(
                    (np.array(at[0]), through, np.array(at[1]), w[np.ix_(readers, done)].astype(dtype))
                )
        added = symbols[t - 1][:, live] if t else np.zeros((language.symbol_count, len(live)), dtype=dtype)
        needed = (ends[live] > t) | np.isin(live, units[last])
        steps.append(_SweepStep(bias[new], added, tuple(passes), np.flatnonzero(needed)))
        live = live[needed]
    order = np.argsort(live)  # columns in the order of the outputs
    steps[-1] = _SweepStep(steps[-1].begun, steps[-1].added, steps[-1].passes, steps[-1].kept[order])
    return steps, rectified
