"""What every backend must do, as checks: `relucid backends --check NAME`, and `CHECKS` for tests.

Bundled backends and those of third parties meet the same ones.  The claims are small enough for brute force,
which runs the network in plain Python integers.  docs/reference/add-a-backend.md says what the checks stand
for.
"""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from ...models.claims.decision import Decision
from ...models.claims.domain import Domain
from ...models.claims.word_claim import WordClaim
from ...models.network.network import feed_forward
from ...models.program.program import Program
from ..attempts import TRUST_ORDER, Attempt
from ..evidence import Coverage, Uncovered
from .backend import Backend, Budget, options_of
from .choose import choose

Word = tuple[int, ...]
ABSTAINS = ("unsupported", "unknown", "timeout")
PROGRAMS = (
    "def f(tokens):\n    return tokens.count('a') > 1\n",
    "def f(tokens):\n    return tokens.count('a') > tokens.count('b')\n",
    "def f(tokens):\n    p = False\n    for t in tokens:\n        if t == 'a':\n            p = not p\n    "
    "return p\n",
    "def f(tokens):\n    seen = False\n    for t in tokens:\n        if t != 'c':\n            seen = t == "
    "'a'\n    return seen\n",
)
WHERE = "def w(tokens):\n    return tokens.count('b') < 3\n"
SECONDS = 20.0


class Breach(Exception):
    """A backend does what it must not."""


def must(condition: object, message: str) -> None:
    """Raise Breach unless the condition holds."""
    if not condition:
        raise Breach(message)


def random_claim(seed: int) -> WordClaim:
    """Make a random claim: 1 to 3 hidden layers, ties, padding, context, predicates."""
    rng = random.Random(seed)
    length = rng.randint(1, 4)
    padded = rng.random() < 0.4
    domain = Domain(
        tokens=("a", "b", "c")[: rng.randint(2, 3)],
        min_length=rng.randint(0, length) if padded else length,
        max_length=length,
        pad="_" if padded else None,
        prefix=rng.choice([(), (), ("<s>", "a")]),
        suffix=rng.choice([(), (), ("<q>",)]),
        where=Program(WHERE, "w") if rng.random() < 0.3 else None,
    )
    decision = rng.choice(
        [
            Decision("sign", (False, True)),
            Decision("argmax", (False, True)),
            Decision("argmax", ("x", True, False)),
        ]
    )
    sizes = [domain.input_size, *(rng.randint(1, 5) for _ in range(rng.randint(1, 3))), decision.outputs]
    numbers, unit = np.random.default_rng(seed), rng.choice([1, 2, 8])
    layers = [
        (numbers.integers(-4, 5, size=(out, into)) / unit, numbers.integers(-3, 4, size=out) / unit)
        for into, out in itertools.pairwise(sizes)
    ]
    return WordClaim(feed_forward(layers), Program(rng.choice(PROGRAMS), "f"), domain, decision)


def words_of(claim: WordClaim) -> dict[Word, int]:
    """Return every word of the domain with the program's label index."""
    return {
        tuple(map(int, w)): int(y)
        for words, labels in claim.language.words()
        for w, y in zip(words, labels, strict=True)
    }


def disagreeing(claim: WordClaim) -> set[Word]:
    """Return the words on which network and program differ, by plain Python integers over the layers of
    `feed_forward`.
    """
    out = set()
    for word, label in words_of(claim).items():
        x = [int(v) for v in claim.domain.one_hot(np.array([word], dtype=np.int64))[0]]
        for k in range(1, len(claim.network.nodes) + 1, 2):
            (weights,), bias = claim.network.integer_form(k)
            x = [
                sum(int(w) * v for w, v in zip(row, x, strict=True)) + int(b)
                for row, b in zip(weights, bias, strict=True)
            ]
            x = [max(0, v) for v in x] if k < len(claim.network.nodes) else x
        if (int(x[0] > 0) if claim.decision.kind == "sign" else x.index(max(x))) != label:
            out.add(word)
    return out


