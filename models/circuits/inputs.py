"""The token ids that a circuit reads for every word of a domain of one length: what training and pruning run on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...common.errors import InputError
from ..claims.domain import Domain
from ..claims.language import build_language

LARGEST = 10**6


def domain_ids(name: str, vocabulary: Sequence[str], domain: Domain) -> np.ndarray:
    """Int64 (n, positions): prefix, word, suffix; InputError where a word is not in the vocabulary of `name`."""
    if domain.min_length != domain.max_length:
        raise InputError(
            "[domain] length", "words of several lengths cannot be pruned or trained on", "take one length"
        )
    if domain.positions > 4096:
        raise InputError("[domain] length", f"{domain.positions} positions are too many", "shorten it")
    language = build_language(domain, None, None)
    if language.empty or language.size > LARGEST:
        what = "the domain is empty" if language.empty else f"{language.size} inputs are over {LARGEST}"
        raise InputError("[domain]", what, "change the predicate or the length")
    number = {word: i for i, word in enumerate(vocabulary)}
    body = word_ids(name, number, domain.tokens, "[domain] tokens")[
        np.concatenate([b for b, _ in language.words()]).astype(np.int64)
    ]
    before, after = (
        word_ids(name, number, w, f"[domain] {k}")
        for k, w in (("prefix", domain.prefix), ("suffix", domain.suffix))
    )
    return np.concatenate([np.tile(before, (len(body), 1)), body, np.tile(after, (len(body), 1))], axis=1)


def word_ids(name: str, number: dict[str, int], words: Sequence[object], place: str) -> np.ndarray:
    """The ids of words, or InputError."""
    unknown = next((w for w in words if w not in number), None)
    if unknown is not None:
        known = ", ".join(map(repr, list(number)[:20])) + (", ..." if len(number) > 20 else "")
        raise InputError(place, f"{unknown!r} is not in the vocabulary of {name}", f"its words are {known}")
    return np.array([number[w] for w in words], dtype=np.int64)  # type: ignore[index]
