"""False claims that differ on one word: a neuron that fires on nothing else, behind sums that always cancel
and spoil every bound.
"""

from __future__ import annotations

import numpy as np
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu
from relucid.models.onnx.writer import with_source
from relucid.models.program.program import Program


def hidden(rng: np.random.Generator, length: int, triples: int, needle: np.ndarray) -> WordClaim:
    """Says "yes" on the needle alone; `triples` of random sums L0, L1, L2 add +-(max(L0, min(L1, L2)) - ...),
    a long way to write 0.
    """
    size = 2 * length
    sums = rng.integers(-3, 4, (3 * triples, size))
    matches = np.zeros(size, dtype=np.int64)
    matches[2 * np.arange(length) + needle] = 1
    first, inner = [], []
    for k in range(triples):
        a, b, c = sums[3 * k : 3 * k + 3]
        first += [a - b, b - c]
        # relu(min(a, b) - c) and relu(a - min(b, c)), by what the first layer has
        inner += [(a - c, 2 * k, -1), (a - b, 2 * k + 1, 1)]
    first.append(matches)
    bias = integer_array([0] * (2 * triples) + [1 - length])
    through = np.zeros((2 * triples, len(first)), dtype=np.int64)
    for row, (_, j, w) in enumerate(inner):
        through[row, j] = w
    last_inner, last_first = (
        np.zeros((2, 2 * triples), dtype=np.int64),
        np.zeros((2, len(first)), dtype=np.int64),
    )
    for k, sign in enumerate(rng.choice([-1, 1], triples)):
        last_inner[1, 2 * k], last_inner[1, 2 * k + 1], last_first[1, 2 * k] = -2 * sign, 2 * sign, -2 * sign
    last_first[1, -1] = 2
    nodes = (
        Affine((0,), (integer_array(first),), bias, 1),
        Relu(1),
        Affine(
            (0, 2),
            (integer_array([row for row, _, _ in inner]), integer_array(through)),
            integer_array([0] * (2 * triples)),
            1,
        ),
        Relu(3),
        Affine((4, 2), (integer_array(last_inner), integer_array(last_first)), integer_array([1, 0]), 1),
    )
    domain = Domain(("a", "b"), length, length)
    return WordClaim(
        with_source(Network(size, nodes, "one_hot")),
        Program("def f(tokens):\n    return 'no'\n", "f"),
        domain,
        Decision("argmax", ("no", "yes")),
    )
