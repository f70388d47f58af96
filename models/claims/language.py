"""The automaton of a domain's words, each with the label that a program gives.

For each length: start with all words, keep those for which `where` holds, label them with the program, pad
them, and unite them with the other lengths.  Symbolic execution of passes does this (`program/sweep.py`).
Programs that are no sequence of passes are run on every word instead, if the words are few enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...common.collector import no_collection
from ...common.deadline import check
from ...common.errors import InputError
from ..automata.automaton import Automaton, first_word, trimmed
from ..program.passes import NeedsLength, NotAPass, Outcome
from ..program.program import Program
from ..program.runner import SweepEffort, TooManyStates
from ..program.sweep import Sweep
from ..program.values import ProgramFault

if TYPE_CHECKING:
    from .domain import Domain


class BadAnswer(InputError):
    """A program fails on a sequence of the domain, or gives no label there."""

    def __init__(self, where: str, what: str, mend: str, program: Program, sequence: tuple[str, ...]) -> None:
        super().__init__(where, what, mend)
        self.program, self.sequence = program, sequence


STATE_LIMIT = 400_000  # product states while building
WORD_LIMIT = 200_000  # words that a program may be run on one by one


@no_collection()
def build_language(
    domain: Domain,
    program: Program | None,
    labels: Sequence[Any] | None,
    word_limit: int = WORD_LIMIT,
    state_limit: int = STATE_LIMIT,
) -> Automaton:
    """Return an automaton with one path for each word; without a program every label index is 0.

    Raises InputError where `where` fails on some sequence, or the program fails or gives no label on a
    sequence of the domain.
    """
    count = sum(
        len(domain.tokens) ** n
        for n in range(domain.min_length, min(domain.max_length, domain.min_length + 64) + 1)
    )
    few = count <= word_limit and domain.max_length <= 64
    effort = SweepEffort(min(state_limit, 10_000 + count // 2) if few else state_limit, {})
    builder = _LanguageBuilder(domain, program, labels, effort)
    try:
        parts = builder.parts()
    except NotAPass as e:
        if not few:
            raise _too_large(builder.running, e.line, e.what, count, word_limit) from None
        return builder.one_by_one()
    except TooManyStates:
        if not few:
            raise _too_large(
                builder.running, 0, f"needs an automaton of more than {state_limit} states", count, word_limit
            ) from None
        return builder.one_by_one()
    return compact(united(len(domain.symbols), domain.max_length, parts))


def _too_large(program: Program | None, line: int, what: str, count: int, limit: int) -> InputError:
    origin = program.origin if program else "[domain]"
    line = line or (program.function.node.lineno if program else 0)
    return InputError(
        f"{origin}:{line}",
        f"the program {what}, and the domain has more than {limit} sequences to run it on one by one",
        "use single passes over the tokens (docs/reference/program-subset.md), or shorten the domain",
    )


class _LanguageBuilder:
    def __init__(
        self, domain: Domain, program: Program | None, labels: Sequence[Any] | None, effort: SweepEffort
    ) -> None:
        self.domain, self.program, self.labels, self.effort = domain, program, _numbered(labels or ()), effort
        self.running: Program | None = None  # whose fault it is when building stops

    def parts(self) -> list[Automaton]:
        """Return automata of the padded words, labelled.

        All lengths are built together if no program uses the length, else one after the other.
        """
        shortest, longest = self.domain.min_length, self.domain.max_length
        if shortest < longest:
            states = self.effort.states_left
            try:
                return self.lengths(shortest, longest)
            except NeedsLength:
                self.effort.states_left = states
        return [part for n in range(shortest, longest + 1) for part in self.lengths(n, n)]

    def lengths(self, shortest: int, longest: int) -> list[Automaton]:
        """Automata of the padded words whose sequences have these lengths, labelled."""
        domain = self.domain
        sweep = Sweep(domain.tokens, shortest, longest, self.effort)
        base = _everything(len(domain.symbols), len(domain.tokens), shortest, longest)
        if domain.where is not None:
            kept = united(base.symbol_count, longest, self._labelled(sweep, base, domain.where, TRUTH))
            base = compact(kept.restricted(1))
        if base.empty:
            return []
        if self.program is None:
            return [self._padded(replace(base, labels=(0,)))]
        return [self._padded(part) for part in self._labelled(sweep, base, self.program, self.labels)]

    def _labelled(self, sweep: Sweep, base: Automaton, program: Program, labels: Numbered) -> list[Automaton]:
        """The base's words, split, each part with the label indices that the program gives."""
        self.running = program
        found, bad = [], []
        for leaf in sweep.labelled(base, program.function):
            indices = [_label_index(labels, outcome) for outcome in leaf.outcomes]
            for y, index in enumerate(indices):
                if index is None:
                    bad.append((first_word(leaf.words.restricted(y)), leaf.outcomes[y]))
            if not bad:
                found.append(replace(leaf.words, labels=tuple(indices[y] or 0 for y in leaf.words.labels)))
        if bad and sweep.several_lengths:
            raise NeedsLength  # the shortest lengths first, so that a shortest input is named
        if bad:
            word, outcome = min(bad, key=lambda b: b[0])
            raise self._fault(program, self.domain.unpadded(word), labels, outcome)
        return found

    def _padded(self, words: Automaton) -> Automaton:
        missing = self.domain.max_length - words.length
        last = len(words.labels)
        pad = tuple((s, len(self.domain.tokens), s) for s in range(last))
        return replace(
            words, layer_sizes=words.layer_sizes + (last,) * missing, edges=words.edges + (pad,) * missing
        )

    def _fault(
        self, program: Program, sequence: tuple[str, ...], labels: Numbered, outcome: Outcome
    ) -> BadAnswer:
        """The error for one sequence, told by running the program on it."""
        try:
            value, line = program.traced(sequence)
        except ProgramFault as fault:
            mend = (
                "cover that input"
                if program is self.domain.where
                else "cover that input, or exclude it with `where`"
            )
            place = f"{program.origin}:{fault.line}"
            return BadAnswer(place, f"{fault} on input {sequence!r}", mend, program, sequence)
        wanted = ", ".join(repr(y) for _, y in labels)
        predicate = program is self.domain.where
        one_of = "True or False" if predicate else f"one of the labels {wanted}"
        mend = (
            "return True or False"
            if predicate
            else "labels compare with their type: return exactly one of them"
        )
        what = f"returns {value!r} on input {sequence!r}, which is not {one_of}"
        mend = mend if outcome[0] == "return" else ""
        return BadAnswer(f"{program.origin}:{line}", what, mend, program, sequence)

    def one_by_one(self) -> Automaton:
        """The automaton from running both programs on every sequence; shares equal ends as it goes."""
        domain, last = self.domain, self.domain.max_length
        layers: list[dict[Any, int]] = [{} for _ in range(last + 1)]
        pad = len(domain.tokens)

        def number(t: int, key: Any) -> int:
            return layers[t].setdefault(key, len(layers[t]))

        def end(sequence: tuple[str, ...]) -> int | None:
            label = self._label(sequence)
            if label is None:
                return None
            state = number(last, label)
            for t in reversed(range(len(sequence), last)):
                state = number(t, ((pad, state),))
            return state

        def build(sequence: tuple[str, ...], n: int) -> int | None:
            if len(sequence) == n:
                return end(sequence)
            children = [(s, build((*sequence, token), n)) for s, token in enumerate(domain.tokens)]
            found = tuple((s, child) for s, child in children if child is not None)
            return number(len(sequence), found) if found else None

        roots = {root for n in range(domain.min_length, last + 1) if (root := build((), n)) is not None}
        assert len(roots) == len(layers[0])
        edges = tuple(
            tuple((p, s, child) for key, p in layers[t].items() for s, child in key) for t in range(last)
        )
        return compact(trimmed(len(domain.symbols), tuple(map(len, layers)), edges, tuple(layers[last])))

    def _label(self, sequence: tuple[str, ...]) -> int | None:
        """The label index of one sequence, None outside the domain."""
        check()
        if self.domain.where is not None and not self._value(self.domain.where, sequence, TRUTH):
            return None
        return 0 if self.program is None else self._value(self.program, sequence, self.labels)

    def _value(self, program: Program, sequence: tuple[str, ...], labels: Numbered) -> int:
        try:
            outcome: Outcome = ("return", program.traced(sequence))
        except ProgramFault as fault:
            outcome = ("raise", fault)
        label = _label_index(labels, outcome)
        if label is None:
            raise self._fault(program, sequence, labels, outcome)
        return label


