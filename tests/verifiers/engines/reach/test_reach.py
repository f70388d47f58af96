"""`reach` on whole claims: answers, exact counts by enumeration and by formula, time, and what it says when
time is up.
"""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from clocks import LONG, Ticking, calls, later
from reach_cases import claims, wrong_words
from relucid.common.errors import Unsupported
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.models.surrogates.machine import LabelMachine
from relucid.models.surrogates.one_hot import layered_of, one_hot_network
from relucid.verifiers.backends.reach import BACKEND
from relucid.verifiers.engines.reach import chunks, reach
from relucid.verifiers.engines.reach.chunks import Chunks
from relucid.verifiers.engines.reach.reach import Count, Reach, count_disagreeing
from relucid.verifiers.engines.reach.refine import Options
from relucid.verifiers.race.backend import Budget


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """A thousand looks are a second: slices and deadlines end after the same work on every machine."""
    ticking = Ticking(0.001)
    monkeypatch.setattr(time, "monotonic", ticking)
    return ticking


def noisy_counting(
    length: int, asked: int, learnt: int, tokens: str = "abcd", noise: int = 3, seed: int = 0
) -> WordClaim:
    """At least `asked` times a, against relu(x - learnt + 1) - relu(x - learnt) where x is the number of a
    with noise at every position.

    The noise of a whole word stays below 1/4, so the network says exactly whether there are at least
    `learnt`.
    """
    rng, size = np.random.default_rng(seed), len(tokens)
    unit = 8 * noise * length
    first = np.zeros((2, length * size))
    for row in first:
        row += rng.integers(-noise, noise + 1, size=length * size) / unit
        row[::size] += 1
    program = Program(f"def f(tokens):\n    return tokens.count('a') >= {asked}\n", "f")
    layers = [(first, np.array([1.0 - learnt, -float(learnt)])), (np.array([[1.0, -1.0]]), np.array([-0.5]))]
    scaled = [(np.round(w * 2**12) / 2**12, b) for w, b in layers]
    return WordClaim(
        feed_forward(scaled), program, Domain(tuple(tokens), length, length), Decision("sign", (False, True))
    )


def test_counts_as_by_enumeration() -> None:
    counted = 0
    for claim in claims(60):
        wrong = len(wrong_words(claim))
        assert count_disagreeing(claim, LONG) == Count(claim.domain_size - wrong, wrong, 0)
        counted += 0 < wrong < claim.domain_size
    assert counted > 20


