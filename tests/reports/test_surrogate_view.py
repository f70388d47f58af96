"""Layers, weights and margins of surrogates: against the network put together again, and against brute force
in rationals.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from known_claims import CORPUS
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import Affine
from relucid.reports import surrogate_view
from relucid.reports.surrogate_view import layers, margins, weights

NAMES = [
    "adjacent_ab",
    "which_quote_context",
    "count_sign_l3",
    "all_some_none",
    "compare_tie_in_order",
    "parity_6_two_layers",
]


def claim_of(name: str) -> WordClaim:
    return load_word_claim(CORPUS / name / "claim.toml")


def outputs(claim: WordClaim, sequence: tuple[str, ...]) -> list[Fraction]:
    """Python fractions, unit by unit."""
    domain = claim.domain
    words = [*domain.prefix, *sequence, *[domain.pad] * (domain.max_length - len(sequence)), *domain.suffix]
    values = [[Fraction(int(word == symbol)) for word in words for symbol in domain.alphabet]]
    for node in claim.network.nodes:
        if isinstance(node, Affine):
            rows = []
            for i in range(node.size):
                total = Fraction(int(node.bias[i]))
                for source, matrix in zip(node.sources, node.weights, strict=True):
                    total += sum(int(w) * v for w, v in zip(matrix[i], values[source], strict=True))
                rows.append(total / node.denominator)
            values.append(rows)
        else:
            values.append([max(Fraction(0), v) for v in values[node.source]])
    return values[-1]


@pytest.mark.parametrize("name", NAMES)
def test_margins_are_those_of_brute_force(name: str) -> None:
    claim = claim_of(name)
    truth: Counter = Counter()
    for words, _ in claim.language.words():
        for word in words:
            y = outputs(claim, claim.domain.unpadded(word))
            if claim.decision.kind == "sign":
                truth[int(y[0] > 0), float(abs(y[0]))] += 1
            else:
                label = y.index(max(y))
                truth[label, float(y[label] - max(y[:label] + y[label + 1 :]))] += 1
    found = margins(claim)
    assert found.inputs == claim.domain_size and not found.drawn and found.found is not None
    shown: Counter = Counter()
    for b in found.found.bins:
        for label, n in enumerate(b.counts):
            shown[label, b.low] += n
    if all(b.low == b.high for b in found.found.bins):
        assert +shown == truth
    for b in found.found.bins:
        last = b is found.found.bins[-1]
        for label, n in enumerate(b.counts):
            assert n == sum(
                many
                for (y, v), many in truth.items()
                if y == label and (b.low <= v < b.high or v == b.low == b.high or (last and v == b.high))
            )


def test_large_domains_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uniformly: shares are near the true ones, and all drawn inputs are counted."""
    claim = claim_of("compare_tie_in_order")
    everything = margins(claim)
    monkeypatch.setattr(surrogate_view, "EVERY", 5)
    monkeypatch.setattr(surrogate_view, "DRAWN", 4000)
    found = margins(claim)
    assert (
        found.drawn
        and found.inputs == 4000
        and found.found is not None
        and everything.found is not None
        and found.found.inputs == 4000
    )
    for a, b in zip(found.found.bins, everything.found.bins, strict=True):
        assert (a.low, a.high) == (b.low, b.high)
        for n, m in zip(a.counts, b.counts, strict=True):
            assert abs(n / 4000 - m / claim.domain_size) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_weights_put_the_network_together_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = claim_of(name)
    network, alphabet = claim.network, claim.domain.alphabet
    listed, shown = weights(claim), layers(network)
    assert [layer.number for layer in shown] == list(range(1, len(network.nodes) + 1))
    rebuilt = {
        (k, s): np.zeros(w.shape)
        for k, n in enumerate(network.nodes, 1)
        if isinstance(n, Affine)
        for s, w in zip(n.sources, n.weights, strict=True)
    }
    for w in listed:
        column = w.source if w.reads else w.position * len(alphabet) + alphabet.index(w.token)
        assert w.reads == 0 or w.position is w.token is None
        assert float(Fraction(w.exact)) == w.value != 0
        rebuilt[w.node, w.reads][w.unit, column] = w.value
    for k, node in enumerate(network.nodes, 1):
        if isinstance(node, Affine):
            for source, matrix in zip(node.sources, node.weights, strict=True):
                assert (rebuilt[k, source] == matrix.astype(float) / node.denominator).all()
            numbers = [Fraction(int(v), node.denominator) for matrix in node.weights for v in matrix.flat]
            assert shown[k - 1].nonzero == sum(v != 0 for v in numbers) and abs(
                Fraction(shown[k - 1].largest)
            ) == max(map(abs, numbers))
            assert [Fraction(b) * node.denominator for b in shown[k - 1].biases] == list(node.bias)
    monkeypatch.setattr(surrogate_view, "MOST_WEIGHTS", len(listed))
    assert weights(claim) == listed
    monkeypatch.setattr(surrogate_view, "MOST_WEIGHTS", len(listed) - 1)
    assert weights(claim) == ()  # all or none
