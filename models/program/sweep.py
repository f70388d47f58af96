"""Makes automata from a program: runs its passes over all words at once, and labels each word with its value.

`claims/language.py` calls it.  The program is run with unknown tokens (`tokens.py`).  Each pass that it asks
for becomes a deterministic machine that reads the word in parallel with an automaton of the words
(`runner.py`).  Sometimes an outcome is needed before the word has been read: an earlier pass steers a later
one, or a loop's body looks at other tokens.  Then the outcome is guessed: the language is split exactly by
the outcome of that pass, and the program goes on in each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...common.deadline import check
from ..automata.automaton import Automaton, first_word, trimmed
from .bags import BAG_LIMIT, Bag, BagRunner, bags_of, unordered
from .compiled import CompiledFunction
from .passes import NotAPass, Outcome, Pass, outcome_key
from .runner import Missing, Runner, Setting, SweepEffort, TooManyStates, answering
from .tokens import Context
from .values import Execution, ProgramFault, UnknownTokens

TRACK_LIMIT = 4  # passes that are run side by side before outcomes are guessed
GUESS_LIMIT = 6  # outcomes that are guessed together


@dataclass(frozen=True)
class LabelledWords:
    """Words, with labels that say what the program gives on them.

    words: their automaton.
    outcomes: by label, what the program gives.
    known: outcomes of passes that hold on all of them.
    """

    words: Automaton
    outcomes: tuple[Outcome, ...]
    known: dict[Any, Outcome]

    def parts(self) -> Iterator[tuple[Outcome, Automaton]]:
        """Yield each outcome with the words that have it."""
        for label, outcome in enumerate(self.outcomes):
            yield outcome, self.words.restricted(label)


Main = Callable[[Execution], Outcome]


class Sweep:
    """Labels words by what functions give on them.

    tokens: the alphabet.
    shortest, longest: the lengths of the words, in tokens.
    effort: how much work is left.

    Words shorter than `longest` end in pads.  A pad is the symbol after those of the tokens.
    """

    def __init__(self, tokens: tuple[str, ...], shortest: int, longest: int, effort: SweepEffort) -> None:
        self.setting = Setting(tokens, Context(shortest, longest), effort)

    @property
    def several_lengths(self) -> bool:
        """Return whether words of several lengths are read together."""
        return self.setting.context.shortest < self.setting.length

    def labelled(self, base: Automaton, function: CompiledFunction) -> list[LabelledWords]:
        """Split the words of `base` and label them by what a function of the tokens gives.

        Every word is in exactly one of the results.  Raises NotAPass if the function uses its tokens in a way
        that no chain of passes can follow, NeedsLength if the lengths have to be taken one by one, and
        TooManyStates.
        """

        def called(tokens: UnknownTokens, m: Execution) -> Outcome:
            try:
                result = function.call((tokens,), m)
                return "return", (result.value, result.line)
            except ProgramFault as fault:
                return "raise", (fault.exception, fault.message, fault.line)

        self.called, effort = called, self.setting.effort
        states = effort.states_left
        try:
            return self._solve(base, {}, self._main, ())
        except (NotAPass, TooManyStates):
            effort.states_left = states
            found = self._by_bags(base, BAG_LIMIT)
            if found is None:
                raise
            return [found]

    def _main(self, m: Execution) -> Outcome:
        """Run the function that `labelled` was given on the word."""
        return self.called(self.setting.context.tokens(), m)

    def _by_bags(self, base: Automaton, limit: int) -> LabelledWords | None:
        """Label the words of `base` by running the function once for each bag of tokens.

        Returns None if there are more bags than `limit`, or if the order of the tokens could matter.
        """
        setting = self.setting
        if base.empty or bags_of(len(setting.tokens), setting.context.shortest, setting.length) > limit:
            return None
        runner = BagRunner(setting.tokens)
        found: dict[Any, tuple[int, Outcome]] = {}
        try:
            self._of_bag(runner.bag_of(first_word(base)))
            sizes, edges, finals = self._product(base, [runner])
            outcomes = [self._of_bag(runner.bag(state)) for _, state in finals]
        except NotAPass:
            return None
        labels = tuple(found.setdefault(outcome_key(o), (len(found), o))[0] for o in outcomes)
        words = trimmed(base.symbol_count, sizes, edges, labels)
        return LabelledWords(words, tuple(outcome for _, outcome in found.values()), {})

    def _of_bag(self, bag: Bag) -> Outcome:
        check()
        return self.called(bag, Execution(ask=unordered))

    def _run(self, main: Main, known: dict[Any, Outcome]) -> Outcome:
        """Run the program once, with known outcomes of passes; raises Missing for others."""
        check()
        run = Execution(ask=answering(known))
        self.setting.context.run = run
        return main(run)

    def _solve(
        self, base: Automaton, known: dict[Any, Outcome], main: Main, tracked: tuple[Pass, ...]
    ) -> list[LabelledWords]:
        """Label the words of `base` by running the passes `tracked` side by side.

        known: outcomes that hold on all of these words.
        """
        while True:
            runners = [Runner(self.setting, query, known) for query in tracked]
            try:
                sizes, edges, finals = self._product(base, runners)
            except Missing as e:
                if main == self._main and not known and (bags := self._by_bags(base, BAG_LIMIT)):
                    return [bags]
                return self._split(e.query, base, known, main, tracked, e.line)
            missing: dict[Any, Pass] = {}
            line = 0
            outcomes: dict[Any, tuple[int, Outcome]] = {}
            labels = []
            for final in finals:
                answers = {q.key: r.outcome(s) for q, r, s in zip(tracked, runners, final[1:], strict=True)}
                try:
                    outcome = self._run(main, known | answers)
                except Missing as e:
                    missing[e.query.key] = e.query
                    line = e.line
                    continue
                labels.append(outcomes.setdefault(outcome_key(outcome), (len(outcomes), outcome))[0])
            if not missing:
                words = trimmed(base.symbol_count, sizes, edges, tuple(labels))
                return [LabelledWords(words, tuple(outcome for _, outcome in outcomes.values()), known)]
            query = next(iter(missing.values()))
            # The next pass depends on the outcome of the first one: guess that.
            if len(missing) > 1 and tracked:
                return self._split(tracked[0], base, known, main, tracked[1:], line)
            if len(tracked) >= TRACK_LIMIT or not self.setting.schedule(query).forward:
                return self._split(query, base, known, main, tracked, line)
            tracked = (*tracked, query)

    def _split(
        self,
        query: Pass,
        base: Automaton,
        known: dict[Any, Outcome],
        main: Main,
        tracked: tuple[Pass, ...],
        line: int,
    ) -> list[LabelledWords]:
        """Guess the outcome of a pass: for each outcome, solve the part of the language that has it."""
        if len(known) >= GUESS_LIMIT:
            raise NotAPass("looks at the tokens in too many places that depend on each other", line)
        found = []
        for outcome, part, inner in self._by_outcome(query, base, known):
            found += self._solve(part, inner | {query.key: outcome}, main, tracked)
        return found

    def _by_outcome(
        self, query: Pass, base: Automaton, known: dict[Any, Outcome]
    ) -> list[tuple[Outcome, Automaton, dict[Any, Outcome]]]:
        """Split the words of `base` by the outcome of a pass.

        Returns (outcome, words, what is known on them).
        """
        if self.setting.schedule(query).forward:
            leaves = self._solve(base, known, lambda m: m.ask(query) if m.ask else ("", None), ())
            return [(outcome, part, leaf.known) for leaf in leaves for outcome, part in leaf.parts()]
        runner = Runner(self.setting, query, known)
        try:
            sizes, edges, finals = self._product(flipped(base), [runner])
        except Missing as e:
            found = []
            for outcome, part, inner in self._by_outcome(e.query, base, known):
                found += self._by_outcome(query, part, inner | {e.query.key: outcome})
            return found
        outcomes = {outcome_key(o): o for o in (runner.outcome(s) for _, s in finals)}
        keys = list(outcomes)
        place = {key: i for i, key in enumerate(keys)}
        labels = tuple(place[outcome_key(runner.outcome(s))] for _, s in finals)
        backwards = trimmed(base.symbol_count, sizes, edges, labels)
        parts = [flipped(backwards.restricted(label)) for label in range(len(keys))]
        again = [trimmed(p.symbol_count, p.layer_sizes, p.edges, p.labels) for p in parts]
        return [(outcomes[key], part, known) for key, part in zip(keys, again, strict=True)]

    def _product(
        self, base: Automaton, runners: Sequence[Runner | BagRunner]
    ) -> tuple[tuple[int, ...], tuple[Any, ...], list[tuple[int, ...]]]:
        """Run passes side by side with `base`.

        Returns layer sizes, edges, and what the final states consist of.
        """
        self.setting.effort.spend(1)
        begin = tuple(r.begin() for r in runners)
        states: dict[Any, int] = {(s, *begin): s for s in range(base.layer_sizes[0])}
        sizes, edges = [len(states)], []
        for t, layer in enumerate(base.edges):
            following: dict[tuple[int | None, ...], int] = {}
            outgoing: list[list[tuple[int, int]]] = [[] for _ in range(base.layer_sizes[t])]
            for source, symbol, target in layer:
                outgoing[source].append((symbol, target))
            here = []
            for state, number in states.items():
                check()
                if len(following) > self.setting.effort.states_left:
                    raise TooManyStates
                rows = [r.row(t, s) for r, s in zip(runners, state[1:], strict=True)]
                for symbol, target in outgoing[state[0]]:
                    reached = (target, *[row[symbol] for row in rows])
                    if None in reached:  # a step that was not taken before
                        reached = (
                            target,
                            *[r.step(t, s, symbol) for r, s in zip(runners, state[1:], strict=True)],
                        )
                    here.append((number, symbol, following.setdefault(reached, len(following))))
            self.setting.effort.spend(len(following))
            edges.append(tuple(here))
            sizes.append(len(following))
            states = following
        return tuple(sizes), tuple(edges), list(states)


def flipped(automaton: Automaton) -> Automaton:
    """Return the same words read from right to left.  All final states must have one label."""
    edges = tuple(tuple(sorted((n, s, p) for p, s, n in layer)) for layer in reversed(automaton.edges))
    sizes = automaton.layer_sizes[::-1]
    return replace(automaton, layer_sizes=sizes, edges=edges, labels=(0,) * sizes[-1])
