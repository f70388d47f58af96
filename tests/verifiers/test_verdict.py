"""Verdicts read well, are no bools, and warn about claims that say less than they seem to."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.claims.word_claim import WordClaim
from relucid.models.network.network import feed_forward
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.counterexamples import WordCounterexample
from relucid.verifiers.evidence import Coverage, Settled, Share
from relucid.verifiers.race.conclude import empty_lengths, vacuity
from relucid.verifiers.verdict import Proved, Refuted, Unknown

sys.path.insert(0, str(Path(__file__).parent))
from race_fakes import many_claim, program

ATTEMPTS = (
    Attempt("z3-bv", "timeout", "5.4", None, 60.0, 812.4),
    Attempt("enumerate", "proved", "1", "exact", 0.123, None, "fast"),
)
FOUND = WordCounterexample(("a", "b"), False, True, (Fraction(-1, 2),))
EVIDENCE = Coverage((Share(6561, 1),), (Settled(0, (0,), 6561, "run"),))
PROVED = Proved("enumerate", 0.13, 6561, ATTEMPTS, (), "exact", True, EVIDENCE)
REFUTED = Refuted("cpsat", 1.5, 10**20, ATTEMPTS, ("be careful",), (FOUND, FOUND))
UNKNOWN = Unknown(None, 60.2, 10**20, ATTEMPTS, (), "time: 60 s limit reached by z3-bv")


@pytest.mark.parametrize("verdict", [PROVED, REFUTED, UNKNOWN])
def test_a_verdict_is_no_bool(verdict):
    with pytest.raises(TypeError, match="not a bool"):
        bool(verdict)
    with pytest.raises(TypeError):
        assert verdict


def test_how_verdicts_read():
    assert [repr(PROVED)] == str(PROVED).splitlines()[:1]
    assert repr(REFUTED).startswith(
        "Refuted: network and program differ on ['a', 'b']: network False, program True and 1 more (cpsat,"
    )
    assert all("\n" not in repr(verdict) for verdict in (PROVED, REFUTED, UNKNOWN))
    assert str(PROVED).splitlines() == [
        "Proved: network and program agree on all 6,561 inputs (enumerate, 0.13 s, trust: exact; float32 arithmetic gives the same)",
        "  z3-bv: timeout in 60.00 s, 812 MB",
        "  enumerate: proved in 0.12 s (fast)",
    ]
    lines = str(REFUTED).splitlines()
    assert (
        lines[0]
        == "Refuted: network and program differ (cpsat, 1.50 s, 100,000,000,000,000,000,000 inputs in the domain)"
    )
    assert lines[1:4] == ["  on ['a', 'b']: network False, program True"] * 2 + ["warning: be careful"]
    assert str(UNKNOWN).splitlines()[0].endswith("inputs in the domain): time: 60 s limit reached by z3-bv")


def test_nothing_to_warn_about():
    assert vacuity(many_claim()) == ()
    assert vacuity(many_claim(shortest=1)) == ()


def test_one_label_only_and_labels_that_never_occur():
    domain = Domain(("a", "b"), 2, 2)
    network = feed_forward([(np.zeros((3, 4)), np.zeros(3))])
    claim = WordClaim(
        network, program('def f(tokens):\n    return "y"\n'), domain, Decision("argmax", ("x", "y", "z"))
    )
    assert vacuity(claim) == (
        "vacuous: the program gives the label 'y' on every input of the domain",
        "the program never gives the labels 'x', 'z'",
    )


@pytest.mark.parametrize(
    ("where", "lost"),
    [
        ("len(tokens) == 2", (0, 1, 3)),
        ("len(tokens) > 0", (0,)),
        ('tokens.count("a") == 2', (0, 1)),
        ('tokens.count("a") < 9', ()),
    ],
)
def test_lengths_that_the_predicate_empties(where, lost):
    claim = many_claim(shortest=0, where=f"def f(tokens):\n    return {where}\n")
    assert empty_lengths(claim) == lost
    said = [w for w in vacuity(claim) if "keeps no input" in w]
    assert said == (
        [f"vacuous: `where` keeps no input of length {', '.join(map(str, lost))}"] if lost else []
    )
