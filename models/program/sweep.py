"""Running passes over all words of one length at once: from a program with unknown tokens to labelled automata.

The program is run with `passes.Tokens`; each pass that it asks for becomes a deterministic machine that reads the
word beside the language so far.  Where the answer is needed before the word has been read (an earlier pass's
result steers a later one, or a loop's body looks elsewhere), the answer is guessed: the language is split by the
pass's outcome, exactly, and the program goes on within each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...common.deadline import check
from ..automata.automaton import Automaton, trimmed
from .interpreter import Located, Machine, ProgramFault, freeze
from .items import Peeking, TokenItems
from .passes import Context, NeedsLength, NotAPass, Pass, guarded, has_tokens, outcome_key
from .subset import Function

Outcome = tuple[str, Any]
HOLD_LIMIT = 3  # tokens that a pass may remember from position to position
TRACK_LIMIT = 4  # passes run side by side before guessing
GUESS_LIMIT = 6  # outcomes guessed together


class Missing(Located):
    """A run asked for the outcome of a pass that is not known yet."""

    def __init__(self, query: Pass) -> None:
        super().__init__()
        self.query = query


class TooManyStates(Exception):
    """The automaton would be over the limit."""


@dataclass
class Effort:
    """What building one language may still cost, and the steps that were taken before (same state, same item: same result)."""

    states_left: int
    memo: dict[Any, Any]

    def spend(self, states: int) -> None:
        check()
        self.states_left -= states
        if self.states_left < 0:
            raise TooManyStates


@dataclass(frozen=True)
class Leaf:
    """Words of one length whose final states say what the program gives: `outcomes[label]`; `known` holds all over them."""

    words: Automaton
    outcomes: tuple[Outcome, ...]
    known: dict[Any, Outcome]

    def parts(self) -> Iterator[tuple[Outcome, Automaton]]:
        for label, outcome in enumerate(self.outcomes):
            yield outcome, self.words.restricted(label)


Main = Callable[[Machine], Outcome]


class Sweep:
    """Words over `tokens`: `leaves(base, function)` splits and labels a language by what a function gives.

    Words shorter than `longest` end in pads, the symbol behind those of the tokens.
    """

    def __init__(self, tokens: tuple[str, ...], shortest: int, longest: int, effort: Effort) -> None:
        self.tokens, self.length, self.effort = tokens, longest, effort
        self.context = Context(shortest, longest)

    def schedule(self, query: Pass) -> Schedule:
        if self.context.shortest == self.length:
            return schedule(query, self.length)
        if isinstance(query.items, Peeking) and query.items.looks_ahead():
            raise NeedsLength
        found = schedule_of([query.items.reads(k) for k in range(len(query.items))], self.length, True)
        if max(map(len, found.held)) > HOLD_LIMIT:
            raise NeedsLength
        return found

    def leaves(self, base: Automaton, function: Function) -> list[Leaf]:
        def main(m: Machine) -> Outcome:
            try:
                result = function.call((self.context.tokens(),), m)
                return "return", (result.value, result.line)
            except ProgramFault as fault:
                return "raise", (fault.exception, fault.message, fault.line)

        return self._solve(base, {}, main, ())

    def _run(self, main: Main, known: dict[Any, Outcome]) -> Outcome:
        check()
        machine = Machine(ask=_answers(known))
        self.context.machine = machine
        return main(machine)

    def _solve(
        self, base: Automaton, known: dict[Any, Outcome], main: Main, tracked: tuple[Pass, ...]
    ) -> list[Leaf]:
        while True:
            runners = [Runner(self, query, known) for query in tracked]
            try:
                sizes, edges, finals = self._product(base, runners)
            except Missing as e:
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
                return [Leaf(words, tuple(outcome for _, outcome in outcomes.values()), known)]
            query = next(iter(missing.values()))
            if len(missing) > 1 and tracked:
                return self._split(tracked[0], base, known, main, tracked[1:], line)
            if len(tracked) >= TRACK_LIMIT or not self.schedule(query).forward:
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
    ) -> list[Leaf]:
        """Guess the query's outcome: one part of the language for each, in which it is known."""
        if len(known) >= GUESS_LIMIT:
            raise NotAPass("looks at the tokens in too many places that depend on each other", line)
        found = []
        for outcome, part, inner in self._by_outcome(query, base, known):
            found += self._solve(part, inner | {query.key: outcome}, main, tracked)
        return found

    def _by_outcome(
        self, query: Pass, base: Automaton, known: dict[Any, Outcome]
    ) -> list[tuple[Outcome, Automaton, dict[Any, Outcome]]]:
        if self.schedule(query).forward:
            leaves = self._solve(base, known, lambda m: m.ask(query) if m.ask else ("", None), ())
            return [(outcome, part, leaf.known) for leaf in leaves for outcome, part in leaf.parts()]
        runner = Runner(self, query, known)
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
        self, base: Automaton, runners: list[Runner]
    ) -> tuple[tuple[int, ...], tuple[Any, ...], list[tuple[int, ...]]]:
        """The base and the passes side by side: layer sizes, edges, and what the final states are made of."""
        self.effort.spend(1)
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
                rows = [r.row(t, s) for r, s in zip(runners, state[1:], strict=True)]
                for symbol, target in outgoing[state[0]]:
                    reached = (target, *[row[symbol] for row in rows])
                    if None in reached:  # seen for the first time
                        reached = (
                            target,
                            *[r.step(t, s, symbol) for r, s in zip(runners, state[1:], strict=True)],
                        )
                    here.append((number, symbol, following.setdefault(reached, len(following))))
            self.effort.spend(len(following))
            edges.append(tuple(here))
            sizes.append(len(following))
            states = following
        return tuple(sizes), tuple(edges), list(states)


