"""Small random claims for the tests of encoders and backends: 1 to 3 hidden layers, ties, padding, context, predicates."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
from relucid.encoders.bounds import reduced
from relucid.encoders.formula import Formula, build_formula
from relucid.encoders.options import BEST, DESCRIPTIONS, PLAIN, Encoding, with_option
from relucid.models.claim import Claim, Decision, Rival
from relucid.models.domain import Domain
from relucid.models.network import feed_forward
from relucid.models.program import Program

PROGRAMS = [
    "def f(tokens):\n    return tokens.count('a') > 1\n",
    "def f(tokens):\n    return tokens.count('a') > tokens.count('b')\n",
    "def f(tokens):\n    p = False\n    for t in tokens:\n        if t == 'a':\n            p = not p\n    return p\n",
    "def f(tokens):\n    seen = False\n    for t in tokens:\n        if t != 'c':\n            seen = t == 'a'\n    return seen\n",
]
WHERE = "def w(tokens):\n    return tokens.count('b') < 3\n"


def random_claim(seed: int) -> Claim:
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
    decision = rng.choice([Decision("sign", (False, True)), Decision("argmax", (False, True)), Decision("argmax", ("x", True, False))])
    sizes = [domain.input_size, *(rng.randint(1, 5) for _ in range(rng.randint(1, 3))), decision.outputs]
    numbers, unit = np.random.default_rng(seed), rng.choice([1, 2, 8])
    layers = [
        (numbers.integers(-4, 5, size=(out, into)) / unit, numbers.integers(-3, 4, size=out) / unit)
        for into, out in itertools.pairwise(sizes)
    ]
    return Claim(feed_forward(layers), Program(rng.choice(PROGRAMS), "f"), domain, decision)


def words_of(claim: Claim) -> dict[tuple[int, ...], int]:
    """Every word with the program's label index."""
    return {tuple(map(int, w)): int(y) for words, labels in claim.language.words() for w, y in zip(words, labels, strict=True)}


def errs(claim: Claim, rival: Rival, word: tuple[int, ...]) -> bool:
    """Whether this rival wins on a word, from the network alone."""
    outputs = claim.network.evaluate(claim.domain.one_hot(np.array([word], dtype=np.int64)))[0]
    return sum(c * int(y) for c, y in zip(rival.coefficients, outputs, strict=True)) >= rival.threshold


ENCODINGS = {
    "best": BEST,
    "plain": PLAIN,
    **{o: encoding for o in DESCRIPTIONS if o != "plain" and (encoding := with_option(BEST, o)) is not None},
}


def formulas(claim: Claim, encoding: Encoding = BEST) -> Iterator[tuple[Rival, Formula]]:
    """Every query of a claim, settled ones too."""
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if not language.empty:
            small = reduced(claim.network, claim.domain, claim.language if encoding.whole else language, encoding=encoding)
            for rival in claim.decision.rivals(label):
                yield rival, build_formula(small, rival)
