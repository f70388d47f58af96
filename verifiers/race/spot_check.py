"""A look at random inputs before a proof is believed: what is plainly false is not proved.

`race.py` runs it on the winner's proof, in exact arithmetic, and in onnxruntime on the network's own file.
It can only find a lie, never confirm a proof, so it does not change what a verdict is trusted for.
"""

from __future__ import annotations

import random
from bisect import bisect
from itertools import accumulate
from typing import Any

import numpy as np

from ...common.errors import InputError
from ...models.claims.word_claim import WordClaim
from ...models.network.float32 import exact_in_float32
from ...models.network.network import Affine
from ...models.network.runtime import RuntimeMismatch
from ...models.network.stacked import same_nodes
from ...models.onnx.agreement import compare
from ...models.onnx.reader import trace_onnx
from ..attempts import Attempt
from ..verdict import Contradiction
from .replay import NOT_REPLAYED, WordReplayer

NAME = "spot check"
INPUTS, IN_ONNXRUNTIME = 500, 100  # at most
# automaton edges looked at, and products in the network, at most: a look, not a second proof
WORK = 5 * 10**6


def spot_check(claim: WordClaim, seed: int) -> Attempt | None:
    """Refute by random inputs of the domain, equally likely.  Returns None where none of them differs."""
    count = _affordable(claim)
    words, labels = _random_words(claim, count, random.Random(seed))
    wrong = claim.network_labels(words) != labels
    if not wrong.any():
        return None
    found = tuple(tuple(map(int, word)) for word in words[wrong])
    return Attempt(NAME, "refuted", detail=f"{len(found)} of {count} random inputs differ", words=found)


def spot_check_in_onnxruntime(claim: WordClaim, replay: WordReplayer, seed: int) -> tuple[str, ...]:
    """Run the network's own file on random inputs.

    Returns warnings about a proof; none where the labels are the same.

    Raises Contradiction where the file gives another label, and rounding does not explain it.
    """
    networks = (
        (claim.network,)
        if claim.comparison is None
        else (claim.comparison.network, claim.comparison.network_b)
    )
    if not all(network.source for network in networks):
        return ()
    words, labels = _random_words(claim, min(IN_ONNXRUNTIME, _affordable(claim)), random.Random(seed))
    try:
        found = replay.labels_in_onnxruntime(words)
    except RuntimeMismatch as error:
        return (f"what was proved is about exact arithmetic: {error}",)
    if found is None:
        return (replay.missing.replace(NOT_REPLAYED, "what was proved was not run there"),)
    wrong = words[found != labels]
    if not len(wrong):
        return ()
    tokens = list(claim.domain.unpadded(tuple(map(int, wrong[0]))))
    what = f"onnxruntime gives another label than was proved on {tokens}"
    size: dict[str, Any] = {"positions": claim.domain.positions, "alphabet": len(claim.domain.alphabet)}
    for network in networks:
        reading = trace_onnx(network.source, origin=network.name, **size)
        if not same_nodes(reading.network, network):
            raise Contradiction(f"{what}: the file of {network.name} is that of another network")
        try:
            compare(reading, claim.domain.one_hot(wrong))
        except InputError as error:
            raise Contradiction(f"{what}: {error}") from None
    if all(exact_in_float32(network, claim.domain.positions).ok for network in networks):
        raise Contradiction(f"{what}, although float32 computes the network exactly")
    often = f"on {len(wrong)} of {len(words)} random inputs in all"
    return (f"{what}, and {often}: it rounds, and what was proved is about exact arithmetic",)


def _affordable(claim: WordClaim) -> int:
    products = sum(w.size for node in claim.network.nodes if isinstance(node, Affine) for w in node.weights)
    return max(1, min(INPUTS, WORK // (1 + sum(map(len, claim.language.edges)) + products)))


def _random_words(claim: WordClaim, count: int, rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Draw words (count, max_length) int16 and their label indices (count,), all words with equal chance."""
    language, completions = claim.language, claim.language.completions()
    states = rng.choices(range(language.layer_sizes[0]), weights=_shares(completions[0]), k=count)
    words = np.zeros((count, language.length), dtype=np.int16)
    for t, layer in enumerate(language.edges):
        outgoing: dict[int, list[tuple[int, int]]] = {s: [] for s in states}
        for source, symbol, target in layer:
            if source in outgoing:
                outgoing[source].append((symbol, target))
        sums = {
            s: list(accumulate(completions[t + 1][target] for _, target in out))
            for s, out in outgoing.items()
        }
        for i, state in enumerate(states):
            symbol, states[i] = outgoing[state][bisect(sums[state], rng.randrange(sums[state][-1]))]
            words[i, t] = symbol
    return words, np.array([language.labels[s] for s in states], dtype=np.int64)


def _shares(counts: tuple[int, ...]) -> list[float]:
    """Return weights as floats, of numbers that may be too large for one."""
    total = sum(counts)
    return [float(n * 10**15 // total) + (n > 0) for n in counts]
