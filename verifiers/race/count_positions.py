"""On how many inputs network and program differ at some position: behind `prove --count`.

An input may differ at several positions and counts once, so the counts at the positions do not add up.  The
inputs that differ are listed, which is exact, and affordable on small domains only.
"""

from __future__ import annotations

import time

import numpy as np

from ...common.text import number
from ...models.claims.position_claims import PositionClaims

MOST = 10**7  # pairs of an input and a position


def count_disagreeing(claim: PositionClaims, deadline: float) -> tuple[int | None, str]:
    """Return the number of inputs that differ somewhere, or None and why they were not counted.

    deadline: of time.monotonic().
    """
    pairs = sum(part.domain_size for part in claim.parts.values())
    if pairs > MOST:
        what = f"{number(pairs)} pairs of an input and a position are over the limit of {number(MOST)}"
        return None, f"the disagreeing inputs were not counted: {what}"
    found = np.zeros((0, claim.domain.max_length), dtype=np.int16)
    for part in claim.parts.values():
        for words, labels in part.language.words():
            if time.monotonic() > deadline:
                return None, "the disagreeing inputs were not counted in time; raise --timeout"
            wrong = words[part.network_labels(words) != labels]
            if len(wrong):
                found = np.unique(np.concatenate([found, wrong]), axis=0)
    return len(found), ""
