"""What every registered backend must do, third parties' too: docs/add-a-backend.md is held by this file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from known_claims import GOLDEN, golden
from random_claims import random_claim, words_of
from relucid.models.claim import Claim, Decision
from relucid.models.claim_file import load_claim
from relucid.models.domain import Domain
from relucid.models.network import feed_forward
from relucid.models.program import Program
from relucid.verifiers.backend import Backend, Budget, options_of
from relucid.verifiers.choose import choose
from relucid.verifiers.registry import all_backends
from relucid.verifiers.verdict import TRUST_ORDER, Attempt

ABSTAINS = {"unsupported", "unknown", "timeout"}
backends = pytest.mark.parametrize("backend", [b for b in all_backends().values() if b.available()], ids=lambda b: b.name)


def disagreeing(claim: Claim) -> set[tuple[int, ...]]:
    """By running the network on every word, in plain Python integers over the affine layers of `feed_forward`."""
    out = set()
    for word, label in words_of(claim).items():
        x = [int(v) for v in claim.domain.one_hot(np.array([word], dtype=np.int64))[0]]
        for k in range(1, len(claim.network.nodes) + 1, 2):
            (weights,), bias = claim.network.integer_form(k)
            x = [sum(int(w) * v for w, v in zip(row, x, strict=True)) + int(b) for row, b in zip(weights, bias, strict=True)]
            x = [max(0, v) for v in x] if k < len(claim.network.nodes) else x
        if claim.decision.kind == "sign":
            answer = int(x[0] > 0)
        else:
            answer = x.index(max(x))
        if answer != label:
            out.add(word)
    return out


def solve(backend: Backend, claim: Claim, **budget: object) -> Attempt:
    attempt = backend.solve(claim, Budget(**{"seconds": 20.0, **budget}), lambda message: None)  # type: ignore[arg-type]
    assert attempt.backend == backend.name and attempt.version == backend.available()
    assert (attempt.outcome == "refuted") == bool(attempt.words)
    assert attempt.outcome in ABSTAINS | {"proved", "refuted"}, attempt
    assert attempt.trust == (backend.capabilities.trust if attempt.outcome == "proved" else None)
    assert all(type(s) is int for word in attempt.words for s in word)
    return attempt


def right(attempt: Attempt, wrong: set[tuple[int, ...]], wanted: int) -> None:
    assert attempt.outcome == ("refuted" if wrong else "proved"), attempt
    assert len(set(attempt.words)) == len(attempt.words) == min(wanted, len(wrong))
    assert set(attempt.words) <= wrong


@backends
def test_it_says_what_it_is(backend: Backend) -> None:
    assert backend.capabilities.trust in TRUST_ORDER and backend.capabilities.description
    assert all_backends()[backend.name] is backend
    assert pickle.loads(pickle.dumps(backend)).name == backend.name  # it travels to the race's child processes
    assert backend.unfit(random_claim(0)) is None


@backends
def test_right_on_random_claims_with_as_many_counterexamples_as_asked(backend: Backend) -> None:
    outcomes = set()
    for seed in range(30):
        claim = random_claim(seed)
        wrong = disagreeing(claim)
        wanted = 1 + seed % 3
        right(solve(backend, claim, counterexamples=wanted), wrong, wanted)
        outcomes.add(bool(wrong))
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    "name", [f"{b.name}:{o.replace('=N', '=2')}" for b in all_backends().values() if b.available() for o in options_of(b)]
)
def test_every_option_leaves_the_answers_right(name: str) -> None:
    (variant,) = choose(name)
    for seed in range(40, 50):
        claim = random_claim(seed)
        right(solve(variant, claim, counterexamples=1 + 20 * (seed % 2)), disagreeing(claim), 1 + 20 * (seed % 2))
    for claim in CASES.values():
        right(solve(variant, claim, counterexamples=100), disagreeing(claim), 100)


def counting(bias: float, *, decision: Decision | None = None, **domain: object) -> Claim:
    """relu(#a - 1) + relu(#b) - relu(#b) + bias > 0 against #a > 1: true for bias 0, with ties at the decision boundary."""
    over = Domain(**{"tokens": ("a", "b"), "min_length": 4, "max_length": 4, **domain})  # type: ignore[arg-type]
    position = np.zeros((3, len(over.alphabet)))
    position[0, 0], position[1:, 1] = 1, 1
    first = np.tile(position, (1, over.positions))
    if over.prefix:
        first[:, : len(over.prefix) * len(over.alphabet)] = 0
    rows = np.array([[1.0, 1, -1]]) if decision is None else np.array([[0.0, 0, 0], [1, 1, -1]])
    last = np.array([bias]) if decision is None else np.array([0.0, bias])
    program = Program("def f(tokens):\n    return tokens.count('a') > 1\n", "f")
    return Claim(feed_forward([(first, np.array([-1.0, 0, 0])), (rows, last)]), program, over, decision or Decision("sign", (False, True)))


CASES = {
    "true, with ties": counting(0.0),
    "false only at a tie": counting(2.0**-20),
    "argmax, ties to the first": counting(0.0, decision=Decision("argmax", (False, True))),
    "argmax, false": counting(2.0**-20, decision=Decision("argmax", (False, True))),
    "padded, from no token on": counting(0.0, min_length=0, pad="_"),
    "padded, false": counting(-1.0, min_length=0, pad="_"),
    "context": counting(0.0, prefix=("a", "b", "<s>"), pad="_"),
    "empty sequences only": counting(0.0, min_length=0, max_length=0, suffix=("b",)),
    "empty sequences only, false": counting(0.5, min_length=0, max_length=0, suffix=("b",)),
    "predicate": counting(-1.0, where=Program("def w(tokens):\n    return tokens.count('a') != 2\n", "w")),
    "one label": Claim(
        feed_forward([(np.ones((2, 4)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]),
        Program("def f(tokens):\n    return 'x'\n", "f"),
        Domain(("a", "b"), 2, 2),
        Decision("argmax", ("x",)),
    ),
}


@backends
@pytest.mark.parametrize("case", CASES)
def test_right_at_the_edges(backend: Backend, case: str) -> None:
    wrong = disagreeing(CASES[case])
    right(solve(backend, CASES[case], counterexamples=100), wrong, 100)


@backends
@pytest.mark.parametrize("power", [30, 45, 70])
def test_wide_numbers_give_the_right_answer_or_none(backend: Backend, power: int) -> None:
    program = Program("def f(tokens):\n    return tokens.count('a') > 1\n", "f")
    for shift in (0.0, 1.0):
        count = np.tile([2.0**power, 0.0], 3)
        first = (np.array([count, count / 2]), np.array([-(2.0**power), -shift]))
        second = (np.array([[2.0**power, -1.0], [1.0, 1.0]]), np.array([-(2.0**power), 0.5]))
        network = feed_forward([first, second, (np.array([[1.0, 0.0]]), np.zeros(1))])
        claim = Claim(network, program, Domain(("a", "b"), 3, 3), Decision("sign", (False, True)))
        wrong = disagreeing(claim)
        attempt = solve(backend, claim)
        if attempt.outcome not in ABSTAINS:
            right(attempt, wrong, 1)
        else:
            assert attempt.detail


@backends
def test_no_time_is_a_timeout_and_the_seed_decides(backend: Backend) -> None:
    attempt = solve(backend, CASES["false only at a tie"], seconds=-1.0)
    assert attempt.outcome == "timeout" and attempt.detail
    again = [solve(backend, CASES["false only at a tie"], seed=7).words for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/golden is not here")
@backends
def test_right_on_the_golden_claims(backend: Backend) -> None:
    for known in golden():
        expected = known.expected
        if expected["exit"] != 2:
            claim = load_claim(Path(known.claim_file))
            attempt = solve(backend, claim, counterexamples=2)
            assert (attempt.outcome, len(attempt.words)) == (expected["verdict"], min(2, int(expected["disagreeing"]))), known.folder.name
            for word in attempt.words:
                network, own = claim.network_labels(np.array([word])), claim.program_label(claim.domain.unpadded(word))
                assert json.dumps(claim.decision.labels[int(network[0])]) != json.dumps(own)
