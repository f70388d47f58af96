"""The certificate of a refutation: one input, what network and program say about it, and the numbers behind that.

Written after replay; checked by running network and program once more, exactly, without any solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ....common.text import rational
from ....models.claims.decision import same_label
from ....models.claims.word_claim import WordClaim
from ...verdict import WordCounterexample
from ..format import Rejected

WITNESS = "relucid witness 1"
KEYS = {"format", "claim", "tokens", "network_label", "program_label", "outputs", "onnxruntime"}


def witness_line(
    claim: WordClaim, found: WordCounterexample, onnxruntime: tuple[float, ...] | None
) -> dict[str, Any]:
    """Outputs as exact rationals; onnxruntime's as decimals that read back as the same floats, None where it did not run."""
    return {
        "format": WITNESS,
        "claim": claim.digest,
        "tokens": list(found.tokens),
        "network_label": found.network_label,
        "program_label": found.program_label,
        "outputs": [rational(v) for v in found.outputs],
        "onnxruntime": None if onnxruntime is None else [repr(float(v)) for v in onnxruntime],
    }


def check_witness(claim: WordClaim, line: Mapping[str, Any], *, digests: bool = True) -> tuple[str, ...]:
    """The input, where it refutes the claim.  Raises Rejected otherwise; what onnxruntime said is not looked at."""
    if set(line) != KEYS:
        raise Rejected(f"the witness has not just {', '.join(sorted(KEYS))}")
    if digests and line["claim"] != claim.digest:
        raise Rejected("it is a witness about another claim")
    tokens, domain = line["tokens"], claim.domain
    if not isinstance(tokens, list) or any(type(t) is not str or t not in domain.tokens for t in tokens):
        raise Rejected("the input has words that are no tokens of the domain")
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
    outputs = [rational(Fraction(int(v), claim.network.scale)) for v in numerators[0]]
    told = (line["network_label"], line["program_label"])
    if not (same_label(told[0], says) and same_label(told[1], program)) or line["outputs"] != outputs:
        raise Rejected("labels or outputs are not those that network and program give")
    return sequence
