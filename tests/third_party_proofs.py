"""Proofs in other people's formats of claims that are known, for their tests."""

from __future__ import annotations

import io
import re
from functools import cache

import pytest
from claim_mutants import told_by_its_network
from known_claims import CORPUS
from random_claims import random_claim
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.proof.export import solver_proofs
from relucid.verifiers.proof.export.sections import Sections
from relucid.verifiers.proof.export.solver_proofs import section_pieces
from relucid.verifiers.proof.export.third_party import FORMS, Form, check_sections
from relucid.verifiers.proof.format import Rejected

PALINDROME, PARITY = (CORPUS / name / "claim.toml" for name in ("palindrome", "parity_4"))


def written(claim: WordClaim, form: Form) -> bytes:
    return b"".join(section_pieces(claim, form, 60.0))


@cache
def proved(form: Form) -> tuple[tuple[WordClaim, bytes], ...]:
    """True claims with at least one query, and their proofs; the short ones first."""
    small = [
        load_word_claim(CORPUS / name / "claim.toml") for name in ("palindrome", "parity_4", "adjacent_ab")
    ]
    told = [claim for seed in range(24) if (claim := told_by_its_network(random_claim(seed)))]
    found = [(claim, written(claim, form)) for claim in [*small, *told]]
    return tuple(sorted((f for f in found if f[1].count(b"\n") > 20), key=lambda f: len(f[1])))


def accepted(claim: WordClaim, form: Form, data: bytes, digests: bool = True) -> bool:
    try:
        check_sections(claim, form, Sections(io.BytesIO(data)), digests=digests)
    except Rejected as why:
        assert re.match(r"line \d+: ", str(why)) and "\n" not in str(why)
        return False
    return True


forms = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


def third_party_queries(claim: WordClaim, form: Form):
    from relucid.verifiers.proof.export.third_party import queries

    return queries(claim, form, float("inf"))


def fewer(problem, gone: int):
    """The problem without one of its constraints, which says nothing in its place, so that the others keep
    their numbers.
    """
    from dataclasses import replace

    from relucid.verifiers.proof.export.inequalities import Inequality

    if hasattr(problem, "axioms"):
        left = replace(problem)
        left.__dict__["axioms"] = [
            Inequality({}, 0) if i == gone else a for i, a in enumerate(problem.axioms)
        ]
        return left
    clauses = tuple(c for i, c in enumerate(problem.encoded.clauses) if i != gone)
    return replace(problem, encoded=replace(problem.encoded, clauses=clauses))


def solvable(form: Form, text: str) -> bool:
    from relucid.verifiers.backends.shared.solver_process import run_program

    logger = solver_proofs.LOGGERS[form.name]
    answer, _ = run_program(logger.program, text, 20.0, *logger.arguments)
    return answer == "SATISFIABLE"
