"""The inputs of a task with their right labels: what training and pruning run a model on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...common.errors import InputError
from ..claims.domain import MAX_POSITIONS, Domain
from ..claims.language import build_language
from .vocabulary import token_ids

LARGEST = 10**6  # inputs


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and the label that is right on each.

    Args:
        ids: int64 (n, positions), the token ids that the model reads.
        right: int64 (n,), for each input the index of its label.
        columns: int64 (labels,), the token id of each label.
    """

    ids: np.ndarray
    right: np.ndarray
    columns: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Examples:
        """Return some of the inputs, by their numbers."""
        return replace(self, ids=self.ids[rows], right=self.right[rows])


def domain_ids(name: str, vocabulary: Sequence[str], domain: Domain) -> np.ndarray:
    """List the token ids of every input of a domain of one length.

    Args:
        name: the model's name, for messages.
        vocabulary: the token of each id.
        domain: the inputs.

    Returns: int64 (n, positions): prefix, sequence, suffix.

    Raises:
        InputError: the domain has several lengths, is empty or too large, or has a token that the model
            lacks.
    """
    if domain.min_length != domain.max_length:
        what = "sequences of several lengths cannot be pruned or trained on"
        raise InputError("[domain] length", what, "take one length")
    if domain.positions > MAX_POSITIONS:
        raise InputError("[domain] length", f"{domain.positions} positions are too many", "shorten it")
    language = build_language(domain, None, None)
    if language.empty or language.size > LARGEST:
        what = "the domain is empty" if language.empty else f"{language.size} inputs are over {LARGEST}"
        raise InputError("[domain]", what, "change the predicate or the length")
    words = np.concatenate([batch for batch, _ in language.words()]).astype(np.int64)
    body = token_ids(name, vocabulary, domain.tokens, "[domain] tokens")[words]
    before = token_ids(name, vocabulary, domain.prefix, "[domain] prefix")
    after = token_ids(name, vocabulary, domain.suffix, "[domain] suffix")
    return np.concatenate([np.tile(before, (len(body), 1)), body, np.tile(after, (len(body), 1))], axis=1)
