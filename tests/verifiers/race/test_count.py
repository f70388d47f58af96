"""Exact counts of disagreeing inputs: three ways against brute force, and beyond what brute force can do."""

from __future__ import annotations

import numpy as np
import pytest
from clocks import LONG, later
from random_claims import random_claim
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.engines.reach.reach import count_disagreeing as reached
from relucid.verifiers.race import count
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.count import DisagreementCount, count_disagreeing
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.request import ProofRequest
from relucid.verifiers.verdict import Proved, Refuted


def wrong(claim: WordClaim) -> int:
    return sum(int((claim.network_labels(words) != labels).sum()) for words, labels in claim.language.words())


def test_every_way_counts_what_brute_force_counts() -> None:
    counted = 0
    for claim in map(random_claim, range(40)):
        expected, budget = wrong(claim), Budget(seconds=LONG)
        whole = DisagreementCount(claim.domain_size - expected, expected, 0)
        assert count._enumerated(claim, budget, print) == whole
        found = reached(claim, LONG)
        assert (found.right, found.wrong, found.undecided) == (whole.right, whole.wrong, 0)
        if expected <= 30:
            assert count._listed(claim, budget, later(), print) == whole
        counted += expected > 0
    assert counted >= 20


def balanced(length: int, bias: float) -> WordClaim:
    """#a - #b + bias > 0 against #a > #b: with bias 1, wrong exactly where they are equal."""
    rows = np.tile([[1.0, -1.0], [0.0, 1.0]], length)
    network = feed_forward(
        [(rows[:1], np.array([float(length)])), (np.array([[1.0]]), np.array([bias - length]))]
    )
    program = Program("def f(tokens):\n    return tokens.count('a') > tokens.count('b')\n", "f")
    return WordClaim(network, program, Domain(("a", "b"), length, length), Decision("sign", (False, True)))


@pytest.mark.parametrize("length", [12, 60, 100])
def test_counts_beyond_enumeration_are_binomials(length: int) -> None:
    from math import comb

    verdict = prove_claim(
        balanced(length, 1.0), budget=Budget(seconds=LONG), request=ProofRequest(count=True)
    )
    assert isinstance(verdict, Refuted) and verdict.disagreeing == comb(length, length // 2)
    assert isinstance(
        prove_claim(balanced(length, 0.0), budget=Budget(seconds=LONG), request=ProofRequest(count=True)),
        Proved,
    )


def test_a_single_wrong_input_among_many_is_counted_by_listing() -> None:
    length = 40
    ones = np.tile([[1.0, 0.0]], length)
    network = feed_forward(
        [(ones, np.array([1.0 - length])), (np.array([[1.0]]), np.zeros(1))]
    )  # 1 on a...a only
    program = Program("def f(tokens):\n    return False\n", "f")
    claim = WordClaim(network, program, Domain(("a", "b"), length, length), Decision("sign", (False, True)))
    found = count._listed(claim, Budget(seconds=LONG), later(), print)
    assert found == DisagreementCount(2**length - 1, 1, 0)


def test_a_count_that_does_not_end_says_between_what_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = balanced(12, 1.0)
    monkeypatch.setattr(count, "_enumerated", lambda *_: None)
    monkeypatch.setattr(count, "_reached", lambda *_: DisagreementCount(4000, 90, 6))
    monkeypatch.setattr(count, "_listed", lambda *_: None)
    assert count_disagreeing(claim, Budget(seconds=LONG)) == DisagreementCount(4000, 90, 6)
    verdict = prove_claim(claim, budget=Budget(seconds=LONG), request=ProofRequest(count=True))
    assert isinstance(verdict, Refuted) and verdict.disagreeing is None
    assert (
        "the disagreeing inputs were not all counted in time: there are from 90 to 96; raise --timeout"
        in verdict.warnings
    )
