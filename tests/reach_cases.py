"""Small claims with what brute force says about each label, for the tests of `reach`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from known_claims import corpus
from random_claims import random_claim, words_of
from relucid.encoders.dense import Dense, dense
from relucid.encoders.presolve import reduced
from relucid.models.claims.claim_file import load_word_claim
from relucid.models.claims.word_claim import WordClaim

Word = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """Queries about one label that bounds leave open; its words, and those on which some query's violation is
    >= 0.
    """

    queries: tuple[Dense, ...]
    words: tuple[Word, ...]
    wrong: frozenset[Word]


def claims(seeds: int = 100) -> list[WordClaim]:
    """Random ones, most of which are false, and small ones of the corpus, most of which are true."""
    small = [claim for known in corpus() if (claim := load_word_claim(known.claim_file)).domain_size <= 300]
    return [*map(random_claim, range(seeds)), *small]


def rows_of(query: Dense, word: Word) -> list[int]:
    """Every row's value on a word, in Python integers."""
    values: list[int] = []
    for j in range(query.count + 1):
        own = sum(int(query.symbols[j, t, s]) for t, s in enumerate(word)) + int(query.constant[j])
        values.append(
            own + sum(int(query.relus[j, i]) * max(0, values[i]) for i in range(min(j, query.count)))
        )
    return values


@cache
def cases(seeds: int = 100) -> tuple[Case, ...]:
    out = []
    for claim in claims(seeds):
        words = words_of(claim)
        for label in range(len(claim.decision.labels)):
            language = claim.language.restricted(label)
            if language.empty:
                continue
            small = reduced(claim.network, claim.domain, language)
            asked = tuple(q for r in claim.decision.rivals(label) if not (q := dense(small, r)).settled)
            if asked:
                mine = tuple(w for w, y in words.items() if y == label)
                wrong = frozenset(w for w in mine if any(rows_of(q, w)[-1] >= 0 for q in asked))
                out.append(Case(asked, mine, wrong))
    return tuple(out)


def wrong_words(claim: WordClaim) -> set[Word]:
    """The words on which network and program differ, by running the network."""
    words = words_of(claim)
    answers = claim.network_labels(np.array(list(words), dtype=np.int64).reshape(len(words), -1))
    return {word for (word, label), answer in zip(words.items(), answers, strict=True) if answer != label}
