"""The text of Activation Pattern Tree Proofs: written and read.

This is the verifier-independent format of github.com/dynaroars/aptpchecker ("Generating and Checking DNN
Verification Proofs"): the property in VNN-LIB 1.0, the network's ReLUs as N_1, N_2, ... in the order of the
layers, and the leaves of a tree of their phases.  It has no multipliers, so a checker has to bound every leaf
anew.  `aptp_producer.py` finds the leaves, `aptp_checker.py` checks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from ....common.errors import InputError, Unsupported
from ....models.claims.property import Case, Property, Row
from ....models.claims.vnnlib import read_vnnlib
from ..format import LimitReached, Rejected

Pattern = tuple[int, ...]  # j: N_j >= 0, -j: N_j < 0
Progress = Callable[[str], None]
MOST_LEAVES = 200_000
LEAF = re.compile(r"\(\s*and\b((?:\s*\(\s*(?:<|>=)\s+N_[0-9]+\s+0(?:\.0*)?\s*\))*)\s*\)")
ATOM = re.compile(r"\(\s*(<|>=)\s+N_([0-9]{1,9})\s+0(?:\.0*)?\s*\)")
DECLARED = re.compile(r"\(\s*declare-pwl\s+((?:N_[0-9]{1,9}\s+)+)ReLU\s*\)")
HIDDEN = re.compile(rf"\(\s*assert\s+\(\s*or\b((?:\s*{LEAF.pattern.replace('((', '(?:(')})+)\s*\)\s*\)")


def only_case(stated: Property) -> Case:
    """Return the property's box and unsafe polyhedra.  Raises Unsupported if it has several boxes."""
    if len(stated.cases) != 1:
        raise Unsupported(f"APTP allows one box, and the property has {len(stated.cases)}")
    case = stated.cases[0]
    if any(not polyhedron for polyhedron in case.unsafe):
        raise Unsupported("every input is unsafe")
    return case


def pieces(stated: Property, neurons: int, leaves: Sequence[Pattern]) -> Iterator[bytes]:
    """Yield the text of a file for a property, this many ReLUs, and the leaves of their tree.

    Raises Unsupported if the format cannot say the property.
    """
    case = only_case(stated)
    yield b"; Activation Pattern Tree Proof, written by relucid\n"
    for kind, count in (("X", stated.inputs), ("Y", stated.outputs)):
        yield from (f"(declare-const {kind}_{i} Real)\n".encode() for i in range(count))
    yield from (f"(declare-pwl N_{j} ReLU)\n".encode() for j in range(1, neurons + 1))
    for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
        yield f"(assert (>= X_{i} {_decimal(low)}))\n(assert (<= X_{i} {_decimal(high)}))\n".encode()
    yield b"(assert (or\n"
    for leaf in leaves:
        atoms = " ".join(f"(>= N_{j} 0)" if j > 0 else f"(< N_{-j} 0)" for j in leaf)
        yield f"    (and {atoms})\n".encode()
    yield b"))\n"
    if len(case.unsafe) == 1:
        yield from (f"(assert {_comparison(row)})\n".encode() for row in case.unsafe[0])
    else:
        ands = "\n".join(f"    (and {' '.join(map(_comparison, polyhedron))})" for polyhedron in case.unsafe)
        yield f"(assert (or\n{ands}\n))\n".encode()


def _comparison(row: Row) -> str:
    """Return a comparison of an output with an output or a number: all that the format's readers take."""
    if row.x:
        raise Unsupported("APTP compares outputs only, and the property compares inputs with them")
    factors = dict(row.y)
    if len(factors) == 1:
        ((j, factor),) = factors.items()
        limit = _decimal(-row.constant / factor)
        return f"(>= Y_{j} {limit})" if factor > 0 else f"(<= Y_{j} {limit})"
    if len(factors) == 2 and sum(factors.values()) == 0 and row.constant == 0:
        (larger,), (smaller,) = (
            [j for j, f in factors.items() if (f > 0) == positive] for positive in (True, False)
        )
        return f"(<= Y_{smaller} Y_{larger})"
    raise Unsupported("APTP compares an output with a number or another output, and the property does more")


def _decimal(value: Fraction) -> str:
    """Return the exact decimal number.  Raises Unsupported if its digits have no end."""
    places, rest = 0, value.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        raise Unsupported(f"{value} is no finite decimal number, which APTP needs")
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[: len(digits) - places]}.{digits[len(digits) - places :] or '0'}"


def scaled(row: Row) -> Row:
    """Return the row without strictness, which the format cannot say; its first factor becomes 1 or -1."""
    by = abs((row.y or row.x)[0][1]) if row.y or row.x else Fraction(1)
    x, y = (tuple((i, factor / by) for i, factor in sorted(terms)) for terms in (row.x, row.y))
    return Row(x, y, row.constant / by)


def parsed(text: str) -> tuple[list[Pattern], Property, int]:
    """Return the leaves, the property, and how many ReLUs are declared.

    Raises Rejected if the text is no proof, LimitReached if it has too many leaves.
    """
    bare = re.sub(r";[^\n]*", "", text)
    declared = [name for found in DECLARED.finditer(bare) for name in found[1].split()]
    if sorted(int(name[2:]) for name in declared) != list(range(1, len(declared) + 1)):
        raise Rejected("its ReLUs are not N_1, N_2, ..., each declared once")
    trees = list(HIDDEN.finditer(bare))
    if len(trees) != 1:
        raise Rejected(f"it has {len(trees)} trees of phases, not one")
    leaves = [
        tuple(int(a[2]) if a[1] == ">=" else -int(a[2]) for a in ATOM.finditer(leaf[1]))
        for leaf in LEAF.finditer(trees[0][1])
    ]
    if len(leaves) > MOST_LEAVES:
        raise LimitReached(f"it has over {MOST_LEAVES:,} leaves")
    if any(not 1 <= abs(j) <= len(declared) for leaf in leaves for j in leaf):
        raise Rejected("a leaf names a ReLU that is not declared")
    rest = DECLARED.sub("", bare[: trees[0].start()] + bare[trees[0].end() :])
    try:
        return leaves, read_vnnlib(rest, origin="the proof"), len(declared)
    except (InputError, Unsupported) as error:
        raise Rejected(f"its property is not understood: {error}") from None
