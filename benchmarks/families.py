"""The families of the token benchmark: every claim of the suite as one line.

A spec is data; its program comes from `family_programs.py`.  `tokens.py` trains its network and writes its
claim folder.  Once results have been published for a version of the suite, specs do not change any more:
raise VERSION instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..models.claims.decision import Decision, Label
from ..models.claims.domain import Domain
from ..models.program.program import Program
from .family_programs import (
    ADJACENT,
    CLAMPED,
    DEPTH,
    FLAG,
    LAST_MARK,
    LOOKUP,
    MAJORITY,
    MOD3,
    MOD4,
    MORE,
    NO_FEWER,
    ORDER,
    PARITY,
    QUOTE,
    at_least,
    band,
    position,
    two_sets,
    weighted,
)

VERSION = 1
PAD = "<pad>"
Flaw = Literal["", "early", "program"]
BOOLEANS: tuple[Label, ...] = (False, True)


@dataclass(frozen=True)
class Spec:
    """One claim of the suite.

    source: a program that defines `label` and, if the domain has a predicate, `inside`.
    bits: places of every weight after the binary point; None for raw float32.
    flaw: "early": the network is trained on random words only, until random tests find nothing.  "program":
        the network is trained for `source`, and the claim states `stated`.
    cell: the width of a recurrent cell that is unrolled; 0 for none.
    states: how many numbers the cell hands on.
    """

    name: str
    family: str
    source: str
    tokens: tuple[str, ...]
    length: tuple[int, int]
    labels: tuple[Label, ...] = BOOLEANS
    sign: bool = True
    hidden: tuple[int, ...] = ()
    bits: int | None = 5
    steps: int = 1400
    noise: float = 0.3
    flaw: Flaw = ""
    stated: str = ""
    cell: int = 0
    states: int = 1

    @cached_property
    def decision(self) -> Decision:
        return Decision("sign" if self.sign else "argmax", self.labels)

    @property
    def where(self) -> Program | None:
        return Program(self.source, "inside", "program.py") if "def inside(" in self.source else None

    @property
    def taught(self) -> Program:
        """Return the program that the network is trained on."""
        return Program(self.source, "label", "program.py")

    @property
    def program_text(self) -> str:
        """Return the program that the claim states."""
        return (self.stated or self.source).lstrip("\n")

    def domain(self, length: int | None = None) -> Domain:
        shortest, longest = self.length if length is None else (length, length)
        return Domain(self.tokens, shortest, longest, PAD if shortest < longest else None, self.where)


def letters(count: int) -> tuple[str, ...]:
    return tuple("abcdefghijkl"[:count])


def make(
    family: str,
    length: int | tuple[int, int],
    tokens: int | tuple[str, ...],
    hidden: tuple[int, ...],
    source: str,
    **more: object,
) -> Spec:
    """Make a spec that is named after its family, length, tokens, widths and what is special about it."""
    words = letters(tokens) if isinstance(tokens, int) else tokens
    ends = (length, length) if isinstance(length, int) else length
    shape = "h" + "x".join(map(str, hidden)) if hidden else f"cell{more['cell']}"
    how = "".join(
        (
            "-raw" if more.get("bits", 5) is None else "",
            "-early" if more.get("flaw") == "early" else "",
            "-wrong" if more.get("stated") else "",
        )
    )
    name = f"{family}-{'to'.join(map(str, sorted(set(ends))))}-t{len(words)}-{shape}{how}"
    if more.get("stated"):
        more["flaw"] = "program"
    return Spec(name, family, source, words, ends, hidden=hidden, **more)  # type: ignore[arg-type]


BRACKETS = ("[", "]", "a", ",")
QUOTES = {"labels": ("'", '"'), "sign": False}
FILLED = ("'", '"', *letters(10))
THREE = {"labels": ("a", "b", "c"), "sign": False}
COUNTS = {"labels": (0, 1, 2), "sign": False}
BOTH = {"sign": False}  # two outputs for two labels
EARLY = {"flaw": "early", "noise": 1.0}
ROUND = ("(", ")", "a")
TIED_LENGTHS = (8, 16, 24, 32, 48, 64)


def specs() -> tuple[Spec, ...]:
    """Return every claim of the suite, in order."""
    out = [
        make("quote", 12, FILLED[:4], (4,), QUOTE, **QUOTES),
        make("quote", 24, FILLED[:6], (8,), QUOTE, **QUOTES),
        make("quote", 48, FILLED[:8], (8, 8), QUOTE, **QUOTES),
        make("quote", 64, FILLED[:12], (16,), QUOTE, bits=None, **QUOTES),
        make("count", 8, 3, (4,), at_least(3)),
        make("count", 12, 4, (8,), at_least(4)),
        make("count", 20, 3, (8,), at_least(7), stated=at_least(8)),
        make("count", 24, 4, (8, 8), at_least(6), **BOTH),
        make("count", 28, 5, (32,), at_least(6)),
        make("count", 32, 6, (8,), at_least(8)),
        make("count", 32, 6, (8,), at_least(24), stated=at_least(25)),
        make("count", 40, 3, (16,), at_least(12), **EARLY),
        make("count", 48, 12, (16,), at_least(6), **BOTH),
        make("count", 64, 2, (8, 8), at_least(32)),
        make("count", (4, 16), 3, (8,), at_least(4)),
        make("count", (8, 32), 4, (8, 8), at_least(7), **BOTH),
        make("weighted", 10, 3, (8,), weighted(9)),
        make("weighted", 16, 4, (8, 8), weighted(11), **BOTH),
        make("weighted", 24, 5, (8,), weighted(14), bits=None),
        make("weighted", 40, 6, (12,), weighted(20)),
        make("weighted", 36, 4, (8, 8), two_sets(9), **EARLY),
        make("band", 12, 3, (8,), band(3, 5)),
        make("band", 20, 4, (12,), band(4, 6), **BOTH),
        make("band", 24, 5, (16, 16), band(4, 6)),
        make("band", 32, 4, (8, 8), band(7, 9)),
        make("band", 48, 3, (16,), band(14, 18), **EARLY),
        make("compare", 16, 4, (8,), MORE, **BOTH),
        make("compare", 20, 4, (16, 16), MORE, **BOTH),
        make("compare", 16, 3, (8, 8), NO_FEWER, stated=MORE),
        make("compare", 24, 6, (8,), MORE),
        make("compare", 32, 3, (8, 8), NO_FEWER),
        make("compare", 48, 4, (8,), MORE, **EARLY),
        make("compare", 64, 4, (8,), NO_FEWER, **BOTH),
        make("majority", 12, 4, (8, 8, 8), MAJORITY, **THREE),
        make("majority", 18, 4, (16,), MAJORITY, **THREE),
        make("majority", 30, 5, (12,), MAJORITY, **THREE),
        make("majority", 24, 4, (8, 8), MAJORITY, **THREE, **EARLY),
        make("depth", 16, BRACKETS, (8, 8), DEPTH.replace("DEEPEST", "4"), **BOTH),
        make("depth", 24, BRACKETS, (8,), DEPTH.replace("DEEPEST", "4")),
        make("depth", 32, BRACKETS, (8, 8), DEPTH.replace("DEEPEST", "4")),
        make("depth", 40, BRACKETS[:3], (8, 8), DEPTH.replace("DEEPEST", "4"), **EARLY),
        make("depth", 48, BRACKETS, (8,), DEPTH.replace("DEEPEST", "5"), **BOTH),
        make("flag", 16, 4, (8,), FLAG, **BOTH),
        make("flag", 20, 5, (8, 8, 8), FLAG),
        make("flag", 32, 5, (8, 8), FLAG),
        make("flag", 64, 6, (8,), FLAG),
        make("flag", 24, 6, (8,), FLAG, **EARLY),
        make("flag", (4, 24), 4, (8,), FLAG),
        make("place", 40, 8, (8, 8), LOOKUP, bits=None),
        make("place", 64, 12, (8,), position(5)),
        make("last", 8, 4, (16,), LAST_MARK, **BOTH),
        make("last", 10, 3, (16, 16), LAST_MARK),
        make("clamped", 8, ROUND, (16, 16), CLAMPED, **BOTH),
        make("clamped", 10, ROUND, (24, 24), CLAMPED),
        make("clamped", 12, ROUND, (24, 24), CLAMPED, **BOTH),
        make("clamped", 10, ROUND, (32, 32), CLAMPED, stated=CLAMPED.replace("+ 1, 3", "+ 1, 4")),
        make("parity", 8, 2, (16,), PARITY, **BOTH, noise=0.1, steps=3000),
        make("parity", 8, 3, (32,), PARITY, noise=0.1, steps=3000),
        make("mod3", 6, 3, (24,), MOD3, **COUNTS),
        make("mod3", 8, 2, (32,), MOD3, **COUNTS, stated=MOD4),
        make("adjacent", 8, 3, (24,), ADJACENT, **BOTH),
        make("adjacent", 10, 3, (32,), ADJACENT, bits=None),
        make("adjacent", 9, 4, (16, 16), ADJACENT),
    ]
    for length in TIED_LENGTHS:
        out += [
            make("tied-clamped", length, ROUND, (), CLAMPED, cell=4),
            make("tied-order", length, 3, (), ORDER, cell=5),
            make("tied-flag", length, 3, (), FLAG, cell=5, states=2),
        ]
    return tuple(out)
