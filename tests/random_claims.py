"""Small random claims for the tests of encoders and backends (made by `relucid.verifiers.race.conformance`),
and their formulas.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from relucid.encoders.formula import Formula, build_formula
from relucid.encoders.presolve import reduced
from relucid.models.claims.decision import Rival
from relucid.models.claims.word_claim import WordClaim
from relucid.verifiers.race.conformance import PROGRAMS, WHERE, random_claim, words_of

__all__ = ["PROGRAMS", "WHERE", "errs", "formulas", "random_claim", "words_of"]


def errs(claim: WordClaim, rival: Rival, word: tuple[int, ...]) -> bool:
    """Whether this rival wins on a word, from the network alone."""
    outputs = claim.network.evaluate(claim.domain.one_hot(np.array([word], dtype=np.int64)))[0]
    return sum(c * int(y) for c, y in zip(rival.coefficients, outputs, strict=True)) >= rival.threshold


def formulas(claim: WordClaim) -> Iterator[tuple[Rival, Formula]]:
    """Every query of a claim, settled ones too."""
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if not language.empty:
            small = reduced(claim.network, claim.domain, language)
            for rival in claim.decision.rivals(label):
                yield rival, build_formula(small, rival)
