"""The JSON object and the exit status that scripts rely on (docs/reference/json.md)."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from known_claims import KEYS
from relucid.cli.status import exit_status
from relucid.verifiers.attempts import Attempt, Sizes
from relucid.verifiers.counterexamples import WordCounterexample
from relucid.verifiers.evidence import Coverage, Settled, Share
from relucid.verifiers.report import verdict_json
from relucid.verifiers.verdict import Proved, Refuted, Unknown

SIZES = Sizes(queries=2, settled=1, unstable=3)
ATTEMPT = Attempt(
    "z3-bv",
    "timeout",
    "5.4",
    None,
    60.0,
    812.4,
    "over the limit",
    ((0, 1),),
    None,
    SIZES,
    ((0.1, 2.0), (3.0, 61.1)),
)
FOUND = WordCounterexample(("a", '"'), 1, True, (Fraction(-1, 3), Fraction(2)))


def evidence(inputs):
    return Coverage((Share(inputs, 1),), (Settled(None, None, inputs, "run"),))


def through_json(verdict):
    return json.loads(json.dumps(verdict_json(verdict)))


def test_proved():
    said = through_json(
        Proved("enumerate", 0.12345, 4 * 10**17, (ATTEMPT,), ("w",), "exact", False, evidence(4 * 10**17))
    )
    assert set(said) >= KEYS
    assert (said["verdict"], said["trust"], said["reason"], said["backend"]) == (
        "proved",
        "exact",
        None,
        "enumerate",
    )
    assert (said["seconds"], said["domain_size"]) == (0.123, "400000000000000000")
    assert (said["counterexample"], said["proof"], said["counterexamples"]) == (None, None, [])
    assert (said["warnings"], said["exact_in_float32"]) == (["w"], False)
    sizes = {
        "queries": 2,
        "settled": 1,
        "dead": 0,
        "active": 0,
        "unstable": 3,
        "variables": 0,
        "constraints": 0,
        "arcs": 0,
    }
    assert said["attempts"] == [
        {
            "backend": "z3-bv", "version": "5.4", "outcome": "timeout", "seconds": 60.0, "peak_mb": 812.4, "detail": "over the limit",
            "spans": [[0.1, 2.0], [3.0, 61.1]], "sizes": sizes,
        }
    ]  # fmt: skip


def test_refuted():
    said = through_json(Refuted("cpsat", 1.0, 8, (), (), (FOUND, FOUND)))
    assert (said["verdict"], said["trust"], said["reason"]) == ("refuted", None, None)
    assert (
        said["counterexample"].items()
        >= {"tokens": ["a", '"'], "network_label": 1, "program_label": True}.items()
    )
    assert type(said["counterexample"]["network_label"]) is int  # 1 and true are two labels
    assert type(said["counterexample"]["program_label"]) is bool
    assert said["counterexample"]["outputs"] == ["-1/3", "2"]
    assert len(said["counterexamples"]) == 2


def test_unknown():
    said = through_json(Unknown(None, 1.0, 8, (), (), "time: over"))
    assert (said["verdict"], said["reason"], said["backend"]) == ("unknown", "time: over", None)
    assert said["counterexample"] is None


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Proved("e", 0.0, 1, (), (), "float", True, evidence(1)), 0),
        (Refuted("e", 0.0, 1, (), (), (FOUND,)), 1),
        (Unknown(None, 0.0, 1, (), (), "time"), 3),
    ],
)
def test_exit_status(verdict, status):
    assert exit_status(verdict) == status
