"""What need not be looked at: expressions that depend on what the labels do not depend on.

Before `bank.py`.  The findings say what does not matter: the order, or all but the last few tokens.  Words
are changed in just that, and an expression whose value changes with them is left out.
"""

from __future__ import annotations

import numpy as np

from ..finding import Findings


def changed_words(found: Findings, words: np.ndarray, size: int) -> np.ndarray | None:
    """Change words in what does not matter, at random.

    Args:
        found: what the labels depend on.
        words: padded words (n, positions).
        size: the number of tokens, which is the symbol of padding.

    Returns: the changed words, of the same lengths; None if everything may matter.
    """
    rng = np.random.default_rng(0)
    inside = words < size
    if found.counts_only:
        keys = np.where(inside, rng.random(words.shape), 2.0)
        return np.take_along_axis(words, keys.argsort(axis=1), axis=1)
    place, lengths = np.arange(words.shape[1])[None], inside.sum(axis=1)[:, None]
    if found.last is not None:
        free = place < lengths - found.last
    elif found.first is not None:
        free = (place >= found.first) & inside
    else:
        return None
    return np.where(free, rng.integers(0, size, words.shape), words)