def solve(backend: Backend, claim: WordClaim, **budget: Any) -> Attempt:
    """Run the backend.  Returns its attempt, which has to be of the right form."""
    attempt = backend.solve(claim, Budget(**{"seconds": SECONDS, **budget}), lambda message: None)
    must(
        attempt.backend == backend.name and attempt.version == backend.available(),
        f"the attempt has another name or version: {attempt}",
    )
    must(
        (attempt.outcome == "refuted") == bool(attempt.words),
        f"words go with refuted, and with nothing else: {attempt}",
    )
    must(attempt.outcome in (*ABSTAINS, "proved", "refuted"), f"no such outcome: {attempt}")
    trust = backend.capabilities.trust if attempt.outcome == "proved" else None
    must(attempt.trust == trust, f"trust {attempt.trust} instead of {trust}: {attempt}")
    if attempt.outcome == "proved":
        try:
            Coverage.of(claim, attempt.evidence)
        except Uncovered as why:
            raise Breach(f"it says proved, but {why}") from None
    must(
        all(type(s) is int for word in attempt.words for s in word),
        f"words are tuples of int: {attempt.words}",
    )
    return attempt


def right(attempt: Attempt, wrong: set[Word], wanted: int, about: str) -> None:
    """Check an answer against brute force: its outcome, and that there are as many words as wanted."""
    answer = "refuted" if wrong else "proved"
    must(attempt.outcome == answer, f"{about}: {attempt.outcome} instead of {answer} ({attempt.detail})")
    must(
        len(set(attempt.words)) == len(attempt.words) == min(wanted, len(wrong)),
        f"{about}: {len(attempt.words)} words of {wanted}",
    )
    must(set(attempt.words) <= wrong, f"{about}: a word on which network and program agree")


def counting(bias: float, *, decision: Decision | None = None, **domain: Any) -> WordClaim:
    """Make a network for "more than one a": relu(#a - 1) + relu(#b) - relu(#b) + bias > 0.

    It is right for bias 0, with ties at the decision boundary.
    """
    over = Domain(**{"tokens": ("a", "b"), "min_length": 4, "max_length": 4, **domain})
    position = np.zeros((3, len(over.alphabet)))
    position[0, 0], position[1:, 1] = 1, 1
    first = np.tile(position, (1, over.positions))
    if over.prefix:
        first[:, : len(over.prefix) * len(over.alphabet)] = 0
    rows = np.array([[1.0, 1, -1]]) if decision is None else np.array([[0.0, 0, 0], [1, 1, -1]])
    last = np.array([bias]) if decision is None else np.array([0.0, bias])
    program = Program("def f(tokens):\n    return tokens.count('a') > 1\n", "f")
    return WordClaim(
        feed_forward([(first, np.array([-1.0, 0, 0])), (rows, last)]),
        program,
        over,
        decision or Decision("sign", (False, True)),
    )