Numbered = Mapping[tuple[type, Any], int]


def _numbered(labels: Sequence[Any]) -> Numbered:
    """Labels compare with their type: 1, True and "1" are three labels."""
    return {(type(y), y): i for i, y in enumerate(labels)}


TRUTH = _numbered((False, True))


def _label_index(labels: Numbered, outcome: Outcome) -> int | None:
    kind, result = outcome
    if kind != "return" or not isinstance(
        result[0], str | int
    ):  # whatever else a program returns need not have a hash
        return None
    return labels.get((type(result[0]), result[0]))


def _everything(symbols: int, tokens: int, shortest: int, longest: int) -> Automaton:
    """All padded words of these lengths: state 0 reads tokens, state 1 pads."""
    token = tuple((0, s, 0) for s in range(tokens))
    edges = tuple(token if t < shortest else (*token, (0, tokens, 1), (1, tokens, 1)) for t in range(longest))
    return trimmed(symbols, (2,) * (longest + 1), edges, (0, None if shortest == longest else 0))


def united(symbols: int, length: int, parts: Iterable[Automaton]) -> Automaton:
    """All words of automata that share none."""
    parts = list(parts)
    if len(parts) == 1 and len(set(parts[0].labels)) == len(parts[0].labels):
        return parts[0]  # trimmed, and no two labels have become one
    sizes = [0] * (length + 1)
    edges: list[list[tuple[int, int, int]]] = [[] for _ in range(length)]
    labels: list[int] = []
    for part in parts:
        for t, layer in enumerate(part.edges):
            edges[t] += [(p + sizes[t], s, n + sizes[t + 1]) for p, s, n in layer]
        labels += part.labels
        sizes = [a + b for a, b in zip(sizes, part.layer_sizes, strict=True)]
    return trimmed(symbols, tuple(sizes), tuple(map(tuple, edges)), tuple(labels))


