"""Find out what labels depend on: cheap tests of labelled words, before any program is looked for.

Most tests have one form.  A key is computed for each word (its last two tokens, its counts, the word without
some token), and the label depends on the key only if words with equal keys have equal labels.  The search
chooses what it tries by what was found, and the report shows it (`finding.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..models.automata.layered import smallest_layered
from .finding import Findings
from .problem import SearchProblem
from .replacements import MOST_TOKENS, Replacements, digit_sums, numerals, ordered
from .word_keys import Key, KeyedWords, merged, pattern, remainder, spread, swapped, until, window, without

__all__ = ["Findings", "findings"]

MOST = 200_000  # words that are compared; of more, a fixed sample
SYMBOLS = 4_000_000  # in all of these words, about
WIDEST = 64  # window in which single places are tested
FEW = 4096  # words that most tests fail on already
LEAST = 20  # pairs of a sample that must agree before anything is said
MOST_RENAMED = 24  # tokens that are swapped
MOST_MERGED = 50_000  # words of which the smallest layered automaton is built
CASES = 50  # states that are worth a sentence


Values = Callable[[KeyedWords], np.ndarray]


def findings(problem: SearchProblem, whole: bool = False) -> Findings:
    """Find out what the labels depend on.

    Args:
        problem: the labelled words; of more than MOST, a fixed sample is compared.
        whole: whether the examples are all words of the domain.
    """
    return _Tests(problem, whole).run()


class _Tests:
    """The tests, on a few words first and on all if these leave it open."""

    def __init__(self, problem: SearchProblem, whole: bool) -> None:
        self.problem = problem
        count = len(problem.examples)
        most = min(MOST, SYMBOLS // max(1, problem.max_length))
        rows = np.random.default_rng(0).permutation(count)[:most]
        self.all = KeyedWords(problem, rows)
        _, fresh = np.unique(self.all.rolled(self.all.columns), return_index=True)
        if len(fresh) < len(rows):  # some words are there twice
            rows = rows[np.sort(fresh)]
            self.all = KeyedWords(problem, rows)
        self.some = KeyedWords(problem, rows[:FEW]) if len(rows) > FEW else self.all
        self.whole = whole and len(rows) == count
        self.longest = problem.max_length
        self.tested: dict[str, int] = {}
        self.found: dict[str, Any] = {}

    def run(self) -> Findings:
        """Make all tests."""
        examples = self.problem.examples
        if len(examples) and (examples.labels == examples.labels[0]).all():
            self.found["constant"] = True
        elif len(examples):
            self._windows()
            self._bags()
            self._single_tokens()
            self._replacements()
            self._renamings()
            self._prefixes()
            self._states()
        about = (len(self.all), self.whole, self.problem.tokens, self.problem.labels)
        return Findings(*about, **self.found, tested=self.tested)

    def _depends(self, key: Key) -> int:
        """Return on how many pairs the label is seen to depend on a key only; 0 if it does not."""
        if self.some is not self.all and self.some.agreeing(key(self.some)) < 0:
            return 0
        pairs = self.all.agreeing(key(self.all))
        return pairs if pairs >= (1 if self.whole else LEAST) else 0

    def _note(self, name: str, pairs: int, value: Any = True) -> bool:
        if pairs:
            self.found[name], self.tested[name] = value, pairs
        return pairs > 0

    def _smallest(self, from_end: bool) -> tuple[int, int]:
        """Return the fewest tokens of one end that suffice, fewer than the longest word has; else zeros.

        More tokens tell more words apart, so the number is found by bisection.
        """
        low, high = 1, self.longest
        while low < high:
            middle = (low + high) // 2
            if self.all.agreeing(window(range(middle), from_end)(self.all)) >= 0:
                high = middle
            else:
                low = middle + 1
        return (low, self._depends(window(range(low), from_end))) if low < self.longest else (0, 0)

    def _windows(self) -> None:
        for name, from_end in (("last", True), ("first", False)):
            k, pairs = self._smallest(from_end)
            self._note(name, pairs, k)
        self._note("length_only", self._depends(lambda w: spread(w.lengths)))
        if "length_only" in self.found:
            self._period("length_period", lambda w: w.lengths)
        if "last" in self.found or "first" in self.found:
            self._places()
            self._bag_of_window()

    def _places(self) -> None:
        """Leave out places of the shorter window as long as the others suffice."""
        last, first = self.found.get("last", self.longest), self.found.get("first", self.longest)
        from_end = last <= first
        kept, best = list(range(min(last, first))), 0
        for place in kept[:-1] if len(kept) <= WIDEST else []:
            rest = [p for p in kept if p != place]
            pairs = self._depends(window(rest, from_end))
            if pairs:
                kept, best = rest, pairs
        if best:
            self._note("places", best, tuple(-1 - p for p in reversed(kept)) if from_end else tuple(kept))

    def _bag_of_window(self) -> None:
        """See whether the order of the shorter window's tokens matters, or more than their sum does."""
        last, first = self.found.get("last", self.longest), self.found.get("first", self.longest)
        width = min(last, first)
        if width < 2 or "places" in self.found:
            return
        part: Values = lambda w: (w.back if last <= first else w.columns)[:width]  # noqa: E731
        if self._note("window_counts_only", self._depends(lambda w: w.added(part(w)))):
            values = numerals(self.problem.tokens)
            if values is not None:
                self._sum("window_sum", np.append(values, 0), part)

    def _sum(self, name: str, values: np.ndarray, part: Values) -> None:
        """See whether only the sum of some tokens matters, or its remainder."""
        if self._note(f"{name}_only", self._depends(lambda w: spread(values[part(w)].sum(axis=0)))):
            self._period(f"{name}_period", lambda w: values[part(w)].sum(axis=0))

    def _period(self, name: str, values: Values) -> None:
        """Find the smallest number whose remainders suffice, if values wrap around about twice."""
        here = values(self.all)
        for period in range(2, (int(here.max()) - int(here.min()) + 2) // 2 + 1):
            if self._note(name, self._depends(remainder(values, period)), period):
                return

    def _bags(self) -> None:
        self._note("counts_only", self._depends(lambda w: w.added(w.columns)))
        self._note("set_only", self._depends(lambda w: w.added(w.columns, w.new)))
        self._note("first_occurrences_only", self._depends(lambda w: w.rolled(w.columns, w.new)))
        self._note("reversible", self._depends(lambda w: np.minimum(w.rolled(w.columns), w.rolled(w.back))))
        values = numerals(self.problem.tokens)
        if values is not None:
            self._sum("sum", np.append(values, 0), lambda w: w.columns)

    def _single_tokens(self) -> None:
        """Tokens that may be deleted, and those that end what matters, as many together as possible."""
        tokens = range(self.problem.size if self.problem.size <= MOST_TOKENS else 0)
        for name, key in (("deletable", without), ("stops", until)):
            chosen: list[int] = []
            pairs = 0
            for token in tokens:
                more = self._depends(key([*chosen, token]))
                if more > pairs:  # a token that no further words agree on is not worth naming
                    chosen, pairs = [*chosen, token], more
            self._note(name, pairs, self._named(chosen))

    def _renamings(self) -> None:
        """Tokens that may be swapped throughout: those that occur equally often with each label."""
        size, words = self.problem.size, self.all
        if size > MOST_RENAMED or not (self.whole or len(words) <= FEW):
            return
        table = np.zeros((size + 1, len(words.columns), len(self.problem.labels)), dtype=np.int64)
        for t, column in enumerate(words.columns):
            np.add.at(table[:, t], (column, words.labels.astype(np.int64)), 1)
        known = {t for group in self.found.get("alike", ()) for t in group}
        groups: list[list[int]] = []
        for token in (t for t in range(size) if self.problem.tokens[t] not in known):
            for group in groups:
                alike = not self.whole or (table[token] == table[group[-1]]).all()
                if alike and self._depends(swapped(group[-1], token)):
                    group.append(token)
                    break
            else:
                groups.append([token])
        seen = {tuple(g): self._depends(pattern(g)) for g in groups if len(g) > 1}
        good = [g for g, pairs in seen.items() if pairs]
        self._note("renamable", sum(seen.values()), tuple(map(self._named, good)))

    def _prefixes(self) -> None:
        """Labels that stay: no word has another label than its first tokens, if these have such a label."""
        words = self.all
        hashes = words.rolled(words.columns, words.columns < words.size)
        shorter = words.rolled(words.columns, np.arange(len(words.columns))[:, None] < words.lengths - 1)
        order = np.argsort(hashes)
        if (hashes[order][1:] == hashes[order][:-1]).any():
            return  # two words collide
        at = order[np.minimum(np.searchsorted(hashes[order], shorter), len(order) - 1)]
        known = (hashes[at] == shorter) & (words.lengths > 0)
        before, after = words.labels[at][known], words.labels[known]
        stay, pairs = [], 0
        for label in np.unique(before):
            here = before == label
            if (after[here] == label).all() and here.sum() >= (1 if self.whole else LEAST):
                stay.append(self.problem.labels[int(label)])
                pairs += int(here.sum())
        self._note("absorbing", pairs, tuple(stay))

    def _replacements(self) -> None:
        """Replace one token by another: tokens that are alike, and labels that move one way only."""
        ranks = ordered(self.problem.labels)
        found = Replacements(self.problem.size, ranks, numerals(self.problem.tokens))
        for place in range(len(self.all.columns)):
            found.look(self.all, place)
            if not found.open:
                break
        least = 1 if self.whole else LEAST
        for name, holds in (("rises_with_value", found.rises), ("falls_with_value", found.falls)):
            self._note(name, found.pairs if holds and found.pairs >= least else 0)
        for name, good in (("raising", found.highest), ("lowering", found.lowest)):
            chosen = np.flatnonzero(good & (found.seen >= least)).tolist()
            self._note(name, int(found.seen[chosen].min()) if chosen else 0, self._named(chosen))
        sums = digit_sums(self.problem.tokens)
        if sums is not None:
            groups = [np.flatnonzero(sums == s).tolist() for s in np.unique(sums)]
            self._note("digit_sums_only", self._depends(merged(groups)))
        same = [g for g in found.classes() if self._depends(merged([g]))]
        self._note("alike", self._depends(merged(same)) if same else 0, tuple(map(self._named, same)))

    def _states(self) -> None:
        """The widest layer of the smallest layered automaton; of a sample it would say little."""
        if not self.whole or len(self.all) > MOST_MERGED:
            return
        layered = smallest_layered(self.problem.examples, self.problem.size + 1, CASES * (self.longest + 1))
        if layered is not None:
            going_on = [(table[:, : self.problem.size] >= 0).any(axis=1).sum() for table in layered.tables]
            widest = int(max(going_on, default=0))  # without the states that only wait for padding to end
            if 0 < widest <= CASES:
                self.found["states"] = widest

    def _named(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.problem.tokens[t] for t in tokens)
