"""From labelled examples to programs: all that the templates know and the examples allow, the plainest first.

After `reading.py` and `filter.py`, before the prover.  `synthesise` is one shot; `Search` is the loop guided by counterexamples: it
starts with few examples, gives its best program, and is told the inputs on which that program was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from ..models.claim import Label
from ..models.domain import Domain
from ..models.errors import InputError
from ..models.labelled import Labelled
from .candidate import Candidate
from .filter import Survivors, all_families, mixed, sieve
from .problem import Problem
from .reading import Reading, readings
from .render import literal
from .templates import all_templates

POOL = 2048  # inputs on which candidates are told apart
RENDERED = 3000  # features that are written out as programs in one step
START = 24

Progress = Callable[[str], None]


def synthesise(
    examples: Labelled,
    domain: Domain,
    labels: Sequence[Label],
    *,
    words: np.ndarray | None = None,
    templates: Iterable[str] | None = None,
    limit: int = 100,
    seed: int = 0,
) -> list[Candidate]:
    """Programs that give every example its label, plainest first, one per behaviour.

    `words`: inputs without labels on which programs are told apart, too (default: the examples alone).
    """
    search = Search(examples, domain, labels, words=words, seed=seed, start=len(examples), templates=templates)
    search.best()
    return search.candidates()[:limit]


def refine(candidates: Iterable[Candidate], counterexamples: Labelled) -> list[Candidate]:
    """The candidates that give these inputs their label, too."""
    return [c for c in candidates if (c.evaluate(counterexamples.words) == counterexamples.labels).all()]


@dataclass(frozen=True, eq=False)
class Refutation:
    """A candidate that was wrong, and the first inputs that showed it."""

    candidate: Candidate
    counterexamples: Labelled


class Search:
    """The loop: `best()` gives the plainest program that explains what is known, `refine(...)` adds what it got wrong.

    `examples`: all labelled inputs that may be used (the domain, or a part of it); the loop starts with `start` of them.
    `words` are inputs without labels on which programs are told apart and must return labels (default: the examples).
    `refuted` keeps every refuted candidate with its counterexamples, for the report.
    """

    def __init__(
        self,
        examples: Labelled,
        domain: Domain,
        labels: Sequence[Label],
        *,
        words: np.ndarray | None = None,
        seed: int = 0,
        start: int = START,
        templates: Iterable[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        if len(examples) == 0:
            raise InputError("search", "there are no examples to learn from", "give at least one labelled input")
        self.problem = Problem.of(examples, domain, labels)
        self.refuted: list[Refutation] = []
        self.instances = 0  # features that were looked at
        self._say = progress or (lambda text: None)
        wanted = all_templates() if templates is None else {name: _named(name) for name in templates}
        last = [name for name, module in wanted.items() if getattr(module, "LAST_RESORT", False)]
        self._templates = [name for name in wanted if name not in last] or last
        self._in_reserve = [name for name in last if name not in self._templates]
        self._all = mixed(examples, seed)
        self._words = self._all.words if words is None else np.concatenate([words, self._all.words])
        self.known = self._all.take(np.arange(min(start, len(self._all))))
        self._survivors: list[Survivors] | None = None
        self._list: list[Candidate] | None = None
        self._dropped: set[str] = set()
        self._learnt_from = 0  # known examples when the last resort was asked

    def best(self) -> Candidate | None:
        """The plainest program that explains every known example, or None if no template has one."""
        while True:
            found = self.candidates()
            if found:
                if (found[0].evaluate(self._words) >= 0).all():
                    return found[0]
                self._drop(found[0])  # it would return something that is not a label
            elif not self._more():
                return None

    def _more(self) -> bool:
        """Nothing explains what is known: once more with all there is, and with the last resort; False if that was done already."""
        if self._learnt_from == 0:
            self.known = self.known.joined(self._all)
        if self._learnt_from == len(self.known):
            return False
        self._say("no other template explains the examples: learning a state machine from all of them")
        self._learnt_from = len(self.known)
        self.problem = replace(self.problem, examples=self.known)
        self._templates, self._in_reserve = self._templates + self._in_reserve, []
        self._list, self._survivors = None, None
        return True

    def refine(self, counterexamples: Labelled) -> None:
        """The inputs, with their right labels, on which the best candidate was wrong."""
        if len(counterexamples) == 0:
            raise ValueError("a refutation needs a counterexample")
        best = self.candidates()[:1]
        if best and (best[0].evaluate(counterexamples.words) == counterexamples.labels).all():
            raise ValueError("the counterexamples do not refute the best candidate")
        self.refuted += [Refutation(c, counterexamples) for c in best]
        self._learn(counterexamples)

    def candidates(self) -> list[Candidate]:
        """Everything consistent with the known examples, plainest first, one per behaviour."""
        if self._list is None:
            if len(np.unique(self.known.labels)) == 1:
                self._list = [_constant(self.problem, int(self.known.labels[0]))]
            else:
                self._list = self._ranked(self._sieved())
        return self._list

    def _drop(self, candidate: Candidate) -> None:
        self._dropped.add(candidate.source())
        self._list = None

    def _learn(self, examples: Labelled) -> None:
        self.known = self.known.joined(examples)
        self._list = None

    def _sieved(self) -> list[Survivors]:
        count = len(self.problem.labels)
        if self._survivors is None:
            self._survivors, self.instances = [], 0
            for family in all_families(self.problem, self._templates):
                self.instances += family.size
                self._survivors.append(sieve(Survivors(family, np.arange(family.size)), self.known, count))
        else:
            self._survivors = [sieve(s, self.known, count) for s in self._survivors]
        self._survivors = [s for s in self._survivors if len(s.rows)]
        self._say(f"{sum(len(s.rows) for s in self._survivors)} of {self.instances} features explain {len(self.known)} examples")
        return self._survivors

    def _ranked(self, survivors: list[Survivors]) -> list[Candidate]:
        step = max(1, len(self._words) // POOL)
        pool = np.concatenate([self.known.words, self._words[::step]])
        share = max(1, RENDERED // max(1, len(survivors)))
        found: list[tuple[Candidate, bytes]] = []
        for survivor in survivors:
            rows = survivor.rows[:share]
            on_known = survivor.family.evaluate(self.known.words, rows)
            on_pool = survivor.family.evaluate(pool, rows)
            for row, values, reach in zip(rows, on_known, on_pool, strict=True):
                for reading in readings(survivor.family, int(row), self.problem, values, self.known.labels):
                    candidate = Candidate(survivor.family, int(row), reading)
                    behaviour = reading.apply(reach)
                    if (behaviour >= 0).all() and candidate.source() not in self._dropped:
                        found.append((candidate, behaviour.astype(np.int16).tobytes()))
        seen: set[bytes] = set()
        out = []
        for candidate, does in sorted(found, key=lambda pair: pair[0].key):
            if does not in seen:
                seen.add(does)
                out.append(candidate)
        return out


def _named(name: str) -> ModuleType:
    if name not in all_templates():
        raise InputError("search", f"there is no template {name!r}", f"templates are {', '.join(all_templates())}")
    return all_templates()[name]


def _constant(problem: Problem, label: int) -> Candidate:
    """What explains examples that all have one label."""
    family = next(all_families(problem, ["constant"]))
    return Candidate(family, 0, Reading((f"return {literal(problem.labels[label])}",), np.array([label]), 0))


__all__ = ["Refutation", "Search", "refine", "synthesise"]
