"""What a notebook shows of verdicts, circuits and distillations: one useful line, and HTML in which
everything is escaped.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from relucid import Budget, ProofRequest, check, load_claim, prove
from relucid.models.circuits.black_box import BlackBox
from relucid.models.claims.domain import Domain
from relucid.models.program.program import Program
from relucid.verifiers.attempts import Attempt
from relucid.verifiers.boxes import verdicts
from relucid.verifiers.counterexamples import PointCounterexample, WordCounterexample
from relucid.verifiers.evidence import How, Tiling
from relucid.verifiers.verdict import Refuted, Unknown

EVIL = "<script>alert('\u202e')</script>"
POINT = PointCounterexample((Fraction(1, 3),), (Fraction(2),), ("0.33333334",), ("2.0",), Fraction(1, 10**9))
FOUND = WordCounterexample((EVIL, "b"), EVIL, True, (Fraction(-1, 2),))
VERDICTS = {
    "proved": verdicts.proved("lp", Tiling.at_roots(1, 1, How.BOUNDS), 0.5, (Attempt.own("lp", "proved"),)),
    "refuted on words": Refuted(EVIL, 0.5, 7, (Attempt(EVIL, "refuted", detail=EVIL),), (EVIL,), (FOUND,)),
    "refuted at a point": verdicts.refuted("attack", POINT),
    "unknown": Unknown(None, 0.5, 7, (), (EVIL,), f"time: {EVIL}"),
}


def circuit() -> BlackBox:
    return BlackBox(EVIL, ("a", "b"), lambda ids: np.zeros((len(ids), 2)), "a function", EVIL)


@pytest.mark.parametrize(
    "shown", [*VERDICTS.values(), circuit(), circuit().summary()], ids=lambda v: type(v).__name__
)
def test_html_is_escaped(shown: object) -> None:
    page = shown._repr_html_()  # type: ignore[attr-defined]
    assert page.startswith("<div>") and "<script" not in page and "\u202e" not in page


def test_what_html_says() -> None:
    assert '<b style="color:#1a7f37">Proved</b>' in VERDICTS["proved"]._repr_html_()
    assert "<td>1/3</td><td>2</td>" in VERDICTS["refuted at a point"]._repr_html_()
    assert "<th>program</th>" in VERDICTS["refuted on words"]._repr_html_()


def test_claims_and_certificates(tmp_path: Path) -> None:
    claim = load_claim(Path(__file__).parents[1] / "corpus" / "count_sign_l3" / "claim.toml")
    page = replace(claim, warnings=(EVIL,))._repr_html_()
    assert "gives the label of many_a on 8 words" in page and "def many_a(tokens):" in page
    assert "warning: " in page and "<script" not in page
    proof = tmp_path / "proof"
    assert prove(claim, request=ProofRequest(path=proof)).outcome == "proved"
    assert "<b>accepted</b>: proof: " in check(claim, proof)._repr_html_()


def test_every_repr_is_one_line() -> None:
    program = Program("def f(tokens):\n    return len(tokens) > 2\n", "f")
    domain = Domain(tuple("abcdefghij"), 1, 4, pad="_", where=program)
    claim = load_claim(Path(__file__).parents[1] / "corpus" / "count_sign_l3" / "claim.toml")
    limits = Budget(), ProofRequest()
    shown = [*VERDICTS.values(), circuit(), program, domain, claim, claim.question, claim.input_set, *limits]
    assert all("\n" not in repr(value) and len(repr(value)) < 300 for value in shown)
    assert repr(claim.question.network) == "<Network net.onnx: 6 -> 1, 3 ReLUs>"
    assert repr(program) == "<Program f (<program>, 2 lines)>"
    assert repr(domain) == "<Domain: 1 to 4 tokens out of 'a' 'b' 'c' 'd' 'e' 'f' 'g' 'h' ... where f>"
    assert repr(VERDICTS["proved"]) == "Proved: the claim holds on the whole box (lp, 0.50 s, trust: exact)"
    assert "Refuted: the claim is false at input [1/3], output [2]" in repr(VERDICTS["refuted at a point"])
