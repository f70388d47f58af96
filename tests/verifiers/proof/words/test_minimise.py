"""Evidence gets smaller and goes through a file; what is left is still a proof."""

from __future__ import annotations

import json
from typing import Any

import pytest
from claim_mutants import told_by_its_network
from proof_cases import Lines
from random_claims import random_claim
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.engines.bab.bounding import BabOptions
from relucid.verifiers.proof.words import producer
from relucid.verifiers.proof.words.checker import check_proof
from relucid.verifiers.proof.words.producer import proof_lines


def proofs(patch: pytest.MonkeyPatch, seconds: float) -> list[tuple[WordClaim, Lines]]:
    """Of small true claims, by a search that may not think long, with so much time for minimising."""
    options = BabOptions
    patch.setattr(producer, "MINIMISING", seconds)
    patch.setattr(
        producer,
        "BabOptions",
        lambda **given: options(**given, cell_nodes=1, presolve_iterations=3, iterations=2),
    )
    found = []
    for claim in filter(None, map(told_by_its_network, map(random_claim, range(60)))):
        found.append((claim, json.loads(json.dumps(list(proof_lines(claim, 60, run=False))))))
    return found


def leaves(lines: Lines) -> list[Any]:
    return [leaf for line in lines for leaf in line.get("leaves", ())]


def numbers(lines: Lines) -> int:
    """Multipliers that are written down."""
    return sum(len(part) // 2 for leaf in leaves(lines) if leaf[2] for part in leaf[2])


def test_fewer_leaves_and_fewer_multipliers_and_still_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    full, small = proofs(monkeypatch, -1.0), proofs(monkeypatch, 60.0)
    assert len(full) == len(small) >= 10
    for (claim, before), (_, after) in zip(full, small, strict=True):
        check_proof(claim, iter(before))
        check_proof(claim, iter(after))
        assert len(leaves(after)) <= len(leaves(before)) and numbers(after) <= numbers(before)
    total = [
        (sum(len(leaves(p)) for _, p in some), sum(numbers(p) for _, p in some)) for some in (full, small)
    ]
    assert total[1][0] < total[0][0] and 2 * total[1][1] < total[0][1], total


def test_evidence_is_kept_in_a_file_while_it_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[producer.Spooled] = []

    class Watched(producer.Spooled):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(producer, "Spooled", Watched)
    proofs(monkeypatch, -1.0)
    assert sum(spool.end for spool in made) > 1000 and not any(spool.kept for spool in made)