def _answers(known: dict[Any, Outcome]) -> Callable[[Pass], Outcome]:
    def ask(query: Pass) -> Outcome:
        if query.key not in known:
            raise Missing(query)
        return known[query.key]

    return ask


def flipped(automaton: Automaton) -> Automaton:
    """The same words read from right to left; all final states must have one label."""
    edges = tuple(tuple(sorted((n, s, p) for p, s, n in layer)) for layer in reversed(automaton.edges))
    sizes = automaton.layer_sizes[::-1]
    return replace(automaton, layer_sizes=sizes, edges=edges, labels=(0,) * sizes[-1])


@dataclass(frozen=True)
class Schedule:
    """Which items run after which position has been read (`at[0]`: before any), and what has to be remembered then."""

    forward: bool
    at: tuple[tuple[int, ...], ...]
    held: tuple[tuple[int, ...], ...]


def schedule(query: Pass, length: int) -> Schedule:
    """The direction that has to remember the fewest tokens."""
    reads = [query.items.reads(k) for k in range(len(query.items))]
    best = schedule_of(reads, length, True)
    if any(best.held):
        best = min(best, schedule_of(reads, length, False), key=lambda c: max(map(len, c.held)))
    if max(map(len, best.held)) > HOLD_LIMIT:
        raise NotAPass("reads the tokens out of order")
    return best


def schedule_of(reads: list[tuple[int, ...]], length: int, forward: bool) -> Schedule:
    at: list[list[int]] = [[] for _ in range(length + 1)]
    held: list[set[int]] = [set() for _ in range(length + 1)]
    now = 0
    for k, positions in enumerate(reads):
        order = [(p if forward else length - 1 - p) + 1 for p in positions]
        now = max([now, *order])
        at[now].append(k)
        for p, first in zip(positions, order, strict=True):
            for t in range(first, now):
                held[t].add(p)
    return Schedule(forward, tuple(map(tuple, at)), tuple(tuple(sorted(h)) for h in held))


