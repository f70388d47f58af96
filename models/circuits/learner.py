"""Learn the layered automaton of a circuit's labels by asking: for domains that are too large to label.

After `executed.py`; `surrogates/fit.py` builds networks from the automaton.  It is learnt position by
position: prefixes that lead on from the states so far are the same state if they get the same labels with
every continuation that is tried.  Continuations are random at first.  If the automaton is wrong on a word,
all tails of that word join them.  The result is a guess that fits what was executed, and no more than that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...common.deadline import check
from ..automata.automaton import Automaton
from ..automata.labelled import Labelled
from ..automata.layered import Layered, minimised
from ..automata.sampling import Sampler

TAILS = 24  # random continuations per state of the domain
STATES = 128  # per position
QUESTIONS = 400_000  # in one pass over the positions
CORRECTIONS = 24  # times that it starts anew with what it got wrong

Ask = Callable[[np.ndarray], np.ndarray]


class LayeredLearner:
    """Learns a layered automaton from a circuit's answers.

    Args:
        language: the domain.  Prefixes are compared only if they lead to the same state of it.
        ask: gives the circuit's label indices for padded words.
        seed: of the random continuations.
    """

    def __init__(self, language: Automaton, ask: Ask, seed: int) -> None:
        self.language, self.ask = language, ask
        self._sampler, self._seed = Sampler(language), seed
        self._outgoing: list[dict[int, list[tuple[int, int]]]] = []
        for layer in language.edges:
            edges: dict[int, list[tuple[int, int]]] = {}
            for source, symbol, target in layer:
                edges.setdefault(source, []).append((symbol, target))
            self._outgoing.append(edges)
        self._words: list[np.ndarray] = []  # on which it was wrong once: their tails are tried everywhere
        self._random: dict[tuple[int, int], np.ndarray] = {}

    def learn(self, known: Callable[[], Labelled]) -> Layered | None:
        """Return an automaton that gives the label of every word of `known()`.

        Returns: the automaton; None if it would take too many states, questions or corrections, or if the
            language is not deterministic.
        """
        if not self.language.deterministic:
            return None
        for _ in range(CORRECTIONS):
            layered = self._pass()
            if layered is None:
                return None
            so_far = known()  # includes what was asked on the way
            wrong = np.flatnonzero(layered.labels(so_far.words) != so_far.labels)
            if not len(wrong):
                return layered
            self._words += list(so_far.words[wrong[:4]])
        return None

    def _pass(self) -> Layered | None:
        """Learn all positions once, with the continuations so far; None if it takes too much."""
        # the domain's state, and a prefix that leads there
        states: list[tuple[int, np.ndarray]] = [(0, np.zeros(0, dtype=np.int16))]
        tables, asked = [], 0
        for t in range(self.language.length):
            table = np.full((len(states), self.language.symbol_count), -1, dtype=np.int64)
            found: dict[tuple[int, bytes], int] = {}
            following: list[tuple[int, np.ndarray]] = []
            steps: dict[int, list[tuple[int, int, np.ndarray]]] = {}
            for number, (here, head) in enumerate(states):
                for symbol, target in self._outgoing[t][here]:
                    steps.setdefault(target, []).append((number, symbol, np.append(head, np.int16(symbol))))
            for target, arrivals in sorted(steps.items()):
                check()
                tails = self._tails(t + 1, target)
                asked += len(arrivals) * len(tails)
                if asked > QUESTIONS:
                    return None
                heads = np.stack([head for _, _, head in arrivals])
                words = np.concatenate(
                    [np.repeat(heads, len(tails), axis=0), np.tile(tails, (len(heads), 1))], axis=1
                )
                answers = self.ask(words).reshape(len(heads), len(tails))
                for (number, symbol, head), row in zip(arrivals, answers, strict=True):
                    key = (target, row.tobytes())
                    if key not in found:
                        found[key] = len(following)
                        following.append((target, head))
                    table[number, symbol] = found[key]
            if len(following) > STATES:
                return None
            tables.append(table)
            states = following
        finals = self.ask(np.stack([head for _, head in states]))
        return minimised(Layered(tuple(tables), finals))

    def _tails(self, t: int, state: int) -> np.ndarray:
        """Return the continuations to try from a state of the domain, (count, length - t)."""
        if t == self.language.length:
            return np.zeros((1, 0), dtype=np.int16)
        if (t, state) not in self._random:
            rng = np.random.default_rng([self._seed, t, state])
            self._random[t, state] = self._sampler.tails(t, state, TAILS, rng)
        own = [word[t:] for word in self._words if self._leads_on(t, state, word[t:])]
        return np.unique(np.concatenate([self._random[t, state], *(tail[None] for tail in own)]), axis=0)

    def _leads_on(self, t: int, state: int, tail: np.ndarray) -> bool:
        """Tell whether the domain accepts a continuation from a state."""
        for i, symbol in enumerate(tail):
            following = [target for s, target in self._outgoing[t + i][state] if s == symbol]
            if not following:
                return False
            state = following[0]
        return True
