"""From labelled examples to programs: what the templates and the other ways find, the plainest first.

`synthesise` searches once.  `ProgramSearch` is the loop guided by counterexamples (CEGIS): it starts with few
examples, gives its best program, and is told the inputs on which that program was wrong.

Source: Solar-Lezama, "Program Synthesis by Sketching" (2008), chapter 4, for the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..common.errors import InputError
from ..common.text import literal
from ..models.automata.labelled import Labelled
from ..models.automata.layered import Layered
from .candidate import Candidate, read_feature
from .expressions.find import expressed
from .families import all_families, all_templates, template
from .feature import Family
from .filter import Survivors, mixed, sieve
from .finding import Findings
from .findings import findings
from .folds.find import folded
from .problem import SearchProblem, TokenSet
from .reading import LabelReading, readings
from .ways.automata import learnt
from .ways.combine import combined

POOL = 2048  # words on which candidates are told apart
RENDERED = 3000  # features that are written out as programs in one step
START = 24  # examples that the loop starts with
LONGEST_WANTED = 120  # of expressions and loops
# Description lengths up to which a program is taken without asking for a shorter one: a single feature;
# expressions over the whole sequence, before loops are tried; loops, before everything else is.
SHORT, WITHOUT_LOOP, PLAIN = 6, 20, 40

Progress = Callable[[str], None]


def synthesise(
    problem: SearchProblem,
    *,
    words: np.ndarray | None = None,
    templates: Iterable[str] | None = None,
    limit: int = 100,
    seed: int = 0,
) -> list[Candidate]:
    """Find programs that give every example its label, plainest first, one per behaviour.

    Args:
        problem: the examples and what is known of the domain.
        words: padded words without labels on which programs are told apart too.
        templates: ask these templates only.
        limit: how many programs at most.
        seed: of the order of the examples.
    """
    everything = len(problem.examples)
    search = ProgramSearch(problem, words=words, seed=seed, start=everything, templates=templates)
    search.best()
    return search.candidates()[:limit]


def refine(candidates: Iterable[Candidate], examples: Labelled) -> list[Candidate]:
    """Keep the candidates that give these inputs their label too."""
    return [c for c in candidates if (c.evaluate(examples.words) == examples.labels).all()]


@dataclass(frozen=True, eq=False)
class RefutedCandidate:
    """A candidate that was wrong, and the inputs that showed it."""

    candidate: Candidate
    counterexamples: Labelled


class ProgramSearch:
    """The loop: `best()` gives the plainest program so far; `refine()` adds inputs that it got wrong.

    `refuted` holds every refuted candidate with its counterexamples.

    Args:
        problem: the examples, which are all of the domain or a part of it.
        words: padded words without labels on which programs are told apart and must return labels.
        seed: of the order of the examples.
        start: how many examples the loop starts with.
        templates: ask these templates only.
        progress: is told what is going on.
        automaton: gives a layered automaton of the labels that is right beyond the examples, if they are a
            sample.

    Raises:
        InputError: there are no examples, or there is no such template.
    """

    def __init__(
        self,
        problem: SearchProblem,
        *,
        words: np.ndarray | None = None,
        seed: int = 0,
        start: int = START,
        templates: Iterable[str] | None = None,
        progress: Progress | None = None,
        automaton: Callable[[], Layered | None] | None = None,
    ) -> None:
        if len(problem.examples) == 0:
            what = "there are no examples to learn from"
            raise InputError("search", what, "give at least one labelled input")
        self.problem = problem
        self.refuted: list[RefutedCandidate] = []
        self.instances = 0  # features that were looked at
        self._say = progress or (lambda text: None)
        self._only_templates = templates is not None
        self._templates = list(all_templates() if templates is None else map(_known, templates))
        self._all = mixed(problem.examples, seed)
        self._words = self._all.words if words is None else np.concatenate([words, self._all.words])
        self.known = self._all.take(np.arange(min(start, len(self._all))))
        self._survivors: list[Survivors] | None = None
        self._list: list[Candidate] | None = None
        self._dropped: set[str] = set()
        self._further: list[Candidate] = []  # what the ways beyond single templates have found
        self._automaton = automaton or (lambda: None)
        self._whole = automaton is None and words is None
        self._searched = 0  # known examples when those ways were last asked

    @cached_property
    def found_out(self) -> Findings:
        """What the labels depend on, as far as the examples show."""
        return findings(self.problem, whole=self._whole)

    @cached_property
    def _asked(self) -> SearchProblem:
        """The problem with the classes of tokens that the labels do not tell apart."""
        return replace(self.problem, classes=_classes(self.found_out))

    @cached_property
    def _families(self) -> list[Family]:
        return list(all_families(self._asked, self._templates))

    def best(self) -> Candidate | None:
        """Return the plainest program that explains every known example; None if no way has one."""
        while True:
            found = self.candidates()
            if found:
                wrong = np.flatnonzero(found[0].evaluate(self._all.words) != self._all.labels)
                if (found[0].evaluate(self._words) < 0).any():
                    self.reject(found[0])  # it would return something that is not a label
                elif len(wrong) or self._good_enough(found[0]):  # a wrong one is for the prover to refute
                    return found[0]
                else:
                    self._search_further()  # for something shorter
            elif self._searched == len(self.known) or self._only_templates:
                return None
            else:
                self._search_further()

    def _good_enough(self, candidate: Candidate) -> bool:
        """Tell whether no shorter program is worth looking for."""
        if self._only_templates or self._searched == len(self.known):
            return True
        return candidate.description_length <= (PLAIN if self._searched else SHORT)

    def refine(self, counterexamples: Labelled) -> None:
        """Add inputs, with their right labels, on which the best candidate was wrong.

        Raises:
            ValueError: there are none, or the best candidate is right on them.
        """
        if len(counterexamples) == 0:
            raise ValueError("a refutation needs a counterexample")
        best = self.candidates()[:1]
        if best and (best[0].evaluate(counterexamples.words) == counterexamples.labels).all():
            raise ValueError("the counterexamples do not refute the best candidate")
        self.refuted += [RefutedCandidate(c, counterexamples) for c in best]
        self.known = self.known.joined(counterexamples)
        self._list = None

    def candidates(self) -> list[Candidate]:
        """Return everything consistent with the known examples, plainest first, one per behaviour."""
        if self._list is None:
            if len(np.unique(self.known.labels)) == 1:
                self._list = [_constant(self.problem, int(self.known.labels[0]))]
            else:
                self._list = self._ranked(self._sieved())
                self._list = self._told_apart([*self._list, *self._still_right()])
        return self._list

    def reject(self, candidate: Candidate) -> None:
        """Never give this candidate again: it returns no label somewhere, or the prover cannot read it."""
        self._dropped.add(candidate.source())
        self._list = None

    def _search_further(self) -> None:
        """Ask every other way, with all examples: two features, automata, shorter step functions."""
        self._searched = len(self.known)
        self._list = None
        here = mixed(self.known.joined(self._all), 0)
        shortest = min((c.description_length for c in self.candidates()[:1]), default=LONGEST_WANTED)

        def add(found: list[Candidate]) -> int:
            self._further += found
            return min((c.description_length for c in found), default=shortest)

        self._further = []
        about = self.found_out if self._whole else None  # of a sample, too little may be known
        shortest = add(expressed(self._asked, here, shortest, self._say, about))
        if about is not None and not self._further:  # what was found out may be an accident of few examples
            shortest = add(expressed(self._asked, here, shortest, self._say))
        if shortest > WITHOUT_LOOP:
            shortest = add(folded(self._asked, here, shortest, self._say))
        if shortest > PLAIN:
            self._say("no single template explains the examples shortly: combining two")
            shortest = add(combined(self.problem, self._families, here))
        if shortest > PLAIN:
            add(learnt(self.problem, here, self._say, self._automaton()))
        self._list = None

    def _sieved(self) -> list[Survivors]:
        """Return the features that explain the known examples."""
        count = len(self.problem.labels)
        if self._survivors is None:
            self.instances = sum(family.size for family in self._families)
            self._survivors = [Survivors(family, np.arange(family.size)) for family in self._families]
        self._survivors = [sieve(s, self.known, count) for s in self._survivors]
        self._survivors = [s for s in self._survivors if len(s.rows)]
        left = sum(len(s.rows) for s in self._survivors)
        self._say(f"{left} of {self.instances} features explain {len(self.known)} examples")
        return self._survivors

    def _still_right(self) -> list[Candidate]:
        """Return those of what the other ways found that explain the known examples."""
        found = self._further
        if len(self.known) > self._searched:
            found = refine(found, self.known.take(np.arange(self._searched, len(self.known))))
        return [c for c in found if c.source() not in self._dropped]

    def _ranked(self, survivors: list[Survivors]) -> list[Candidate]:
        """Write out features as programs, as many of each family as there is room for."""
        share = max(1, RENDERED // max(1, len(survivors)))
        found = []
        for survivor in survivors:
            family, rows = survivor.family, survivor.rows[:share]
            for row, values in zip(rows, family.evaluate(self.known.words, rows), strict=True):
                for reading in readings(family, int(row), self.problem, values, self.known.labels):
                    candidate = read_feature(family, int(row), reading)
                    if candidate.source() not in self._dropped:
                        found.append(candidate)
        return found

    def _told_apart(self, found: list[Candidate]) -> list[Candidate]:
        """Keep the plainest of those that do the same on a sample of the words and return labels there."""
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


def _classes(found: Findings) -> tuple[TokenSet, ...]:
    """Return the sets of tokens that may stand for each other, and the other tokens alone."""
    index = {token: i for i, token in enumerate(found.tokens)}
    together = [tuple(sorted(index[t] for t in tokens)) for tokens in found.alike]
    alone = [(i,) for i in range(len(found.tokens)) if not any(i in c for c in together)]
    return (*together, *alone) if together else ()


def _known(name: str) -> str:
    """Check that there is a template with this name."""
    template(name)
    return name


def _constant(problem: SearchProblem, label: int) -> Candidate:
    """Return the program for examples that all have one label."""
    family = next(all_families(problem, ["constant"]))
    reading = LabelReading((f"return {literal(problem.labels[label])}",), np.array([label]), 0)
    return read_feature(family, 0, reading)
