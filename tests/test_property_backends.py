"""Random small networks, programs and domains: every backend gives the answer of brute force, or says that it
cannot.

Brute force here uses nothing of relucid but the claim's parts: CPython runs the program, Python integers the
network.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.models.program.program import Program
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.registry import get

BACKENDS = ["enumerate", "cpsat", "highs", "scip", "z3-bv", "z3-real", "bitwuzla"]

COUNTER = """
def program(tokens):
    n = 0
    for t in tokens:
        if t == {a!r}:
            n += {p}
        elif t == {b!r}:
            n -= {q}
    return n >= {k}
"""
TOGGLE = """
def program(tokens):
    state = {start}
    for t in tokens:
        if t == {a!r}:
            state = not state
        elif t == {b!r}:
            state = {reset}
    return state
"""
TWO_PASSES = """
def program(tokens):
    if tokens.count({a!r}) > {k}:
        return {b!r} in tokens
    seen = False
    for t in tokens:
        if t == {b!r}:
            return len(tokens) > {q}
        seen = seen or t == {a!r}
    return seen
"""
WHERE = """
def keep(tokens):
    previous = ""
    for t in tokens:
        if t == {a!r} and previous == {b!r}:
            return False
        previous = t
    return True
"""


@st.composite
def claims(draw: st.DrawFn) -> tuple[WordClaim, bool]:
    """A claim and whether it is true."""
    tokens = tuple("abc"[: draw(st.integers(2, 3))])
    high = draw(st.integers(1, 4))
    low = draw(st.integers(0, high))
    context = draw(st.sampled_from([((), ()), (("<s>",), ()), (("<s>",), ("<e>", "a"))]))
    fill = {
        "a": draw(st.sampled_from(tokens)), "b": draw(st.sampled_from(tokens)), "k": draw(st.integers(-1, 3)), "p": draw(st.integers(0, 2)),
        "q": draw(st.integers(0, 2)), "start": draw(st.booleans()), "reset": draw(st.booleans()),
    }  # fmt: skip
    source = draw(st.sampled_from([COUNTER, TOGGLE, TWO_PASSES])).format(**fill)
    where = Program.from_source(WHERE.format(**fill)) if draw(st.booleans()) else None
    domain = Domain(tokens, low, high, "_" if low < high or draw(st.booleans()) else None, where, *context)
    kind = draw(st.sampled_from(["argmax", "sign"]))
    widths = [
        domain.input_size,
        *draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)),
        1 if kind == "sign" else 2,
    ]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    unit = 2.0 ** -draw(st.integers(0, 3))
    layers = [
        (rng.integers(-4, 5, (n, m)) * unit, rng.integers(-4, 5, n) * unit)
        for m, n in itertools.pairwise(widths)
    ]
    if draw(st.booleans()):  # a network that knows the first template's answer, so that both verdicts occur
        layers = counting_layers(domain, fill, kind)
        source = COUNTER.format(**fill)
    claim = WordClaim(
        feed_forward(layers), Program.from_source(source), domain, Decision(kind, (False, True))
    )
    return claim, holds(claim, layers, source, WHERE.format(**fill) if where else None)


def counting_layers(domain: Domain, fill: dict, kind: str) -> list[tuple[np.ndarray, np.ndarray]]:
    weight = {}
    for i, token in enumerate(domain.tokens):
        weight[i] = fill["p"] if token == fill["a"] else -fill["q"] if token == fill["b"] else 0
    row = np.zeros((domain.positions, len(domain.alphabet)))
    for i, w in weight.items():
        row[len(domain.prefix) : len(domain.prefix) + domain.max_length, i] = w
    flat = row.reshape(1, -1)
    hidden = (np.concatenate([flat, -flat]), np.array([1.0 - fill["k"], fill["k"] - 1.0]))
    if kind == "sign":
        return [hidden, (np.array([[1.0, -1.0]]), np.zeros(1))]
    return [hidden, (np.array([[-1.0, 1.0], [1.0, -1.0]]), np.zeros(2))]


def holds(
    claim: WordClaim, layers: list[tuple[np.ndarray, np.ndarray]], source: str, where: str | None
) -> bool:
    space: dict = {}
    exec(source + (where or ""), space)
    domain, scaled = claim.domain, [((w * 8).astype(int), (b * 8).astype(int)) for w, b in layers]
    for n in range(domain.min_length, domain.max_length + 1):
        for word in itertools.product(domain.tokens, repeat=n):
            if where and not space["keep"](word):
                continue
            padded = [*domain.prefix, *word, *[domain.pad] * (domain.max_length - n), *domain.suffix]
            x = [int(letter == place) for place in padded for letter in domain.alphabet]
            for i, (w, b) in enumerate(scaled):
                x = [
                    sum(int(c) * v for c, v in zip(row, x, strict=True)) + int(c0) * 8**i
                    for row, c0 in zip(w, b, strict=True)
                ]
                x = [max(v, 0) for v in x] if i + 1 < len(scaled) else x
            label = x[0] > 0 if claim.decision.kind == "sign" else x[1] > x[0]
            if label != space["program"](word):
                return False
    return True


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=claims())
def test_backend_against_brute_force(backend: str, case: tuple[WordClaim, bool]) -> None:
    claim, true = case
    solver = get(backend)
    if solver.unfit(claim) is not None:
        assert backend != "enumerate"
        return
    attempt = solver.solve(claim, Budget(seconds=20), lambda message: None)
    assert attempt.outcome in ("proved", "refuted", "timeout", "unknown"), attempt
    if attempt.outcome in ("proved", "refuted"):
        assert attempt.outcome == ("proved" if true else "refuted")
    for word in attempt.words:
        label = claim.language.label_of(tuple(word))
        assert label is not None and label != int(claim.network_labels(np.array([word]))[0])
    if backend == "enumerate":
        assert attempt.outcome in ("proved", "refuted")