@pytest.mark.parametrize("sweeps", [False, True])
def test_counts_without_sweeps_and_by_sweeps_alone(sweeps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    method = "_grouped" if sweeps else "_swept"
    monkeypatch.setattr(Reach, method, lambda self, *_: False)
    for claim in claims(20):
        if sweeps and claim.language.length > 6:
            continue
        assert count_disagreeing(claim, LONG).wrong == len(wrong_words(claim))


@pytest.mark.parametrize(
    "length, asked, tokens", [(40, 13, "abcd"), (60, 20, "abcd"), (110, 37, "ab"), (48, 16, "abcdefgh")]
)
def test_counts_over_10_to_the_20_and_more_inputs_by_formula(length: int, asked: int, tokens: str) -> None:
    claim = noisy_counting(length, asked, asked + 1, tokens)
    wrong = math.comb(length, asked) * (len(tokens) - 1) ** (
        length - asked
    )  # exactly those with `asked` times a
    assert claim.domain_size > 10**20
    assert count_disagreeing(claim, LONG) == Count(claim.domain_size - wrong, wrong, 0)


@pytest.mark.parametrize("length", [20, 64, 200])
def test_decides_noisy_counting_at_any_length(length: int) -> None:
    search = Reach(noisy_counting(length, length // 3, length // 3))
    assert (
        search.run(later()) and not search.words and search.settled == Count(search.claim.domain_size, 0, 0)
    )
    wrong = Reach(noisy_counting(length, length // 3, length // 3 + 1))
    assert wrong.run(later()) and len(wrong.words) >= 1
    assert all(word.count(0) == length // 3 for word in wrong.words)


def test_as_many_counterexamples_as_asked_and_all_of_them_where_there_are_fewer() -> None:
    claim = noisy_counting(30, 28, 29, "ab")  # 435 inputs have 28 times a
    for wanted in (1, 7, 100, 1000):
        search = Reach(claim)
        assert search.run(later(), wanted)
        assert len(search.words) >= min(wanted, 435) and all(w.count(0) == 28 for w in search.words)
        attempt = BACKEND.solve(claim, Budget(seconds=LONG, counterexamples=wanted), lambda text: None)
        assert attempt.outcome == "refuted" and len(set(attempt.words)) == len(attempt.words) == min(
            wanted, 435
        )


def test_when_time_is_up_it_says_how_much_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "DEFAULT", Options(few=1, nodes=1, rounds=0, attacks=1, steps_of_attack=0))
    claim = noisy_counting(40, 14, 14)
    late = Reach(claim, options=reach.DEFAULT)
    assert not late.run(time.monotonic() - 1) and late.settled == Count(0, 0, claim.domain_size)
    before = -1
    while not late.run(time.monotonic() + 0.05):
        now = late.settled
        assert now.right + now.wrong + now.undecided == claim.domain_size and now.settled >= before
        before = now.settled
    assert late.settled == Count(claim.domain_size, 0, 0)
    attempt = BACKEND.solve(claim, Budget(seconds=-1), lambda text: None)
    assert attempt.outcome == "timeout" and attempt.proved_inputs == 0
    assert count_disagreeing(claim, -1) == Count(0, 0, claim.domain_size)


def test_a_deadline_is_kept(clock: Ticking) -> None:
    """Whoever works looks at the clock often enough, and stops when it is late."""
    rng = np.random.default_rng(0)
    sizes = [30 * 4, 24, 24, 24, 1]
    layers = [
        (np.round(rng.normal(size=(b, a)) * 64) / 64 / np.sqrt(a), np.zeros(b)) for a, b in pairwise(sizes)
    ]
    program = Program("def f(tokens):\n    return tokens.count('a') >= 8\n", "f")
    claim = WordClaim(
        feed_forward(layers), program, Domain(tuple("abcd"), 30, 30), Decision("sign", (False, True))
    )
    for counting in (False, True):
        clock.tick = 0.01
        search, until = Reach(claim, counting), clock.now + 2.0
        looks = clock.looks
        worked = calls(lambda search=search, until=until: search.run(until, wanted=10**9))
        assert clock.now < until + 10 * clock.tick and 200 <= clock.looks - looks < 210
        assert worked < 200 * 20_000  # between two looks
        now = search.settled
        assert now.right + now.wrong + now.undecided == claim.domain_size


def test_what_neither_way_can_do_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = noisy_counting(20, 5, 6)

    def wide(*_: object) -> None:
        raise Unsupported("too wide")

    monkeypatch.setattr(reach, "GroupedSearch", wide)
    assert BACKEND.solve(claim, Budget(seconds=LONG), lambda text: None).outcome == "refuted"  # by sweeps
    monkeypatch.setattr(reach, "Unrolled", wide)
    attempt = BACKEND.solve(claim, Budget(seconds=LONG), lambda text: None)
    assert attempt.outcome == "unsupported" and "too wide" in attempt.detail
    with pytest.raises(Unsupported, match="too wide"):
        count_disagreeing(claim, LONG)


def test_sweeps_go_on_with_what_one_could_not_hold() -> None:
    claim = noisy_counting(12, 4, 5, "ab")
    search = Reach(claim, counting=True)
    search.deep = True
    assert search.run(later()) and search.settled.wrong == math.comb(12, 4)
    assert isinstance(search.chunks, Chunks) and "sums" in str(search)


def test_one_sweep_is_tried_first_whatever_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three layers are not deep, but few sums settle them, without bounds of any layer."""
    domain = Domain(("a", "b"), 4, 4)
    parity = LabelMachine(np.array([[1, 0], [0, 1]]), np.array([0, 1]))
    network = one_hot_network(layered_of(parity, 4).automaton(2), domain, np.eye(2, dtype=np.int64))
    program = Program.from_source('def odd(tokens):\n    return tokens.count("a") % 2 == 1\n')
    claim = WordClaim(network, program, domain, Decision("argmax", (False, True)))
    with monkeypatch.context() as patch:
        patch.setattr(Reach, "_grouped", lambda *_: pytest.fail("one sweep is enough"))
        search = Reach(claim)
        assert not search.deep and search.run(later()) and search.settled == Count(16, 0, 0)
    monkeypatch.setattr(chunks, "CELLS", 1)  # not even the second entry fits
    search = Reach(claim)
    assert search.run(later()) and search.settled == Count(16, 0, 0)
    assert search.parts is not None and search.chunks is not None and search.chunks.most < 16
