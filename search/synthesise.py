"""From labelled examples to programs: all that the templates know and the examples allow, the plainest first.

After `reading.py` and `filter.py`, before the prover.  `synthesise` is one shot; `Search` is the loop guided by counterexamples: it
starts with few examples, gives its best program, and is told the inputs on which that program was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ..common.errors import InputError
from ..models.automata.labelled import Labelled
from ..models.automata.layered import Layered
from ..models.claims.decision import Label
from ..models.claims.domain import Domain
from .candidate import Candidate, read_feature
from .filter import Survivors, all_families, mixed, sieve
from .problem import Problem
from .reading import Reading, readings
from .render import literal
from .templates import all_templates
from .ways.automata import learnt
from .ways.combine import combined
from .ways.stepwise import enumerated

POOL = 2048  # inputs on which candidates are told apart
RENDERED = 3000  # features that are written out as programs in one step
START = 24
LONGEST = 60  # description length of step functions that are worth enumerating
PLAIN = (
    30  # description length up to which a program is taken without asking the other ways for a shorter one
)

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
    search = Search(
        examples, domain, labels, words=words, seed=seed, start=len(examples), templates=templates
    )
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
    `automaton`: asked for a layered automaton of the labels that is right beyond the examples, where they are only a sample.
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
        automaton: Callable[[], Layered | None] | None = None,
    ) -> None:
        if len(examples) == 0:
            raise InputError(
                "search", "there are no examples to learn from", "give at least one labelled input"
            )
        self.problem = Problem.of(examples, domain, labels)
        self.refuted: list[Refutation] = []
        self.instances = 0  # features that were looked at
        self._say = progress or (lambda text: None)
        self._templates = list(
            all_templates() if templates is None else {name: _named(name) for name in templates}
        )
        self._only_templates = templates is not None
        self._all = mixed(examples, seed)
        self._words = self._all.words if words is None else np.concatenate([words, self._all.words])
        self.known = self._all.take(np.arange(min(start, len(self._all))))
        self._survivors: list[Survivors] | None = None
        self._list: list[Candidate] | None = None
        self._dropped: set[str] = set()
        self._further: list[Candidate] = []  # what the ways beyond single templates have found
        self._automaton = automaton or (lambda: None)
        self._searched = 0  # known examples when they were last asked

    def best(self) -> Candidate | None:
        """The plainest program that explains every known example; None only where no way has one."""
        while True:
            found = self.candidates()
            if found:
                if (found[0].evaluate(self._words) < 0).any():
                    self.reject(found[0])  # it would return something that is not a label
                elif (
                    self._searched or found[0].description_length <= PLAIN or not self._explains_all(found[0])
                ):
                    return found[0]
                else:
                    self._search_further()  # for something shorter
            elif self._searched == len(self.known) or self._only_templates:
                return None
            else:
                self._search_further()

    def _explains_all(self, candidate: Candidate) -> bool:
        return not self._only_templates and bool(
            (candidate.evaluate(self._all.words) == self._all.labels).all()
        )

    def _search_further(self) -> None:
        """Every other way, on all examples there are: two features, automata, step functions that are shorter."""
        if self._searched == 0:
            self.known = self.known.joined(self._all)
        self._searched = len(self.known)
        self._list = None
        here = mixed(self.known, 0)
        self._say("no single template explains the examples shortly: combining two")
        self._further = combined(self.problem, list(all_families(self.problem, self._templates)), here)
        if any(c.description_length <= PLAIN for c in self._further):
            return
        self._further += learnt(self.problem, here, self._say, self._automaton())
        shortest = min((c.description_length for c in self.candidates()[:1]), default=LONGEST)
        self._further += enumerated(self.problem, here, min(shortest, LONGEST), self._say)
        self._list = None

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
                self._list = self._told_apart([*self._list, *self._still_right()])
        return self._list

    def reject(self, candidate: Candidate) -> None:
        """Never again: it returns no label somewhere, or the prover cannot read it."""
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
        self._say(
            f"{sum(len(s.rows) for s in self._survivors)} of {self.instances} features explain {len(self.known)} examples"
        )
        return self._survivors

    def _still_right(self) -> list[Candidate]:
        """Of what the other ways found, that which explains the known examples."""
        if len(self.known) > self._searched:
            fresh = self.known.take(np.arange(self._searched, len(self.known)))
            return [c for c in refine(self._further, fresh) if c.source() not in self._dropped]
        return [c for c in self._further if c.source() not in self._dropped]

    def _ranked(self, survivors: list[Survivors]) -> list[Candidate]:
        share = max(1, RENDERED // max(1, len(survivors)))
        found = []
        for survivor in survivors:
            rows = survivor.rows[:share]
            for row, values in zip(rows, survivor.family.evaluate(self.known.words, rows), strict=True):
                for reading in readings(survivor.family, int(row), self.problem, values, self.known.labels):
                    candidate = read_feature(survivor.family, int(row), reading)
                    if candidate.source() not in self._dropped:
                        found.append(candidate)
        return found

    def _told_apart(self, found: list[Candidate]) -> list[Candidate]:
        """The plainest of those that do the same on a sample of the words; what returns no label there is out."""
        step = max(1, len(self._words) // POOL)
        pool = np.concatenate([self.known.words[:POOL], self._words[::step]])
        seen: set[bytes] = set()
        out = []
        for candidate in sorted(found, key=lambda c: c.key):
            behaviour = candidate.evaluate(pool)
            does = behaviour.astype(np.int16).tobytes()
            if (behaviour >= 0).all() and does not in seen:
                seen.add(does)
                out.append(candidate)
        return out


def _named(name: str) -> ModuleType:
    if name not in all_templates():
        raise InputError(
            "search", f"there is no template {name!r}", f"templates are {', '.join(all_templates())}"
        )
    return all_templates()[name]


def _constant(problem: Problem, label: int) -> Candidate:
    """What explains examples that all have one label."""
    family = next(all_families(problem, ["constant"]))
    return read_feature(
        family, 0, Reading((f"return {literal(problem.labels[label])}",), np.array([label]), 0)
    )


__all__ = ["Candidate", "Refutation", "Search", "refine", "synthesise"]
