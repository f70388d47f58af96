"""Claims that are a little different from a given one, and what brute force says about them.  Used by the
tests of the proof checkers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from relucid.models.claims.decision import Decision
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.program.program import Program


def brute_force(claim: WordClaim) -> bool:
    """Whether the claim is true, word by word."""
    return all((claim.network_labels(words) == labels).all() for words, labels in claim.language.words())


def told_by_its_network(claim: WordClaim) -> WordClaim | None:
    """A true claim about the same network: the program is the table of what the network says.  None where it
    says one thing only.
    """
    sequences: dict[int, list[tuple[str, ...]]] = {}
    for words, _ in claim.language.words():
        for word, label in zip(words, claim.network_labels(words), strict=True):
            sequences.setdefault(int(label), []).append(claim.domain.unpadded(word))
    lines = [
        f"    if tokens in {tuple(found)!r}:\n        return {claim.decision.labels[label]!r}\n"
        for label, found in sequences.items()
    ]
    source = f"def f(tokens):\n{''.join(lines)}    return {claim.decision.labels[0]!r}\n"
    return replace(claim, program=Program(source, "f")) if len(sequences) > 1 else None


def with_network(
    claim: WordClaim, change: Callable[[np.ndarray, np.ndarray, random.Random], None], rng: random.Random
) -> WordClaim:
    """One affine node changed: `change` gets (first weights, bias) as object arrays."""
    nodes = list(claim.network.nodes)
    k = rng.choice([i for i, n in enumerate(nodes) if isinstance(n, Affine) and n.weights])
    node = nodes[k]
    assert isinstance(node, Affine)
    weights, bias = node.weights[0].astype(object).copy(), node.bias.astype(object).copy()
    change(weights, bias, rng)
    nodes[k] = replace(node, matrices=(integer_array(weights), *node.weights[1:]), bias=integer_array(bias))
    return replace(claim, network=replace(claim.network, nodes=tuple(nodes), source=b""))


def change_weight(weights: np.ndarray, bias: np.ndarray, rng: random.Random) -> None:
    weights[rng.randrange(weights.shape[0]), rng.randrange(weights.shape[1])] += rng.choice([-3, -1, 1, 3])


def change_bias(weights: np.ndarray, bias: np.ndarray, rng: random.Random) -> None:
    bias[rng.randrange(len(bias))] += rng.choice([-5, -1, 1, 5])


def negate_row(weights: np.ndarray, bias: np.ndarray, rng: random.Random) -> None:
    row = rng.randrange(len(bias))
    weights[row], bias[row] = -weights[row], -bias[row]


def swap_rows(weights: np.ndarray, bias: np.ndarray, rng: random.Random) -> None:
    a, b = rng.randrange(len(bias)), rng.randrange(len(bias))
    weights[[a, b]], bias[[a, b]] = weights[[b, a]], bias[[b, a]]


def drop_row(weights: np.ndarray, bias: np.ndarray, rng: random.Random) -> None:
    weights[rng.randrange(len(bias))] = 0


def other_labels(claim: WordClaim, rng: random.Random) -> WordClaim:
    labels = list(claim.decision.labels)
    rng.shuffle(labels)
    return replace(claim, decision=Decision(claim.decision.kind, tuple(labels)))


def other_kind(claim: WordClaim, rng: random.Random) -> WordClaim:
    """The tie rule the other way round: every sign flipped and the labels swapped."""
    if claim.decision.kind != "sign":
        return other_labels(claim, rng)
    flipped = with_network(claim, lambda w, b, r: None, rng)
    last = flipped.network.nodes[-1]
    if not isinstance(last, Affine):
        return other_labels(claim, rng)
    nodes = (
        *flipped.network.nodes[:-1],
        replace(
            last, matrices=tuple(integer_array(-w) for w in last.weights), bias=integer_array(-last.bias)
        ),
    )
    labels = tuple(reversed(claim.decision.labels))
    return replace(claim, network=replace(flipped.network, nodes=nodes), decision=Decision("sign", labels))


def other_program(claim: WordClaim, rng: random.Random) -> WordClaim:
    texts = [
        "len(tokens) > 1",
        "tokens.count('a') > 0",
        "True",
        "False",
        "'b' in tokens",
        "tokens[:1] == ('a',)",
    ]
    if {type(y) for y in claim.decision.labels} != {bool}:
        return other_labels(claim, rng)
    return replace(claim, program=Program(f"def f(tokens):\n    return {rng.choice(texts)}\n", "f"))


def other_where(claim: WordClaim, rng: random.Random) -> WordClaim:
    text = rng.choice(["True", "len(tokens) >= 0", "tokens.count('b') < 2", "'a' in tokens"])
    where = None if claim.domain.where is not None else Program(f"def w(tokens):\n    return {text}\n", "w")
    return replace(claim, domain=replace(claim.domain, where=where))


CLAIM_MUTANTS: dict[str, Callable[[WordClaim, random.Random], WordClaim]] = {
    "weight": lambda c, r: with_network(c, change_weight, r),
    "bias": lambda c, r: with_network(c, change_bias, r),
    "row negated": lambda c, r: with_network(c, negate_row, r),
    "rows swapped": lambda c, r: with_network(c, swap_rows, r),
    "row dropped": lambda c, r: with_network(c, drop_row, r),
    "label order": other_labels,
    "tie rule": other_kind,
    "program": other_program,
    "where": other_where,
}


def spoilt(claim: WordClaim, word: tuple[int, ...]) -> WordClaim | None:
    """The same network but for one word, where the bias of the last node is overcome by a new ReLU: max(0,
    matches - length + 1).
    """
    network, domain = claim.network, claim.domain
    last = network.nodes[-1]
    if not isinstance(last, Affine) or not word:
        return None
    inputs = domain.one_hot(np.array([word]))[0].astype(np.int64)
    match = Affine((0,), (integer_array(inputs[None]),), integer_array([1 - int(inputs.sum())]))
    label = int(claim.network_labels(np.array([word]))[0])
    size = 1 + sum(
        int(abs(int(v))) for f in (network.evaluate(domain.one_hot(np.array([word]))),) for v in f.flat
    )
    push = np.zeros((last.size, 1), dtype=object)
    if claim.decision.kind == "sign":
        push[0, 0] = -size if label == 1 else size
    elif len(claim.decision.labels) > 1:
        push[(label + 1) % len(claim.decision.labels), 0] = size
    else:
        return None
    count = len(network.nodes)
    ends = replace(
        last,
        sources=(*last.sources, count + 1),
        matrices=(*last.weights, integer_array(push * last.denominator)),
    )
    nodes = (*network.nodes[:-1], match, Relu(count), ends)
    return replace(claim, network=Network(network.input_size, nodes, network.encoding))
