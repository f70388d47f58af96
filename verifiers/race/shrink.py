"""The plainest counterexamples: shorter, with more of the domain's first tokens, smaller in dictionary order.

After replay, before a verdict is shown.  "Plainest" is the smallest `plainness`: fewest tokens; then most
occurrences of the domain's first token, then of its second, and so on; then the smallest word by the order of
the domain's tokens.  On domains of up to `EXHAUSTIVE` inputs the plainest of all is found.  On larger ones
the result is plainest among its neighbours by one edit (a block cut out, a position changed) and, for a few
rounds, by two.  Same claim, same words: same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from ...models.claims.word_claim import WordClaim

EXHAUSTIVE = 50_000  # inputs
CANDIDATES = 4_000  # neighbours of a word that are tried in one round
ROUNDS = 200
DOUBLE_ROUNDS = 2  # on big domains; a round of single edits is cheap
ENTRIES = 20_000_000  # of a batch of network inputs

Word = tuple[int, ...]


def plainness(claim: WordClaim, word: Word) -> tuple[int, tuple[int, ...], Word]:
    """Return a key: the smaller, the plainer."""
    pad = len(claim.domain.tokens)
    tokens = tuple(s for s in word if s < pad)
    return len(tokens), tuple(-tokens.count(s) for s in range(pad)), tokens


def plainest(
    claim: WordClaim, words: Iterable[Word], wanted: int, survives: Callable[[Word], bool]
) -> tuple[Word, ...]:
    """Return up to `wanted` distinct words on which network and program differ, the plainest first.

    `words` are such words already; `survives` is the full replay, asked last because it is slow.  Empty only
    if none of the words looked at survives.
    """
    words = sorted(set(words), key=lambda w: plainness(claim, w))
    if claim.domain_size <= EXHAUSTIVE:
        everything = sorted(_all_differing(claim), key=lambda w: plainness(claim, w))
        return _first(everything, wanted, survives)
    search = _Search(claim)
    smallest = [search.descend(word, survives) for word in words[: max(1, min(wanted, 8))]]
    pool = sorted(
        {*smallest, *words, *(search.seen if wanted > 1 else ())}, key=lambda w: plainness(claim, w)
    )
    return _first(pool, wanted, survives)


def _first(words: Sequence[Word], wanted: int, survives: Callable[[Word], bool]) -> tuple[Word, ...]:
    kept: list[Word] = []
    for word in words[: 100 + 2 * wanted]:
        if survives(word):
            kept.append(word)
            if len(kept) == wanted:
                break
    return tuple(kept)


def _all_differing(claim: WordClaim) -> Iterator[Word]:
    for words, labels in claim.language.words():
        for rows in _slices(claim, len(words)):
            wrong = claim.network_labels(words[rows]) != labels[rows]
            yield from (tuple(map(int, word)) for word in words[rows][wrong])


def _slices(claim: WordClaim, count: int) -> Iterator[slice]:
    step = max(1, ENTRIES // claim.domain.input_size)
    return (slice(i, i + step) for i in range(0, count, step))


@dataclass
class _Search:
    """Greedy descent in plainness over words that differ; `seen` are all differing words met on the way."""

    claim: WordClaim
    seen: set[Word] = field(default_factory=set)
    steps: dict[tuple[int, frozenset[int], int], frozenset[int]] = field(default_factory=dict)

    def descend(self, word: Word, survives: Callable[[Word], bool]) -> Word:
        """Descend by single edits as far as they lead, then by one double edit, and so on, as there are many
        double ones.
        """
        doubles = 0
        for _ in range(ROUNDS):
            better = self._better(word, self._single(self._tokens(word)), survives)
            if better is None and doubles < DOUBLE_ROUNDS:
                better, doubles = self._better(word, self._double(self._tokens(word)), survives), doubles + 1
            if better is None:
                return word
            word = better
        return word

    def _better(self, word: Word, edits: Iterable[Word], survives: Callable[[Word], bool]) -> Word | None:
        here = plainness(self.claim, word)
        found = [w for w in self._differing(self._neighbours(word, edits)) if plainness(self.claim, w) < here]
        found.sort(key=lambda w: plainness(self.claim, w))
        return next((w for w in found[:20] if survives(w)), None)

    def _tokens(self, word: Word) -> Word:
        return tuple(s for s in word if s < len(self.claim.domain.tokens))

    def _differing(self, words: Iterable[Word]) -> list[Word]:
        known = [(w, label) for w in words if (label := self._label(w)) is not None]
        out: list[Word] = []
        for rows in _slices(self.claim, len(known)):
            part = known[rows]
            labels = self.claim.network_labels(np.array([w for w, _ in part], dtype=np.int16))
            out += [w for (w, label), got in zip(part, labels, strict=True) if int(got) != label]
        self.seen.update(out)
        return out

    def _label(self, word: Word) -> int | None:
        """Return the automaton's label of a word, None outside the domain.

        Neighbours share most steps, so steps are kept.
        """
        language = self.claim.language
        states = frozenset(range(language.layer_sizes[0]))
        for t, symbol in enumerate(word):
            key = (t, states, symbol)
            if key not in self.steps:
                self.steps[key] = frozenset(n for p, s, n in language.edges[t] if s == symbol and p in states)
            states = self.steps[key]
            if not states:
                return None
        return language.labels[next(iter(states))]

    def _neighbours(self, word: Word, edits: Iterable[Word]) -> list[Word]:
        """Return the edited sequences as words, as many as the limits allow."""
        domain = self.claim.domain
        most = max(16, min(CANDIDATES, ENTRIES // domain.input_size))
        out: dict[Word, None] = {}
        for edited in edits:
            if domain.min_length <= len(edited) <= domain.max_length:
                out.setdefault(edited + (len(domain.tokens),) * (domain.max_length - len(edited)))
            if len(out) >= most:
                break
        out.pop(word, None)
        return list(out)

    def _single(self, tokens: Word) -> Iterator[Word]:
        """Yield sequences with one block cut out, the largest first; with one position changed; sorted."""
        n, symbols = len(tokens), range(len(self.claim.domain.tokens))
        spare = n - self.claim.domain.min_length
        for size in range(spare, 0, -1):
            yield from (tokens[:i] + tokens[i + size :] for i in range(n - size + 1))
        for i in range(n):
            yield from (tokens[:i] + (s,) + tokens[i + 1 :] for s in symbols if s < tokens[i])
        yield tuple(sorted(tokens))

    def _double(self, tokens: Word) -> Iterator[Word]:
        """Yield sequences with two positions cut out, and with two positions changed."""
        n, symbols = len(tokens), range(len(self.claim.domain.tokens))
        if n - self.claim.domain.min_length >= 2:
            for i, j in combinations(range(n), 2):
                yield tokens[:i] + tokens[i + 1 : j] + tokens[j + 1 :]
        for distance in range(1, n):  # near pairs first: where not all can be tried, these matter more
            for i in range(n - distance):
                j = i + distance
                for a, b in product(symbols, repeat=2):
                    if (a, b) < (tokens[i], tokens[j]) or b < tokens[j]:
                        yield tokens[:i] + (a,) + tokens[i + 1 : j] + (b,) + tokens[j + 1 :]