def compact(automaton: Automaton) -> Automaton:
    """The smallest deterministic automaton of the same words, where it is not larger than this one."""
    if automaton.empty or automaton.deterministic:  # trimmed and deterministic: the smallest already
        return automaton
    states: dict[frozenset[int], int] = {frozenset(range(automaton.layer_sizes[0])): 0}
    sizes, edges, budget = [1], [], automaton.edge_count + 16
    for t, layer in enumerate(automaton.edges):
        outgoing: list[dict[int, list[int]]] = [{} for _ in range(automaton.layer_sizes[t])]
        for source, symbol, target in layer:
            outgoing[source].setdefault(symbol, []).append(target)
        following: dict[frozenset[int], int] = {}
        here = []
        for subset, number in states.items():
            check()
            reached: dict[int, set[int]] = {}
            for state in subset:
                for symbol, targets in outgoing[state].items():
                    reached.setdefault(symbol, set()).update(targets)
            for symbol, members in sorted(reached.items()):
                here.append((number, symbol, following.setdefault(frozenset(members), len(following))))
        budget -= len(here)
        if budget < 0:
            return automaton
        edges.append(tuple(here))
        sizes.append(len(following))
        states = following
    labels = tuple(automaton.labels[min(subset)] for subset in states)
    return trimmed(automaton.symbol_count, tuple(sizes), tuple(edges), labels)
