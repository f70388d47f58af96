"""Step functions, bottom up: `value = <term over value and token>` for every token.

Tried are an integer or a flag, either with the token before, and two integers of which the second sees the
first.  Programs that end with the same values on all examples count as one (observational equivalence).
Terms come by size, and there are budgets of terms, programs and seconds.

Source: Udupa et al., "TRANSIT" (2013), section 4, for enumeration up to observational equivalence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from ...common.text import literal
from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..filter import consistent
from ..problem import SearchProblem
from ..render import is_in
from .step_loop import FAR, LoopLocal, StepLoop, read_loop
from .terms import ATOM, COMPARE, PRODUCT, Bank, Kind, StepTerm, TermBudget

BELOW, ABOVE = 3, 16  # how far the integers of the grid reach
STAGES = (12, 48, 512)  # examples that programs are run on first: most of them fail there
BATCH = 1 << 22  # cells of one batch of programs
SECONDS = 20.0
WRITTEN = 80  # surviving programs of one configuration that are written out
FRAME = 11  # nodes around the term: the function, the start, the loop, the return
FIRSTS, SECONDS_TERMS = 150, 3000  # of two integers
WIDEST = 12  # tokens


def enumerated(
    problem: SearchProblem,
    examples: Labelled,
    below: int,
    say: Callable[[str], None],
    seconds: float = SECONDS,
) -> list[Candidate]:
    """Find programs of a step function that give every example its label.

    Args:
        problem: the tokens and labels.
        examples: labelled words.
        below: only programs of a smaller description length are wanted.
        say: is told what is going on.
        seconds: the time to spend.

    Returns: the programs, plainest first.
    """
    if problem.size > WIDEST or problem.max_length < 2 or len(np.unique(examples.labels)) < 2:
        return []
    say("enumerating step functions")
    limits = TermBudget(weight=min(12, below - FRAME - 2), deadline=time.monotonic() + seconds)
    search = _Enumeration(problem, examples, limits)
    found: list[Candidate] = []
    for configuration in (search.integers, search.flags, search.with_previous, search.two_integers):
        if time.monotonic() < limits.deadline:
            found += [
                c
                for loop in configuration()
                for c in read_loop(loop, examples)
                if c.description_length < below
            ]
    return sorted(found, key=lambda c: c.key)


class _Enumeration:
    """All step functions over one problem, one configuration of locals after the other."""

    def __init__(self, problem: SearchProblem, examples: Labelled, limits: TermBudget) -> None:
        self.problem, self.examples, self.limits = problem, examples, limits
        self.range = np.arange(-BELOW, min(ABOVE, problem.max_length + 2) + 1)
        words = examples.words.astype(np.int64)
        self.tokens = np.where(words < problem.size, words, -1).T  # (positions, examples); -1: padding
        before = np.concatenate([np.full((1, len(words)), problem.size), words.T[:-1]])[: len(words.T)]
        self.with_before = np.where(self.tokens >= 0, before * problem.size + self.tokens, -1)

    def integers(self) -> Iterator[StepLoop]:
        """Try one integer."""
        bank = self._bank({"value": self.range}, self.limits)
        for i in self._surviving(bank, "int", range(len(bank.terms["int"])), self.tokens, 0):
            yield StepLoop(self.problem, (LoopLocal("value", "int", 0, bank.terms["int"][i]),), False)

    def flags(self) -> Iterator[StepLoop]:
        """Try one flag."""
        bank = self._bank(
            {"flag": np.arange(2)}, replace(self.limits, weight=self.limits.weight + 4)
        )  # flags have few meanings
        for start in (0, 1):
            for i in self._surviving(bank, "bool", range(len(bank.terms["bool"])), self.tokens, start):
                yield StepLoop(
                    self.problem, (LoopLocal("flag", "bool", start, bank.terms["bool"][i]),), False
                )

    def with_previous(self) -> Iterator[StepLoop]:
        """Try an integer or a flag, with the token before."""
        limits = replace(self.limits, terms=self.limits.terms // 2, weight=min(11, self.limits.weight))
        for name, kind, values in (("value", "int", self.range), ("flag", "bool", np.arange(2))):
            bank = self._bank({name: values, "previous": np.arange(self.problem.size + 1)}, limits)
            terms = bank.terms[kind]  # type: ignore[index]
            chosen = [i for i, term in enumerate(terms) if "previous" in term.text]
            for i in self._surviving(bank, kind, chosen, self.with_before, 0):  # type: ignore[arg-type]
                yield StepLoop(self.problem, (LoopLocal(name, kind, 0, terms[i]),), True)  # type: ignore[arg-type]

    def two_integers(self) -> Iterator[StepLoop]:
        """Try two integers: the first by itself, while the second sees what the first has become."""
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
                    LoopLocal("value", "int", 0, first.terms["int"][i]),
                    LoopLocal("other", "int", 0, second.terms["int"][j]),
                )
                yield StepLoop(self.problem, both, False)

    def _ways(self, bank: Bank) -> Iterator[tuple[int, np.ndarray]]:
        """Yield terms whose integer stays on the grid and goes its own way, with its values."""
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

    def _bank(self, locals_: dict[str, np.ndarray], limits: TermBudget, constants: int = 6) -> Bank:
        axes = [*locals_.values(), np.arange(self.problem.size)]
        cells = np.array(list(product(*axes)), dtype=np.int64).T
        grid = dict(zip([*locals_, "token"], cells, strict=True))
        return Bank(grid, self._leaves(locals_, constants), limits)

    def _leaves(self, locals_: dict[str, np.ndarray], constants: int) -> dict[Kind, list[StepTerm]]:
        problem = self.problem
        whole = [_local(n) for n in locals_ if n in ("value", "other")]
        whole += [_constant(k) for k in range(constants)]
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
        flags = [_local(n) for n in locals_ if n == "flag"]
        for members in problem.sets(60):
            inside = [s in members for s in range(problem.size)]
            fewer = min(len(members), problem.size - len(members))
            weight = 4 if fewer == 1 else 4 + fewer
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
            flags.append(StepTerm("token == previous", 4, lambda v: v["token"] == v["previous"], COMPARE))
        return {"int": whole, "bool": flags}

    def _surviving(
        self, bank: Bank, kind: Kind, chosen: Sequence[int], context: np.ndarray, start: int
    ) -> Iterator[int]:
        """Yield terms whose last values could explain the labels, the smallest of those that end alike."""
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
                        ]
                    kept.append(part[good])
            rows = np.concatenate(kept) if kept else rows[:0]
        yield from (int(i) for i in rows[:WRITTEN])


def _run(
    tables: np.ndarray, context: np.ndarray, start: int, zero: int, keep: bool = False
) -> np.ndarray | None:
    """Run step functions.

    Args:
        tables: the next value, (programs, values, contexts).
        context: the context at each position, (positions, examples), -1 at padding.
        start: the index of the first value.
        zero: the index of the value 0.
        keep: return one program's values after every position.

    Returns: the last values, (programs, examples), FAR for those that leave the grid.  With `keep`:
        (positions, examples), or None if the program leaves the grid.
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


def _local(name: str) -> StepTerm:
    return StepTerm(name, 1, lambda v: v[name])


def _constant(k: int) -> StepTerm:
    return StepTerm(str(k), 1, lambda v: np.full(len(v["token"]), k))


def _looked_up(
    text: str, weight: int, values: Sequence[int | bool], name: str = "token", level: int = ATOM
) -> StepTerm:
    table = np.array([*values, values[0]])  # padding has a symbol too, though nothing uses its value
    return StepTerm(text, weight, lambda v: table[v[name]], level)


def _horner(base: int, digit: StepTerm, modulus: int) -> StepTerm:
    """Return the number that the digits write, modulo (Horner's rule), which is too large to be grown."""
    text = f"({base} * value + {digit.text}) % {modulus}"
    return StepTerm(text, 12, lambda v: (base * v["value"] + digit.apply(v)) % modulus, PRODUCT)
