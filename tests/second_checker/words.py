"""The words of each label: minimal layered automata (docs/reference/proof-format.md, 4), and
parts of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from .claim import Claim, Rejected, Unsupported
from .machine import AtPosition, Machine, WholeWords

WHOLE_WORDS = 200_000


@dataclass(frozen=True)
class Language:
    """layers[t][q]: the symbols that lead on from state q, each with the next state; the last layer has one
    state, or none.
    """

    layers: list[list[dict[int, int]]]
    length: int


def languages(claim: Claim, *, whole_words: bool | None = None) -> list[Language]:
    """Per label, its words.  whole_words: by trying every word (True), by machines only (False), or as fits
    (None).
    """
    if claim.position is not None:
        whole_words = True
    if whole_words is None:
        try:
            return languages(claim, whole_words=False)
        except Unsupported:
            return languages(claim, whole_words=True)
    if (
        whole_words
        and sum(len(claim.tokens) ** n for n in range(claim.shortest, claim.longest + 1)) > WHOLE_WORDS
    ):
        raise Unsupported("a program that is no machine, with too many words to try them all")

    def machine(file_and_name):  # type: ignore[no-untyped-def]
        path, name = file_and_name
        return (
            WholeWords(path, name)
            if whole_words
            else Machine(path, name, claim.longest if claim.pad is None else None)
        )

    program, where = machine(claim.program), machine(claim.where) if claim.where else None
    if claim.position is not None:
        program = AtPosition(*claim.program, claim.position, claim.per_prefix)

    def label(state: tuple) -> int | None:
        if where is not None:
            inside = where.finish(state[1])
            if type(inside) is not bool:
                raise Rejected("the predicate returns no bool")
            if not inside:
                return None
        return claim.label_index(program.finish(state[0]))

    start = (program.start(), where.start() if where else None)
    layers: list[dict[Hashable, dict[int, Hashable]]] = []
    here: dict[Hashable, None] = {start: None}
    for t in range(claim.longest):
        edges: dict[Hashable, dict[int, Hashable]] = {}
        for state in here:
            if isinstance(state, int):  # this word has ended, and has this label
                edges[state] = {len(claim.tokens): state}
                continue
            out: dict[int, Hashable] = {
                s: (program.step(state[0], t, token), where.step(state[1], t, token) if where else None)  # type: ignore[index]
                for s, token in enumerate(claim.tokens)
            }
            if t >= claim.shortest and (c := label(state)) is not None:  # type: ignore[arg-type]
                assert claim.pad is not None
                out[claim.pad] = c
            edges[state] = out
        layers.append(edges)
        here = dict.fromkeys(s for out in edges.values() for s in out.values())
    ends = {state: state if isinstance(state, int) else label(state) for state in here}  # type: ignore[arg-type]
    return [_minimal(start, layers, ends, c) for c in range(len(claim.labels))]


def _minimal(
    start: Hashable, layers: list[dict[Hashable, dict[int, Hashable]]], ends: dict, c: int
) -> Language:
    """States that the same suffixes complete are one; numbered in the order in which they are met."""
    classes: dict[Hashable, int] = {state: 0 for state, end in ends.items() if end == c}
    behaviours: list[list[tuple]] = [[()]]
    for edges in reversed(layers):
        numbers: dict[tuple, int] = {}
        new: dict[Hashable, int] = {}
        for state, out in edges.items():
            behaviour = tuple(
                (s, classes[q]) for s, q in sorted(out.items(), key=lambda e: e[0]) if q in classes
            )
            if behaviour:
                new[state] = numbers.setdefault(behaviour, len(numbers))
        behaviours.append(list(numbers))
        classes = new
    behaviours.reverse()
    if start not in classes:
        return Language([[] for _ in range(len(layers) + 1)], len(layers))
    order, result = [classes[start]], []
    for t in range(len(layers)):
        met: dict[int, int] = {}
        result.append([{s: met.setdefault(q, len(met)) for s, q in behaviours[t][b]} for b in order])
        order = list(met)
    return Language([*result, [{}]], len(layers))


class Part:
    """Some words of a language: those that use only these edges (position, state, symbol, next state), all of
    them useful.
    """

    def __init__(self, edges: list[list[tuple[int, int, int]]], states: list[int]) -> None:
        self.edges = edges
        self.states = states  # per layer, how many numbers the states may have
        self.empty = not edges[0] if edges else not states[0]
        self.reached = [sorted({q for q, _, _ in e}) for e in edges]

    @staticmethod
    def whole(language: Language) -> Part:
        edges = [
            [(q, s, r) for q, out in enumerate(layer) for s, r in out.items()]
            for layer in language.layers[:-1]
        ]
        return Part(edges, [len(layer) for layer in language.layers])

    def _trimmed(self, edges: list[list[tuple[int, int, int]]]) -> Part:
        good = set(range(self.states[0]))
        for t, e in enumerate(edges):
            edges[t] = [x for x in e if x[0] in good]
            good = {r for _, _, r in edges[t]}
        for t in range(len(edges) - 1, -1, -1):
            edges[t] = [x for x in edges[t] if x[2] in good]
            good = {q for q, _, _ in edges[t]}
        return Part(edges, self.states)

    def cut(self, kind: str, place: int, values: set[int]) -> tuple[Part, Part]:
        halves = []
        for inside in (True, False):
            edges = list(self.edges)
            if kind == "symbol":
                edges[place] = [x for x in edges[place] if (x[1] in values) == inside]
            elif place < len(edges):
                edges[place] = [x for x in edges[place] if (x[0] in values) == inside]
            else:
                edges[place - 1] = [x for x in edges[place - 1] if (x[2] in values) == inside]
            halves.append(self._trimmed(edges))
        return halves[0], halves[1]

    def count(self) -> int:
        if self.empty:
            return 0
        ways = {0: 1}
        for edges in self.edges:
            new: dict[int, int] = {}
            for q, _, r in edges:
                new[r] = new.get(r, 0) + ways[q]
            ways = new
        return sum(ways.values())

    def words(self) -> Iterator[list[int]]:
        if self.empty:
            return
        after: list[dict[int, list[tuple[int, int]]]] = []
        for edges in self.edges:
            after.append({})
            for q, s, r in edges:
                after[-1].setdefault(q, []).append((s, r))

        def walk(t: int, q: int, word: list[int]) -> Iterator[list[int]]:
            if t == len(after):
                yield list(word)
                return
            for s, r in after[t][q]:
                yield from walk(t + 1, r, [*word, s])

        yield from walk(0, 0, [])

    def maximum(self, weights: dict[int, dict[int, int]]) -> int:
        """The greatest sum over t of weights[t][word[t]]; missing weights are 0.  Not for empty parts."""
        used = [t for t, w in weights.items() if any(w.values())]
        if not used:
            return 0
        first, last = min(used), max(used)
        best = dict.fromkeys(self.reached[first], 0)
        for t in range(first, last + 1):
            w = weights.get(t, {})
            new: dict[int, int] = {}
            for q, s, r in self.edges[t]:
                v = best[q] + w.get(s, 0)
                if r not in new or v > new[r]:
                    new[r] = v
            best = new
        return max(best.values())