@cache
def edge_cases() -> Mapping[str, WordClaim]:
    """Return claims on which backends have gone wrong."""
    either = Decision("argmax", (False, True))
    return {
        "true, with ties": counting(0.0),
        "false only at a tie": counting(2.0**-20),
        "argmax, ties to the first": counting(0.0, decision=either),
        "argmax, false": counting(2.0**-20, decision=either),
        "padded, from no token on": counting(0.0, min_length=0, pad="_"),
        "padded, false": counting(-1.0, min_length=0, pad="_"),
        "context": counting(0.0, prefix=("a", "b", "<s>"), pad="_"),
        "empty sequences only": counting(0.0, min_length=0, max_length=0, suffix=("b",)),
        "empty sequences only, false": counting(0.5, min_length=0, max_length=0, suffix=("b",)),
        "predicate": counting(
            -1.0, where=Program("def w(tokens):\n    return tokens.count('a') != 2\n", "w")
        ),
        "one label": WordClaim(
            feed_forward([(np.ones((2, 4)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]),
            Program("def f(tokens):\n    return 'x'\n", "f"),
            Domain(("a", "b"), 2, 2),
            Decision("argmax", ("x",)),
        ),
    }


def wide_claims() -> Iterator[tuple[str, WordClaim]]:
    """Return claims with numbers around 2^30, 2^45 and 2^70, in which differences of 1 count."""
    program = Program("def f(tokens):\n    return tokens.count('a') > 1\n", "f")
    for power, shift in itertools.product((30, 45, 70), (0.0, 1.0)):
        count = np.tile([2.0**power, 0.0], 3)
        first = (np.array([count, count / 2]), np.array([-(2.0**power), -shift]))
        second = (np.array([[2.0**power, -1.0], [1.0, 1.0]]), np.array([-(2.0**power), 0.5]))
        network = feed_forward([first, second, (np.array([[1.0, 0.0]]), np.zeros(1))])
        yield (
            f"numbers of {power} bits, shift {shift:g}",
            WordClaim(network, program, Domain(("a", "b"), 3, 3), Decision("sign", (False, True))),
        )


def says_what_it_is(backend: Backend) -> None:
    must(backend.available(), "it is not installed: `available()` gives no version")
    must(
        backend.capabilities.trust in TRUST_ORDER and backend.capabilities.description,
        "its capabilities have no trust or no description",
    )
    must(
        pickle.loads(pickle.dumps(backend)).name == backend.name,
        "it does not survive pickling, by which it travels to its process",
    )
    must(backend.unfit(random_claim(0)) is None, "it calls a claim of a handful of inputs unfit")


def right_on_random_claims(backend: Backend) -> None:
    for seed in range(30):
        claim, wanted = random_claim(seed), 1 + seed % 3
        right(
            solve(backend, claim, counterexamples=wanted), disagreeing(claim), wanted, f"random claim {seed}"
        )


def right_at_the_edges(backend: Backend) -> None:
    for name, claim in edge_cases().items():
        right(solve(backend, claim, counterexamples=100), disagreeing(claim), 100, name)


def wide_numbers_give_the_right_answer_or_none(backend: Backend) -> None:
    for name, claim in wide_claims():
        attempt = solve(backend, claim)
        if attempt.outcome in ABSTAINS:
            must(attempt.detail, f"{name}: no answer, and no reason")
        else:
            right(attempt, disagreeing(claim), 1, name)


def keeps_to_time_and_seed(backend: Backend) -> None:
    claim = edge_cases()["false only at a tie"]
    attempt = solve(backend, claim, seconds=-1.0)
    must(
        attempt.outcome == "timeout" and attempt.detail, f"no time left is a timeout with a reason: {attempt}"
    )
    again = [solve(backend, claim, seed=7).words for _ in range(2)]
    must(again[0] == again[1], "the same seed gives other words")


CHECKS: Mapping[str, Callable[[Backend], None]] = {
    "says what it is": says_what_it_is,
    "right on random claims, with as many counterexamples as asked": right_on_random_claims,
    "right at the edges": right_at_the_edges,
    "wide numbers give the right answer or none": wide_numbers_give_the_right_answer_or_none,
    "keeps to time and seed": keeps_to_time_and_seed,
}


def variants(backend: Backend) -> list[str]:
    """Return the backend's name with each of its options."""
    return [f"{backend.name}:{option.replace('=N', '=2')}" for option in options_of(backend)]


def option_leaves_answers_right(variant: Backend) -> None:
    """Check one of `variants`."""
    for seed in range(40, 50):
        claim, wanted = random_claim(seed), 1 + 20 * (seed % 2)
        right(
            solve(variant, claim, counterexamples=wanted), disagreeing(claim), wanted, f"random claim {seed}"
        )
    right_at_the_edges(variant)


def checked(backend: Backend) -> Iterator[tuple[str, str | None]]:
    """Yield each check's name and what it found (None: nothing), then the same for each option."""
    steps = [(name, check, backend) for name, check in CHECKS.items()]
    steps += [
        (f"{v}: answers stay right", option_leaves_answers_right, choose([v])[0]) for v in variants(backend)
    ]
    for name, check, one in steps:
        try:
            check(one)
        except Breach as breach:
            yield name, str(breach)
        except Exception as error:  # a backend must not raise
            yield name, f"{type(error).__name__}: {error}"
        else:
            yield name, None
