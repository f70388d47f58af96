"""Surrogates that are built from an automaton: right on every word, whatever its form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.automata.automaton import Automaton, trimmed
from relucid.models.automata.layered import Layered
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.network.float32 import exact_in_float32
from relucid.models.program.program import Program
from relucid.models.surrogates import compiled
from relucid.models.surrogates.affine import affine_network, sums_of_automaton
from relucid.models.surrogates.compiled import compiled_surrogate
from relucid.models.surrogates.one_hot import neurons_of, one_hot_network
from relucid.models.surrogates.surrogate import NoSurrogate

DIGITS = ("0", "1", "2")
PROGRAMS = {
    "the sum of the last two": (
        lambda t: str(sum(map(int, t[-2:]))),
        "def f(tokens):\n    return str(sum(int(t) for t in tokens[-2:]))\n",
        "affine",
        5,
    ),
    "the token before the last": (
        lambda t: t[-2] if len(t) > 1 else "0",
        'def f(tokens):\n    return tokens[-2] if len(tokens) > 1 else "0"\n',
        "affine",
        5,
    ),
    "the length": (
        lambda t: str(len(t) - 1),
        "def f(tokens):\n    return str(len(tokens) - 1)\n",
        "affine",
        5,
    ),
    "the parity of twos": (
        lambda t: str(t.count("2") % 2),
        'def f(tokens):\n    return str(tokens.count("2") % 2)\n',
        "cell",
        5,
    ),
    "the difference of the last two": (
        lambda t: str(abs(int(t[-1]) - int(t[-2]))) if len(t) > 1 else "0",
        "def f(tokens):\n"
        '    return str(abs(int(tokens[-1]) - int(tokens[-2]))) if len(tokens) > 1 else "0"\n',
        "one-hot",
        60,
    ),
}
LABELS = ("0", "1", "2", "3", "4")


@pytest.mark.parametrize("longest", [1, 5])
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("case", PROGRAMS)
def test_every_word_gets_the_programs_label(case: str, context: bool, longest: int) -> None:
    function, source, family, neurons = PROGRAMS[case]
    around = {"prefix": ("<", "1"), "suffix": (">",)} if context else {}
    domain = Domain(DIGITS, 1, longest, pad="_" if longest > 1 else None, **around)
    decision = Decision("argmax", LABELS)
    language = build_language(domain, Program.from_source(source), LABELS)
    surrogate = compiled_surrogate(language, domain, decision)
    check(surrogate.network, language, domain, decision, function)
    assert surrogate.inputs == language.size and surrogate.corrections == 0
    if longest == 5:
        assert surrogate.family == family and surrogate.neurons <= neurons


def check(network, language: Automaton, domain: Domain, decision: Decision, function: Callable) -> None:
    """Python says what is right."""
    assert exact_in_float32(network, domain.positions).ok
    for words, _ in language.words():
        right = [decision.labels.index(function(domain.unpadded(word))) for word in words]
        assert decision.decide(network.evaluate(domain.one_hot(words))).tolist() == right


def test_an_automaton_that_guesses_runs_too() -> None:
    """Its paths split where the last two tokens begin, and one of them goes on."""
    function, source, _, _ = PROGRAMS["the difference of the last two"]
    domain, decision = Domain(DIGITS, 1, 6, pad="_"), Decision("argmax", LABELS)
    language = build_language(domain, Program.from_source(source), LABELS)
    assert not language.deterministic
    network = one_hot_network(language, domain, np.eye(5, dtype=np.int64))
    check(network, language, domain, decision, function)
    assert network.relu_count == neurons_of(language)


def test_only_sums_of_every_word_count() -> None:
    """Of 3**7 words, one has another label: no sample may hide it."""
    source = """
def f(tokens):
    if tokens == ("2", "0", "1", "2", "2", "0", "1"):
        return "0"
    return tokens[-1]
"""
    domain = Domain(DIGITS, 7, 7)
    assert sums_of_automaton(build_language(domain, Program.from_source(source), LABELS), domain, 0) is None
    last = source.replace('"0"\n', "tokens[-1]\n")
    sums = sums_of_automaton(build_language(domain, Program.from_source(last), LABELS), domain, 0)
    assert sums is not None and affine_network(sums, domain, np.eye(5, dtype=np.int64)).relu_count == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_any_automaton_becomes_a_surrogate(seed: int, states: int, length: int, sign: bool) -> None:
    """Random deterministic automata, some of whose steps are missing."""
    rng = np.random.default_rng(seed)
    labels = 2 if sign else 3
    edges = tuple(
        tuple(
            (q, a, int(rng.integers(states)))
            for q in range(states if t else 1)
            for a in range(3)
            if a == 0 or rng.random() < 0.8
        )
        for t in range(length)
    )
    finals = tuple(int(y) for y in rng.integers(0, labels, states))
    language = trimmed(3, (1, *(states,) * length), edges, finals)
    domain, decision = Domain(DIGITS, length, length), Decision("sign" if sign else "argmax", LABELS[:labels])
    surrogate = compiled_surrogate(language, domain, decision, seed=seed)
    for words, right in language.words():
        found = decision.decide(surrogate.network.evaluate(domain.one_hot(words)))
        assert (found == right).all()
    again = Layered.of(language).automaton(3)
    assert again == language and exact_in_float32(surrogate.network, domain.positions).ok


def test_too_large_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LARGEST", 3)
    _, source, _, _ = PROGRAMS["the difference of the last two"]
    domain, decision = Domain(DIGITS, 1, 5, pad="_"), Decision("argmax", LABELS)
    language = build_language(domain, Program.from_source(source), LABELS)
    with pytest.raises(NoSurrogate, match=f"takes {neurons_of(language)} neurons, over 3"):
        compiled_surrogate(language, domain, decision)