class Runner:
    """One pass as a deterministic machine with numbered states, given what is known of other passes."""

    def __init__(self, sweep: Sweep, query: Pass, known: dict[Any, Outcome]) -> None:
        self.sweep, self.query, self.known = sweep, query, known
        self.schedule = sweep.schedule(query)
        self.last = len(query.items) - 1
        self.numbers: dict[Any, int] = {}
        self.states: list[
            tuple[Any, Outcome | None, tuple[str, ...]]
        ] = []  # payload, outcome when done, held tokens
        self.looking: list[bool] = []  # per state: may its steps look at other tokens
        self.steps: dict[
            tuple[int, int], list[int | None]
        ] = {}  # by position where it matters and state: the next state per symbol
        self.plain = isinstance(query.items, TokenItems)

    def outcome(self, state: int) -> Outcome:
        found = self.states[state][1]
        assert found is not None
        return found

    def begin(self) -> int:
        machine = Machine(ask=_answers(self.known))
        self.sweep.context.machine = machine
        payload, done = self.query.begin(machine), None
        if self.last < 0:
            done = self._end(payload)
        return self._items(payload, done, 0, {})

    def step(self, t: int, state: int, symbol: int) -> int:
        """The state after the symbol at position t (counted in the pass's direction)."""
        row = self.row(t, state)
        found = row[symbol]
        if found is None:
            payload, done, held = self.states[state]
            if done is not None:
                found = state
            elif symbol == len(self.sweep.tokens):  # a pad: the word has ended, wherever
                found = self._items(payload, self._end(payload), 0, {})
            else:
                position = t if self.schedule.forward else self.sweep.length - 1 - t
                visible = dict(zip(self.schedule.held[t], held, strict=True))
                visible[position] = self.sweep.tokens[symbol]
                found = self._items(payload, None, t + 1, visible)
            row[symbol] = found
        return found

    def row(self, t: int, state: int) -> list[int | None]:
        """Per symbol, the state that `step` has found; None: not asked yet."""
        # A pass that just walks over the tokens does the same at every position, but for its last item.
        due = self.schedule.at[t + 1]
        key = (-1 if self.plain and due and due[0] != self.last and not self.looking[state] else t, state)
        row = self.steps.get(key)
        if row is None:
            row = self.steps[key] = [None] * (len(self.sweep.tokens) + 1)
        return row

    def _items(self, payload: Any, done: Outcome | None, t: int, visible: dict[int, str]) -> int:
        """Run the items that are due when t positions have been read; the number of the state after them."""
        for k in self.schedule.at[t]:
            if done is None:
                payload, done = self._item(payload, k, visible)
                if done is None and k == self.last:
                    done = self._end(payload)
        held = () if done is not None else tuple(visible[p] for p in self.schedule.held[t])
        key = (
            ("done", outcome_key(done))
            if done is not None
            else ("run", self.query.payload_key(payload), held)
        )
        number = self.numbers.setdefault(key, len(self.states))
        if number == len(self.states):
            self.states.append((payload, done, held))
            self.looking.append(done is None and self.query.sees_tokens(payload))
        return number

    def _item(self, payload: Any, k: int, visible: dict[int, str]) -> tuple[Any, Outcome | None]:
        query, memo = self.query, self.sweep.effort.memo
        value = query.items.value(k, visible)
        looks = tuple(sorted(visible.items())) if query.sees_tokens(payload) or has_tokens(value) else None
        key = (query.kind, query.payload_key(payload), freeze(value), looks)
        if key in memo:
            return memo[key]
        check()
        asked = False

        def ask(other: Pass) -> Outcome:
            nonlocal asked
            asked = True
            if other.key not in self.known:
                raise Missing(other)
            return self.known[other.key]

        machine = Machine(ask=ask, visible=visible)
        self.sweep.context.machine = machine
        result = guarded(lambda: query.item(payload, value, machine))
        if not asked:
            memo[key] = result
        return result

    def _end(self, payload: Any) -> Outcome:
        machine = Machine(ask=_answers(self.known))
        self.sweep.context.machine = machine
        found = guarded(lambda: (None, self.query.end(payload, machine)))[1]
        assert found is not None
        return found
