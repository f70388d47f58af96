"""One pass as a deterministic machine with numbered states, over all words at once.

`sweep.py` runs several of these side by side with an automaton.  A step from one state with one symbol is
computed once, by running the program's own code, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ...common.deadline import check
from .items import Peeking, TokenItems
from .passes import NeedsLength, NotAPass, Outcome, Pass, guarded, outcome_key
from .tokens import Context
from .values import Execution, Located, freeze, has_unknown

HOLD_LIMIT = 3  # tokens that a pass may remember from one position to the next
WIDTH_LIMIT = 70_000  # or more, if the tokens remembered have at most so many values
ITEMS_LIMIT = 50_000  # values of items that are tried to see whether their order matters


class Missing(Located):
    """A run asked for the outcome of a pass that is not known yet."""

    def __init__(self, query: Pass) -> None:
        super().__init__()
        self.query = query


class TooManyStates(Exception):
    """The automaton would have more states than the limit allows."""


@dataclass
class SweepEffort:
    """The states that may still be made for one language, and the steps computed so far.

    states_left: the number of states.
    memo: what a step gives, by state and item; it is the same in every pass.
    """

    states_left: int
    memo: dict[Any, Any]

    def spend(self, states: int) -> None:
        """Count new states.  Raises TooManyStates beyond the limit, and what `deadline.check` raises."""
        check()
        self.states_left -= states
        if self.states_left < 0:
            raise TooManyStates


@dataclass(frozen=True)
class Schedule:
    """When a pass takes its items.

    forward: whether it reads the word from left to right.
    at: at[t] are the items that it takes once t positions have been read.
    held: held[t] are the positions whose tokens it then has to remember.
    last: the item that it takes last, -1 if there is none.
    """

    forward: bool
    at: tuple[tuple[int, ...], ...]
    held: tuple[tuple[int, ...], ...]
    last: int

    @property
    def width(self) -> int:
        """Return how many tokens it has to remember at most."""
        return max(map(len, self.held))


@dataclass
class Setting:
    """The words that passes run over.

    tokens: the tokens.
    context: the lengths of the words.
    effort: how much work is left.

    Words shorter than the longest end in pads.  A pad is the symbol after those of the tokens.
    """

    tokens: tuple[str, ...]
    context: Context
    effort: SweepEffort
    schedules: dict[Any, Schedule] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Return the length of the longest word, in positions."""
        return self.context.longest

    def schedule(self, query: Pass) -> Schedule:
        """Choose the direction in which a pass has to remember the fewest tokens.

        Raises NotAPass if it would have to remember too many, and NeedsLength if the words first have to be
        separated by their lengths.
        """
        if query.key in self.schedules:
            return self.schedules[query.key]
        reads = dict(enumerate(map(query.items.reads, range(len(query.items)))))
        best = _scheduled(reads, self.length, True)
        if self.context.shortest < self.length:  # the end of a word can be anywhere: only left to right
            looks_ahead = isinstance(query.items, Peeking) and query.items.looks_ahead()
            if looks_ahead or best.width > HOLD_LIMIT:
                raise NeedsLength
        elif best.width:
            best = min(best, _scheduled(reads, self.length, False), key=lambda c: c.width)
            if best.width > HOLD_LIMIT and self.in_any_order(query, reads):
                early = dict(sorted(reads.items(), key=lambda item: max(item[1], default=-1)))
                best = _scheduled(early, self.length, True)
            if best.width > HOLD_LIMIT and len(self.tokens) ** best.width > WIDTH_LIMIT:
                raise NotAPass("reads the tokens out of order")
        self.schedules[query.key] = best
        return best

    def in_any_order(self, query: Pass, reads: dict[int, tuple[int, ...]]) -> bool:
        """Return whether the outcome of a pass is the same for every order of its items.

        It is if, whatever the tokens are, each item for itself changes nothing or leads to the one outcome
        that ends the pass: `all(...)`, or a loop that only returns False.  A sum of small integers is, too.
        """
        if sum(len(self.tokens) ** len(set(read)) for read in reads.values()) > ITEMS_LIMIT:
            return False
        run = Execution(ask=answering({}))
        payload = query.begin(run)
        before, ends = query.payload_key(payload), set()
        for k, read in reads.items():
            places = sorted(set(read))
            for tokens in product(self.tokens, repeat=len(places)):
                visible = dict(zip(places, tokens, strict=True))
                try:
                    after, done = self.item(query, payload, k, visible, {})
                except Located:  # asks for another pass, or for more of the tokens
                    return False
                if done is not None:
                    ends.add(outcome_key(done))
                elif query.adds and type(after) is int and after.bit_length() < 64:
                    continue
                elif query.payload_key(after) != before:
                    return False
        return len(ends) <= 1 and not (ends and query.adds)

    def item(
        self, query: Pass, payload: Any, k: int, visible: dict[int, str], known: dict[Any, Outcome]
    ) -> tuple[Any, Outcome | None]:
        """Take item k of a pass.  The result is remembered if it depends only on what the key holds.

        known: outcomes of other passes, by their keys.
        """
        memo = self.effort.memo
        if len(visible) > HOLD_LIMIT + 1:  # the others cannot matter
            visible = {p: visible[p] for p in query.items.reads(k)}
        value = query.items.value(k, visible)
        looks = tuple(sorted(visible.items())) if query.sees_tokens(payload) or has_unknown(value) else None
        key = (query.kind, query.payload_key(payload), freeze(value), looks)
        if key in memo:
            result: tuple[Any, Outcome | None] = memo[key]
            return result
        check()
        asked = False

        def ask(other: Pass) -> Outcome:
            nonlocal asked
            asked = True
            if other.key not in known:
                raise Missing(other)
            return known[other.key]

        run = Execution(ask=ask, visible=visible)
        self.context.run = run
        result = guarded(lambda: query.item(payload, value, run))
        if not asked:
            memo[key] = result
        return result


