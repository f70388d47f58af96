"""Random behaviours: programs of growing length, each on a random small domain (`bench distill --random`).

A drawn program is kept if its labels vary (none has more than MOST of the domain) and, on a sample of the
inputs, neither a shorter program of the same draw nor a part left out of it gives the same labels.  All
follows from one seed.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..common.deadline import check
from ..common.errors import InputError
from ..models.claims.domain import Domain
from ..models.program.program import Program, ProgramError, ProgramFault
from ..search.rank import description_length as len_of
from .distill_behaviours import PAD, Behaviour
from .random_programs import RandomProgram, random_alphabet

INPUTS = 5000  # of a domain, at most
SAMPLE = 160  # inputs on which programs are told apart
POOL = 400  # programs that are drawn for one domain
DOMAINS = 40  # that are tried for one length
MOST = 0.95  # share of one label
LABELS = 12
SHORTEST, LONGEST = 6, 60  # lengths that can be asked for

DRAWN = "drawn"  # what programs are called before they get their name

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Draw:
    """What was asked for: how many behaviours, of which description lengths, from which seed."""

    count: int
    low: int
    high: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not SHORTEST <= self.low <= self.high <= LONGEST:
            what = f"{self.low}-{self.high} are no lengths from {SHORTEST} to {LONGEST}"
            raise InputError("--size", what, "write the least and the greatest, as in 6-12")

    def behaviours(self, progress: Callable[[str], None] = lambda text: None) -> tuple[Behaviour, ...]:
        """Draw them, the shortest references first.  Each length has its turn, where there are such programs.

        Raises InputError if there are no programs of these lengths.
        """
        seen: set[tuple[Tokens, str]] = set()
        wanted = [self.low + k % (self.high - self.low + 1) for k in range(self.count)]
        found = []
        for k, length in enumerate(wanted):
            progress(f"drawing {k + 1} of {self.count} behaviours")
            found.append(self._behaviour(k, length, seen))
        return tuple(sorted(found, key=lambda b: (b.reference_length, b.name)))

    def _behaviour(self, number: int, wanted: int, seen: set[tuple[Tokens, str]]) -> Behaviour:
        """Draw a behaviour whose reference has about this length, and that was not drawn before."""
        rng = random.Random(f"{self.seed} {number}")
        for _ in range(DOMAINS):
            check()
            drawer = RandomProgram(rng, random_alphabet(rng))
            tokens = drawer.alphabet.tokens
            longest = max(n for n in range(2, 13) if sum(len(tokens) ** k for k in range(1, n + 1)) <= INPUTS)
            inputs = [w for n in range(1, longest + 1) for w in itertools.product(tokens, repeat=n)]
            sample = rng.sample(inputs, min(SAMPLE, len(inputs)))
            pool = [s for s in _shortest_of_a_pool(drawer, self.high, sample) if self.low <= len_of(s)]
            for source in sorted(pool, key=lambda s: abs(len_of(s) - wanted)):
                labels = _varied(source, inputs)
                if labels is not None and (tokens, source) not in seen and not _reducible(source, sample):
                    seen.add((tokens, source))
                    name = f"length_{len_of(source)}_{number:03}"
                    program = Program.from_source(source.replace(f"def {DRAWN}(", f"def {name}("), name)
                    return Behaviour(name, Domain(tokens, 1, longest, PAD), labels, program)
        what = f"no program with a length from {self.low} to {self.high} was drawn"
        raise InputError("--size", what, "take other lengths or another seed")


def _shortest_of_a_pool(drawer: RandomProgram, longest: int, sample: list[Tokens]) -> list[str]:
    """Draw programs up to a length, and keep the shortest of those that do the same on the sample."""
    shortest: dict[tuple[str, ...], str] = {}
    for _ in range(POOL):
        source = drawer.source(DRAWN, drawer.rng.randint(0, 3))
        if len_of(source) > longest:
            continue
        labels = _labels(source, sample)
        if labels is not None and (labels not in shortest or len_of(source) < len_of(shortest[labels])):
            shortest[labels] = source
    return list(shortest.values())


def _labels(source: str, inputs: list[Tokens]) -> tuple[str, ...] | None:
    """Return what a program gives on each input; None if it fails on one, or always gives the same."""
    try:
        program = Program.from_source(source, DRAWN)
        found = [label for sequence in inputs if isinstance(label := program(sequence), str)]
    except (ProgramError, ProgramFault):
        return None
    return tuple(found) if len(found) == len(inputs) and len(set(found)) > 1 else None


def _varied(source: str, inputs: list[Tokens]) -> tuple[str, ...] | None:
    """Return the labels of a program in order; None if they are too many, or one is nearly everywhere."""
    labels = _labels(source, inputs)
    count = Counter(labels or ())
    if not 2 <= len(count) <= LABELS or max(count.values()) > MOST * len(inputs):
        return None
    return tuple(sorted(count, key=lambda y: (y.lstrip("-").isdigit() and int(y), y)))


def _reducible(source: str, sample: list[Tokens]) -> bool:
    """Say whether the program does the same without one of its statements, or with a part for the whole."""
    labels = _labels(source, sample)
    return any(_labels(shorter, sample) == labels for shorter in _reductions(source))


def _reductions(source: str) -> Iterator[str]:
    """Yield the program without each of its statements, and with each expression replaced by a part of it."""
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for part in range(len(_parts(node))):
            tree = ast.parse(source)  # replacing changes it
            found = list(ast.walk(tree))[number]
            yield ast.unparse(_Replacing(found, _parts(found)[part]).visit(tree))


def _parts(node: ast.AST) -> list[ast.expr | None]:
    """Return what may stand for a node: the expressions in an expression, nothing for an assignment."""
    if isinstance(node, ast.expr):
        return [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
    return [None] if isinstance(node, ast.Assign) else []


class _Replacing(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST | None) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)
