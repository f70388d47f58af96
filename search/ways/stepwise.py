"""The second way: step functions, bottom up.  `value = <term over value and token>` for every token, then a reading of the value.

Configurations: an integer or a flag, either with the token before, and two integers of which the second sees the first.  Programs
that end with the same values on all examples are one (observational equivalence on the labelled inputs); sizes in order;
budgets in terms, programs and seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..feature import Body, Family
from ..filter import consistent
from ..problem import Problem
from ..reading import Reading, readings
from ..render import indent, is_in, literal, nothing
from .terms import ATOM, COMPARE, PRODUCT, Bank, Kind, Limits, Term

BELOW, ABOVE = 3, 16  # how far the integers of the grid reach
FAR = 1 << 40  # a program that leaves these integers is out
STAGES = (12, 48, 512)  # examples that programs are run on first: most of them fall there
BATCH = 1 << 22  # cells of one batch of programs
SECONDS = 20.0
WRITTEN = 80  # surviving programs of one configuration that are written out
FRAME = 11  # nodes around the term: the function, the start, the loop, the return
FIRSTS, SECONDS_TERMS = 150, 3000  # of two integers
WIDEST = 12  # tokens


@dataclass(frozen=True)
class _Local:
    name: str
    kind: Kind
    start: int
    term: Term


@dataclass(frozen=True)
class _Loop:
    """A whole program but for its last line: the locals are updated in order, for every token."""

    problem: Problem
    locals: tuple[_Local, ...]
    previous: bool

    def lines(self) -> tuple[str, ...]:
        out = [f"{v.name} = {bool(v.start) if v.kind == 'bool' else v.start}" for v in self.locals]
        out += [f"previous = {literal(nothing(self.problem))}"] if self.previous else []
        body = [line for v in self.locals for line in _update(v.name, v.term)]
        return (
            *out,
            "for token in tokens:",
            *indent([*body, *(["previous = token"] if self.previous else [])]),
        )

    def run(self, words: np.ndarray) -> np.ndarray:
        """The last local after each padded word, exactly; FAR where an integer grew too large."""
        state = {v.name: np.full(len(words), v.start, dtype=np.int64) for v in self.locals}
        state["previous"] = np.full(len(words), self.problem.size)
        far = np.zeros(len(words), dtype=bool)
        for t in range(words.shape[1]):
            state["token"] = words[:, t].astype(np.int64)
            inside = state["token"] < self.problem.size
            for v in self.locals:
                after = v.term.apply(state).astype(np.int64)
                far |= inside & (abs(after) >= FAR)
                state[v.name] = np.where(inside, np.clip(after, -FAR, FAR), state[v.name])
            state["previous"] = np.where(inside, state["token"], state["previous"])
        return np.where(far, FAR, state[self.locals[-1].name])


def enumerated(
    problem: Problem, examples: Labelled, below: int, say: Callable[[str], None], seconds: float = SECONDS
) -> list[Candidate]:
    """Programs of a step function that give every example its label and are shorter than `below`, plainest first."""
    if problem.size > WIDEST or problem.max_length < 2 or len(np.unique(examples.labels)) < 2:
        return []
    say("enumerating step functions")
    limits = Limits(weight=min(12, below - FRAME - 2), deadline=time.monotonic() + seconds)
    search = _Enumeration(problem, examples, limits)
    found: list[Candidate] = []
    for configuration in (search.integers, search.flags, search.with_previous, search.two_integers):
        if time.monotonic() < limits.deadline:
            found += [
                c for loop in configuration() for c in _read(loop, examples) if c.description_length < below
            ]
    return sorted(found, key=lambda c: c.key)


class _Enumeration:
    def __init__(self, problem: Problem, examples: Labelled, limits: Limits) -> None:
        self.problem, self.examples, self.limits = problem, examples, limits
        self.range = np.arange(-BELOW, min(ABOVE, problem.max_length + 2) + 1)
        words = examples.words.astype(np.int64)
        self.tokens = np.where(words < problem.size, words, -1).T  # (positions, examples); -1: padding
        before = np.concatenate([np.full((1, len(words)), problem.size), words.T[:-1]])[: len(words.T)]
        self.with_before = np.where(self.tokens >= 0, before * problem.size + self.tokens, -1)

    def integers(self) -> Iterator[_Loop]:
        bank = self._bank({"value": self.range}, self.limits)
        for i in self._surviving(bank, "int", range(len(bank.terms["int"])), self.tokens, 0):
            yield _Loop(self.problem, (_Local("value", "int", 0, bank.terms["int"][i]),), False)

    def flags(self) -> Iterator[_Loop]:
        bank = self._bank(
            {"flag": np.arange(2)}, replace(self.limits, weight=self.limits.weight + 4)
        )  # flags have few meanings
        for start in (0, 1):
            for i in self._surviving(bank, "bool", range(len(bank.terms["bool"])), self.tokens, start):
                yield _Loop(self.problem, (_Local("flag", "bool", start, bank.terms["bool"][i]),), False)

    def with_previous(self) -> Iterator[_Loop]:
        limits = replace(self.limits, terms=self.limits.terms // 2, weight=min(11, self.limits.weight))
        for name, kind, values in (("value", "int", self.range), ("flag", "bool", np.arange(2))):
            bank = self._bank({name: values, "previous": np.arange(self.problem.size + 1)}, limits)
            terms = bank.terms[kind]  # type: ignore[index]
            chosen = [i for i, term in enumerate(terms) if "previous" in term.text]
            for i in self._surviving(bank, kind, chosen, self.with_before, 0):  # type: ignore[arg-type]
                yield _Loop(self.problem, (_Local(name, kind, 0, terms[i]),), True)  # type: ignore[arg-type]

    def two_integers(self) -> Iterator[_Loop]:
        """The first by itself; the second sees what the first has become."""
        limits = replace(self.limits, terms=SECONDS_TERMS, weight=min(10, self.limits.weight))
        first = self._bank({"value": self.range}, replace(limits, terms=2 * SECONDS_TERMS), constants=3)
        second = self._bank(
            {"other": self.range, "value": self.range},
            replace(limits, weight=min(8, limits.weight)),
            constants=3,
        )
        chosen = [
            i for i, term in enumerate(second.terms["int"]) if "value" in term.text and "other" in term.text
        ]
        for i, way in self._ways(first):
            if time.monotonic() > self.limits.deadline:
                return
            context = np.where(self.tokens >= 0, (way + BELOW) * self.problem.size + self.tokens, -1)
            for j in self._surviving(second, "int", chosen, context, 0):
                both = (
                    _Local("value", "int", 0, first.terms["int"][i]),
                    _Local("other", "int", 0, second.terms["int"][j]),
                )
                yield _Loop(self.problem, both, False)

    def _ways(self, bank: Bank) -> Iterator[tuple[int, np.ndarray]]:
        """Terms whose integer stays on the grid, changes, and goes another way than those before: its value after each token."""
        seen: set[bytes] = set()
        some = self.tokens[:, : STAGES[1]]
        for i, table in enumerate(bank.tables("int")):
            if not {"value", "token"} <= set(bank.terms["int"][i].text.replace("(", " ").split()):
                continue
            way = _run(table.reshape(1, len(self.range), -1), some, BELOW, BELOW, keep=True)
            if len(seen) < FIRSTS and way is not None and way.any() and way.tobytes() not in seen:
                seen.add(way.tobytes())
                whole = _run(table.reshape(1, len(self.range), -1), self.tokens, BELOW, BELOW, keep=True)
                if whole is not None:
                    yield i, whole

    def _bank(self, locals_: dict[str, np.ndarray], limits: Limits, constants: int = 6) -> Bank:
        axes = [*locals_.values(), np.arange(self.problem.size)]
        cells = np.array(list(product(*axes)), dtype=np.int64).T
        grid = dict(zip([*locals_, "token"], cells, strict=True))
        return Bank(grid, self._leaves(locals_, constants), limits)

    def _leaves(self, locals_: dict[str, np.ndarray], constants: int) -> dict[Kind, list[Term]]:
        problem = self.problem
        whole: list[Term] = [Term(n, 1, lambda v, n=n: v[n]) for n in locals_ if n in ("value", "other")]  # type: ignore[misc]
        whole += [Term(str(k), 1, lambda v, k=k: np.full(len(v["token"]), k)) for k in range(constants)]  # type: ignore[misc]
        if all(t.isascii() and t.isdigit() and len(t) < 3 for t in problem.tokens):
            digit = _looked_up("int(token)", 3, [int(t) for t in problem.tokens])
            whole.append(digit)
            whole += [
                _horner(base, digit, m) for base in (2, 3, 10) for m in range(2, 8) if "value" in locals_
            ]
        for char in sorted({c for t in problem.tokens if len(t) > 1 for c in t}):
            whole.append(
                _looked_up(f"token.count({literal(char)})", 4, [t.count(char) for t in problem.tokens])
            )
        flags: list[Term] = [Term(n, 1, lambda v: v["flag"]) for n in locals_ if n == "flag"]
        for members in problem.sets(60):
            inside = [s in members for s in range(problem.size)]
            weight = (
                4
                if min(len(members), problem.size - len(members)) == 1
                else 4 + min(len(members), problem.size - len(members))
            )
            flags.append(_looked_up(is_in(problem, members), weight, inside, level=COMPARE))
            if "previous" in locals_ and len(members) == 1:
                flags.append(
                    _looked_up(
                        is_in(problem, members, "previous"),
                        4,
                        [*inside, False],
                        name="previous",
                        level=COMPARE,
                    )
                )
        if "previous" in locals_:
            flags.append(Term("token == previous", 4, lambda v: v["token"] == v["previous"], COMPARE))
        return {"int": whole, "bool": flags}

    def _surviving(
        self, bank: Bank, kind: Kind, chosen: Sequence[int], context: np.ndarray, start: int
    ) -> Iterator[int]:
        """Terms whose last values could explain the labels, the smallest of those with equal last values."""
        zero = BELOW if kind == "int" else 0
        width = len(self.range) if kind == "int" else 2
        rows = np.array(list(chosen), dtype=np.int64)
        labels, count = self.examples.labels, len(self.problem.labels)
        seen: set[bytes] = set()
        for stop in (*(s for s in STAGES if s < len(labels)), len(labels)):
            kept = []
            step = max(1, BATCH // max(1, stop))
            last = stop == len(labels)
            for k in range(0, len(rows), step):
                part = rows[k : k + step]
                if len(part) and time.monotonic() < self.limits.deadline:
                    tables = bank.tables(kind)[part].reshape(len(part), width, -1)
                    ends = _run(tables, context[:, :stop], start + zero, zero)
                    assert ends is not None
                    good = consistent(np.where(ends == FAR, width, ends), labels[:stop], count) & (
                        ends != FAR
                    ).all(axis=1)
                    if last:
                        good &= [
                            bool(ok) and not (e.tobytes() in seen or seen.add(e.tobytes()))  # type: ignore[func-returns-value]
                            for ok, e in zip(good, ends, strict=True)
                        ]  # type: ignore[func-returns-value]
                    kept.append(part[good])
            rows = np.concatenate(kept) if kept else rows[:0]
        yield from (int(i) for i in rows[:WRITTEN])


def _run(
    tables: np.ndarray, context: np.ndarray, start: int, zero: int, keep: bool = False
) -> np.ndarray | None:
    """Where each step function ends, (programs, examples), FAR for those that leave the grid.

    `tables` (programs, values, contexts) hold values, `zero` is the index of value 0, `context` (positions, examples) is -1 at
    padding.  `keep`: one program's values after every position instead, (positions, examples), or None where it leaves the grid.
    """
    programs, width, _ = tables.shape
    state = np.full((programs, context.shape[1]), start, dtype=np.int64)
    far = np.zeros(state.shape, dtype=bool)
    number = np.arange(programs)[:, None]
    ways = []
    for symbols in context:
        after = tables[number, state, np.maximum(symbols, 0)[None]].astype(np.int64) + zero
        moved = (symbols >= 0)[None]
        far |= moved & ((after < 0) | (after >= width))
        state = np.where(moved, np.clip(after, 0, width - 1), state)
        if keep:
            ways.append(state[0] - zero)
    if keep:
        return None if far.any() else np.array(ways).reshape(len(context), -1)
    return np.where(far, FAR, state - zero)


def _looked_up(
    text: str, weight: int, values: Sequence[int | bool], name: str = "token", level: int = ATOM
) -> Term:
    table = np.array([*values, values[0]])  # the symbol of padding, too, though nobody looks at what it does
    return Term(text, weight, lambda v: table[v[name]], level)


def _horner(base: int, digit: Term, modulus: int) -> Term:
    """The number that the digits write, modulo: a classic, and as large as the largest that are grown."""
    text = f"({base} * value + {digit.text}) % {modulus}"
    return Term(text, 12, lambda v: (base * v["value"] + digit.apply(v)) % modulus, PRODUCT)


def _update(name: str, term: Term) -> tuple[str, ...]:
    """The assignment, as statements where they are plainer."""
    if term.text == name:
        return ()
    if term.branches is None:
        if term.text.startswith(f"{name} + "):
            return (f"{name} += {term.text[len(name) + 3 :]}",)
        return (f"{name} = {term.text}",)
    test, a, b = term.branches
    if b.text == name:
        return (f"if {test.text}:", *indent(_update(name, a)))
    return (f"{name} = {term.text}",)


def _read(loop: _Loop, examples: Labelled) -> Iterator[Candidate]:
    """What the last value means: itself, or its remainder."""
    values = loop.run(examples.words)
    if (values == FAR).any():
        return
    last = loop.locals[-1]
    forms: list[tuple[Family, np.ndarray]] = []
    kind = "flag" if last.kind == "bool" else "number"
    forms.append((_family(Body(loop.lines(), last.name, last.name), kind), values))
    if last.kind == "int":
        for m in (2, 3, 4):
            forms.append(
                (_family(Body(loop.lines(), f"{last.name} % {m}", "rest"), "residue", m), values % m)
            )
    for family, seen in forms:
        for reading in readings(family, 0, loop.problem, seen, examples.labels):
            yield _candidate(loop, family.bound, reading)


def _family(body: Body, kind: str, bound: int = 0) -> Family:
    return Family("step", kind, 1, lambda words, rows: words, lambda row: body, bound=bound)  # type: ignore[arg-type]


def _candidate(loop: _Loop, modulus: int, reading: Reading) -> Candidate:
    def decide(words: np.ndarray) -> np.ndarray:
        values = loop.run(words)
        labels = reading.apply(values % modulus if modulus else values)
        return np.where(values == FAR, -1, labels)

    return Candidate(
        "enumeration",
        " and ".join(v.kind for v in loop.locals) + (" and previous" * loop.previous),
        reading.lines,
        decide,
    )