def _scheduled(reads: dict[int, tuple[int, ...]], length: int, forward: bool) -> Schedule:
    """Take each item as early as possible when reading in one direction.

    `reads[k]`: the positions that item k reads; items are taken in the order of this dict.
    """
    at: list[list[int]] = [[] for _ in range(length + 1)]
    held: list[set[int]] = [set() for _ in range(length + 1)]
    now = 0
    for k, positions in reads.items():
        order = [(p if forward else length - 1 - p) + 1 for p in positions]
        now = max([now, *order])
        at[now].append(k)
        for p, first in zip(positions, order, strict=True):
            for t in range(first, now):
                held[t].add(p)
    last = next(reversed(reads), -1)
    return Schedule(forward, tuple(map(tuple, at)), tuple(tuple(sorted(h)) for h in held), last)


def answering(known: dict[Any, Outcome]) -> Callable[[Pass], Outcome]:
    """Return an `Execution.ask` that answers from known outcomes.  It raises Missing for any other pass."""

    def ask(query: Pass) -> Outcome:
        if query.key not in known:
            raise Missing(query)
        return known[query.key]

    return ask


class Runner:
    """A pass as a deterministic machine, given the outcomes of other passes that are known.

    setting: the words.
    query: the pass.
    known: outcomes of other passes, by their keys.
    """

    def __init__(self, setting: Setting, query: Pass, known: dict[Any, Outcome]) -> None:
        self.setting, self.query, self.known = setting, query, known
        self.schedule = setting.schedule(query)
        self.numbers: dict[Any, int] = {}
        # per state: the payload, the outcome if the pass is over, and the tokens that it remembers
        self.states: list[tuple[Any, Outcome | None, tuple[str, ...]]] = []
        self.looking: list[bool] = []  # per state: whether its steps may look at other tokens
        # by position (-1 where it does not matter) and state: the next state per symbol, None if not computed
        self.steps: dict[tuple[int, int], list[int | None]] = {}
        self.only_tokens = isinstance(query.items, TokenItems)

    def outcome(self, state: int) -> Outcome:
        """Return the outcome of a state after the last position."""
        found = self.states[state][1]
        assert found is not None
        return found

    def begin(self) -> int:
        """Return the state before the first position."""
        run = Execution(ask=answering(self.known))
        self.setting.context.run = run
        payload, done = self.query.begin(run), None
        if self.schedule.last < 0:
            done = self._end(payload)
        return self._items(payload, done, 0, {})

    def step(self, t: int, state: int, symbol: int) -> int:
        """Return the state after reading a symbol at position t (counted in the pass's direction)."""
        row = self.row(t, state)
        found = row[symbol]
        if found is None:
            payload, done, held = self.states[state]
            if done is not None:
                found = state
            elif symbol == len(self.setting.tokens):  # a pad: the word has ended
                found = self._items(payload, self._end(payload), 0, {})
            else:
                position = t if self.schedule.forward else self.setting.length - 1 - t
                visible = dict(zip(self.schedule.held[t], held, strict=True))
                visible[position] = self.setting.tokens[symbol]
                found = self._items(payload, None, t + 1, visible)
            row[symbol] = found
        return found

    def row(self, t: int, state: int) -> list[int | None]:
        """Return per symbol the state that `step` found, None where it was not asked."""
        # A pass that only takes token by token does the same at every position, except at its last item.
        due = self.schedule.at[t + 1]
        key = (
            -1
            if self.only_tokens and due and due[0] != self.schedule.last and not self.looking[state]
            else t,
            state,
        )
        row = self.steps.get(key)
        if row is None:
            row = self.steps[key] = [None] * (len(self.setting.tokens) + 1)
        return row

    def _items(self, payload: Any, done: Outcome | None, t: int, visible: dict[int, str]) -> int:
        """Take the items that are due once t positions have been read.

        Returns the number of the state after them.
        """
        for k in self.schedule.at[t]:
            if done is None:
                payload, done = self.setting.item(self.query, payload, k, visible, self.known)
                if done is None and k == self.schedule.last:
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

    def _end(self, payload: Any) -> Outcome:
        """Return the outcome after the last item."""
        run = Execution(ask=answering(self.known))
        self.setting.context.run = run
        found = guarded(lambda: (None, self.query.end(payload, run)))[1]
        assert found is not None
        return found
