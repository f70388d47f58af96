"""Proofs that tests of both checkers use."""

from __future__ import annotations

from typing import Any

from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.proof.words.producer import proof_lines

Lines = list[dict[str, Any]]


def run_everything(claim: WordClaim) -> Lines:
    """The proof that leaves every word to be run."""
    head = next(proof_lines(claim, 60))
    labels = [
        y
        for y in range(len(claim.decision.labels))
        if claim.decision.rivals(y) and not claim.language.restricted(y).empty
    ]
    return [head, *({"run": y} for y in labels), {"end": True}]
