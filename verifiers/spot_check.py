"""A look at random inputs before a proof is believed: a solver that says "proved" of what is plainly false does not win.

Run by `race.py` on the winner's proof.  It can only find a lie, never confirm a proof, so it does not change what a
verdict is trusted for.
"""

from __future__ import annotations

import random
from bisect import bisect
from itertools import accumulate

import numpy as np

from ..models.claim import Claim
from ..models.network import Affine
from .verdict import Attempt

NAME = "spot check"
INPUTS = 500  # at most
WORK = 5 * 10**6  # automaton edges looked at, and products in the network, at most: a look, not a second proof


def spot_check(claim: Claim, seed: int) -> Attempt | None:
    """A refutation by random inputs of the domain (each equally likely), or None where none of them shows one."""
    language = claim.language
    products = sum(w.size for node in claim.network.nodes if isinstance(node, Affine) for w in node.weights)
    work = 1 + sum(map(len, language.edges)) + products
    count = max(1, min(INPUTS, WORK // work))
    words, labels = _random_words(claim, count, random.Random(seed))
    wrong = claim.network_labels(words) != labels
    if not wrong.any():
        return None
    found = tuple(tuple(map(int, word)) for word in words[wrong])
    return Attempt(NAME, "refuted", detail=f"{len(found)} of {count} random inputs differ", words=found)


def _random_words(claim: Claim, count: int, rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Words (count, max_length) int16 and their label indices (count,), each drawn from all words with equal chance."""
    language, completions = claim.language, claim.language.completions()
    states = rng.choices(range(language.layer_sizes[0]), weights=_shares(completions[0]), k=count)
    words = np.zeros((count, language.length), dtype=np.int16)
    for t, layer in enumerate(language.edges):
        outgoing: dict[int, list[tuple[int, int]]] = {s: [] for s in states}
        for source, symbol, target in layer:
            if source in outgoing:
                outgoing[source].append((symbol, target))
        sums = {s: list(accumulate(completions[t + 1][target] for _, target in out)) for s, out in outgoing.items()}
        for i, state in enumerate(states):
            symbol, states[i] = outgoing[state][bisect(sums[state], rng.randrange(sums[state][-1]))]
            words[i, t] = symbol
    return words, np.array([language.labels[s] for s in states], dtype=np.int64)


def _shares(counts: tuple[int, ...]) -> list[float]:
    """Weights as floats, of numbers that may be too large for one."""
    total = sum(counts)
    return [float(n * 10**15 // total) + (n > 0) for n in counts]
