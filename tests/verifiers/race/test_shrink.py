"""Counterexamples shrink to the plainest: compared with brute force where that is possible."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.verifiers.race import shrink
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.replay import WordReplayer
from relucid.verifiers.race.shrink import plainest, plainness
from relucid.verifiers.verdict import Refuted

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, many_claim, program

TOKENS = ("a", "b", "c")


def random_claim(seed: int, *, shortest: int = 2, longest: int = 5, where: str | None = None) -> WordClaim:
    rng = np.random.default_rng(seed)
    domain = Domain(TOKENS, shortest, longest, "_", program(where) if where else None)
    layers = [
        (rng.integers(-3, 4, (6, domain.input_size)).astype(float), rng.integers(-3, 4, 6).astype(float)),
        (rng.integers(-3, 4, (1, 6)).astype(float), np.array([0.5])),
    ]
    text = 'def f(tokens):\n    return tokens.count("c") > tokens.count("a")\n'
    return WordClaim(feed_forward(layers), program(text), domain, Decision("sign", (False, True)))


def differing(claim: WordClaim):
    """By brute force over all sequences, plainest first."""
    domain, replayer, out = claim.domain, WordReplayer(claim), []
    for n in range(domain.min_length, domain.max_length + 1):
        for tokens in product(domain.tokens, repeat=n):
            word = domain.padded(tokens)
            if replayer.exact(word).status == "differs":
                out.append(word)
    return sorted(out, key=lambda w: plainness(claim, w))


def everything(word) -> bool:
    return True


def test_plainness_orders_by_length_then_first_tokens_then_dictionary():
    claim = random_claim(0)
    words = [
        claim.domain.padded(tuple(t))
        for t in ("aa", "ab", "ba", "ac", "bb", "cc", "aaa", "aab", "aba", "abb", "bbb")
    ]
    for seed in range(3):
        shuffled = [words[i] for i in np.random.default_rng(seed).permutation(len(words))]
        assert sorted(shuffled, key=lambda w: plainness(claim, w)) == words


@pytest.mark.parametrize("seed", range(4))
def test_small_domains_give_the_plainest_of_all(seed):
    claim = random_claim(seed)
    wanted = differing(claim)
    assert len(wanted) > 20
    assert plainest(claim, [wanted[-1]], 1, everything) == (wanted[0],)
    assert plainest(claim, [wanted[-1]], 7, everything) == tuple(wanted[:7])
    assert plainest(claim, [wanted[-1]], 10_000, everything) == tuple(wanted)


@pytest.mark.parametrize("seed", range(4))
def test_big_domains_give_something_plain_that_still_differs(seed, monkeypatch):
    """The descent, on a domain small enough to know the truth."""
    monkeypatch.setattr(shrink, "EXHAUSTIVE", 0)
    claim = random_claim(seed, where='def f(tokens):\n    return tokens[0] != "a" or len(tokens) != 2\n')
    wanted = differing(claim)
    for start in wanted[:: len(wanted) // 5]:
        (found,) = plainest(claim, [start], 1, everything)
        assert found in wanted
        assert wanted.index(found) <= 3
    several = plainest(claim, [wanted[-1]], 5, everything)
    assert len(set(several)) == 5 and set(several) <= set(wanted)
    assert several[0] == plainest(claim, [wanted[-1]], 1, everything)[0]
    assert list(several) == sorted(several, key=lambda w: plainness(claim, w))


@pytest.mark.parametrize("exhaustive", [0, 10**6])
def test_only_what_survives_is_kept(exhaustive, monkeypatch):
    monkeypatch.setattr(shrink, "EXHAUSTIVE", exhaustive)
    claim = random_claim(1)
    wanted = differing(claim)
    (found,) = plainest(claim, [wanted[-1]], 1, lambda w: w[0] == wanted[-1][0] and w != wanted[0])
    assert found[0] == wanted[-1][0] and found != wanted[0]
    assert plainest(claim, [wanted[-1]], 1, lambda w: False) == ()
    (found,) = plainest(claim, [wanted[-1]], 1, lambda w: w != wanted[0])
    assert 0 < wanted.index(found) <= 3  # goes round what does not survive


def test_pairs_are_edited_together(monkeypatch):
    """Inside `as many b as c`, single edits leave the domain: only pairs can shrink a word."""
    monkeypatch.setattr(shrink, "EXHAUSTIVE", 0)
    domain = Domain(
        TOKENS, 0, 8, "_", program('def f(tokens):\n    return tokens.count("b") == tokens.count("c")\n')
    )
    network = feed_forward([(np.zeros((1, domain.input_size)), np.ones(1))])
    claim = WordClaim(
        network,
        program("def f(tokens):\n    return len(tokens) < 3\n"),
        domain,
        Decision("sign", (False, True)),
    )
    start = domain.padded(("b", "c", "c", "b", "b", "b", "c", "c"))
    (found,) = plainest(claim, [start], 1, everything)
    assert domain.unpadded(found) == ("a", "a", "a")


def test_long_words_shrink_in_reasonable_time():
    domain = Domain(tuple("abcdefgh"), 0, 60, "_")
    weights = np.tile([0.0] * 7 + [1.0, 0.0], 60)[None, :]  # counts h
    claim = WordClaim(
        feed_forward([(weights, np.array([-2.5]))]),
        program("def f(tokens):\n    return False\n"),
        domain,
        Decision("sign", (False, True)),
    )
    start = domain.padded(tuple(np.random.default_rng(0).choice(list("abcdefgh"), 60)))
    assert WordReplayer(claim).exact(start).status == "differs"
    (found,) = plainest(claim, [start], 1, everything)
    assert domain.unpadded(found) == ("h", "h", "h")
    assert plainest(claim, [start], 1, everything) == (found,)


def test_the_race_shows_the_plainest_and_as_many_as_asked():
    claim = many_claim(4, 2.5, shortest=2)
    finder = Fake("finder", "refute", ((1, 1, 0, 0),))
    verdict = prove_claim(claim, registry=[finder], budget=Budget(20.0, 1000, 1))
    assert isinstance(verdict, Refuted)
    assert [c.tokens for c in verdict.counterexamples] == [("a", "a")]
    verdict = prove_claim(claim, registry=[finder], budget=Budget(20.0, 1000, 1, counterexamples=3))
    assert isinstance(verdict, Refuted)
    assert [c.tokens for c in verdict.counterexamples] == [("a", "a"), ("a", "a", "b"), ("a", "b", "a")]
    assert all(not c.network_label and c.program_label for c in verdict.counterexamples)
