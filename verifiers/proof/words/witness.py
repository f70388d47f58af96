"""Checks the witness of a refuted claim about words: runs network and program again, exactly, on its input.

Part of the trusted base, after `verifiers/proof/witness.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.text import rational
from ....models.claims.decision import same_label
from ....models.claims.word_claim import WordClaim
from ..format import WORDS, Rejected
from ..witness import check_form


def check_witness(claim: WordClaim, digests: Mapping[str, str], line: Mapping[str, Any]) -> tuple[str, ...]:
    """Check that a witness refutes the claim; return its input.

    digests: by name, what the witness has to be about.
    line: the witness, as read from its file.

    Raises Rejected if it does not.  The outputs of onnxruntime are not checked.
    """
    check_form(line, WORDS, digests)
    tokens, domain = line["input"], claim.domain
    if not isinstance(tokens, list) or any(type(t) is not str or t not in domain.tokens for t in tokens):
        raise Rejected("the input has entries that are not tokens of the domain")
    if not domain.min_length <= len(tokens) <= domain.max_length:
        raise Rejected(
            f"the input has {len(tokens)} tokens, the domain {domain.min_length} to {domain.max_length}"
        )
    sequence = tuple(tokens)
    if domain.where is not None and domain.where.answer(sequence) is not True:
        raise Rejected("the input is outside the domain: `where` says no")
    word = np.array([domain.padded(sequence)], dtype=np.int64)
    numerators = claim.network.evaluate(domain.one_hot(word))
    says = claim.decision.labels[int(claim.decision.decide(numerators)[0])]
    program = claim.program_label(sequence)
    if same_label(says, program):
        raise Rejected("network and program agree on the input")
    told, outputs = line["labels"], [rational(Fraction(int(v), claim.network.scale)) for v in numerators[0]]
    if not isinstance(told, list) or len(told) != 2 or line["output"] != outputs:
        raise Rejected("labels or outputs are not those that network and program give")
    if not (same_label(told[0], says) and same_label(told[1], program)):
        raise Rejected("labels or outputs are not those that network and program give")
    return sequence
