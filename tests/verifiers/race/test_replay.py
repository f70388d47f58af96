"""Replay: nothing is a counterexample that exact arithmetic, the program itself and onnxruntime do not
confirm.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, feed_forward
from relucid.models.onnx.writer import with_source
from relucid.verifiers.race.backend import Budget
from relucid.verifiers.race.race import prove_claim
from relucid.verifiers.race.replay import WordReplayer
from relucid.verifiers.verdict import Contradiction, Refuted, Unknown

sys.path.insert(0, str(Path(__file__).parents[2]))
from race_fakes import Fake, many_claim, program

NEVER = "def f(tokens):\n    return False\n"


def linear(weights, bias, text=NEVER, **more) -> WordClaim:
    """sign of a linear function of two positions over a, b."""
    network = feed_forward([(np.array([weights], dtype=float), np.array([bias], dtype=float))])
    return WordClaim(
        replace(network, **more), program(text), Domain(("a", "b"), 2, 2), Decision("sign", (False, True))
    )


def test_a_counterexample_has_exact_outputs_and_both_labels():
    result = WordReplayer(many_claim(more_than=2.25))((0, 1, 0))
    assert result.status == "differs"
    found = result.counterexample
    assert (found.tokens, found.network_label, found.program_label) == (("a", "b", "a"), False, True)
    assert found.outputs == (Fraction(-1, 4),)


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        ((0, 0, 0), "agrees", r"agree on the input \['a', 'a', 'a'\]: True"),
        ((0, 0), "malformed", "2 symbols where the domain's words have 3"),
        ((0, 0, 5), "malformed", "symbols are 0 to 1"),
        ((0, 0, 1.0), "malformed", "symbols"),
        ((0, 0, True), "malformed", "symbols"),
    ],
)
def test_what_is_no_counterexample(word, status, said):
    import re

    result = WordReplayer(many_claim(more_than=2.5))(word)
    assert (result.status, result.counterexample) == (status, None)
    assert re.search(said, result.detail)


@pytest.mark.parametrize("word", [(2, 0, 0), (0, 2, 0), (0, 2, 2), (2, 2, 2)])
def test_padding_belongs_at_the_end_and_lengths_are_kept(word):
    assert WordReplayer(many_claim(more_than=0.5, shortest=2))(word).status == "outside"
    assert WordReplayer(many_claim(more_than=0.5, shortest=2))((0, 1, 2)).status == "differs"


def test_the_predicate_is_run():
    claim = many_claim(more_than=2.5, where='def f(tokens):\n    return tokens[0] == "b"\n')
    assert WordReplayer(claim)((0, 0, 1)).status == "outside"
    assert WordReplayer(claim)((1, 0, 0)).status == "differs"


def test_the_automaton_is_not_believed():
    claim = many_claim(more_than=2.5)
    claim.__dict__["language"] = replace(claim.language, labels=tuple(1 - y for y in claim.language.labels))
    with pytest.raises(Contradiction, match="the automaton gives False"):
        WordReplayer(claim)((0, 0, 1))


def test_zero_is_the_first_label():
    assert WordReplayer(linear([1, 0, -1, 0], 0))((0, 0)).status == "agrees"
    assert WordReplayer(linear([1, 0, -1, 0], 2.0**-20))((0, 0)).status == "differs"


@pytest.fixture
def rounds() -> WordClaim:
    """2^24 + 1 - 2^24 is 1 exactly and 0 in float32, at least where the sum runs in this order."""
    big = 2.0**24
    network = feed_forward(
        [(np.array([[big, 0, 1, 0], [1, 0, 0, 0]]), np.zeros(2)), (np.array([[1.0, -big]]), np.zeros(1))]
    )
    return WordClaim(
        with_source(network), program(NEVER), Domain(("a", "b"), 2, 2), Decision("sign", (False, True))
    )


def test_a_label_that_onnxruntime_rounds_away_is_a_finding(rounds):
    result = WordReplayer(rounds)((0, 0))
    assert result.status == "rounding"
    assert "exact outputs (1) mean True" in result.detail
    assert "onnxruntime's (0.0) mean False" in result.detail


def test_rounding_makes_the_verdict_unknown():
    """All inputs on which the claim fails are rounded away."""
    big = 2.0**24
    network = feed_forward(
        [
            (np.array([[big, 0, 1, 0], [1, 0, 0, 0]]), np.array([0.0, 0.0])),
            (np.array([[1.0, -big]]), np.zeros(1)),
        ]
    )
    where = 'def f(tokens):\n    return tokens[0] == "a"\n'
    domain = Domain(("a", "b"), 2, 2, where=program(where))
    claim = WordClaim(with_source(network), program(NEVER), domain, Decision("sign", (False, True)))
    verdict = prove_claim(claim, registry=[Fake("finder", "refute", ((0, 0),))], budget=Budget(20.0, 1000, 1))
    assert isinstance(verdict, Unknown)
    assert verdict.reason.startswith(
        "rounding: on the input ['a', 'a'] the network's exact outputs (1) mean True"
    )
    assert "onnxruntime's (0.0) mean False" in verdict.reason
    assert verdict.attempts[0].outcome == "refuted"


def test_another_input_that_survives_is_preferred_to_a_finding(rounds):
    """(b, a) differs in both: 1 - 0 = 1."""
    verdict = prove_claim(
        rounds, registry=[Fake("finder", "refute", ((0, 0),))], budget=Budget(20.0, 1000, 1)
    )
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.tokens == ("b", "a")


def test_networks_without_an_onnx_form_are_replayed_exactly_and_said_so():
    network = Network(4, (Affine((0,), (integer_array([[1, 0, 0, 0]]),), integer_array([0]), 3),))
    claim = WordClaim(network, program(NEVER), Domain(("a", "b"), 2, 2), Decision("sign", (False, True)))
    replayer = WordReplayer(claim)
    result = replayer((0, 0))
    assert result.status == "differs" and result.counterexample.outputs == (Fraction(1, 3),)
    assert "not in onnxruntime" in replayer.missing
    verdict = prove_claim(claim, registry=[Fake("finder", "refute", ((0, 0),))], budget=Budget(20.0, 1000, 1))
    assert isinstance(verdict, Refuted)
    assert any("not in onnxruntime" in w for w in verdict.warnings)


def test_onnxruntime_runs_the_bytes_that_came_with_the_network():
    """Bytes of another network under the same claim: only the replay in onnxruntime can notice."""
    other = with_source(feed_forward([(np.zeros((1, 4)), np.array([-1.0]))]))
    assert WordReplayer(linear([1, 0, 0, 0], 0, source=other.source))((0, 0)).status == "rounding"


def test_overflow_in_floating_point_is_a_finding():
    huge = 2.0**127
    network = feed_forward([(np.array([[huge, 0, huge, 0]]), np.zeros(1))])
    claim = WordClaim(
        with_source(network), program(NEVER), Domain(("a", "b"), 2, 2), Decision("sign", (False, True))
    )
    result = WordReplayer(claim)((0, 0))
    assert result.status == "rounding"
    assert "infinity" in result.detail


def test_ids_networks():
    claim = linear([1, 0, 1, 0], -1.5, encoding="ids")
    assert WordReplayer(claim)((0, 0)).status == "differs"
    assert WordReplayer(claim).runtime is not None
