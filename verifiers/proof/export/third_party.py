"""Proofs in other formats: a claim's queries as 0/1 constraints or clauses, and the checkers of their proofs.

A claim holds iff none of its queries (a label and a rival) has a solution.  The formulas are made here from
the claim, and never read from a file.  This module is part of what is trusted, with the encoders that it
calls; docs/reference/proof-format.md lists them.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ....common.errors import Unsupported
from ....encoders.cnf import Cnf, cnf
from ....encoders.formula import Formula, build_formula
from ....encoders.presolve import reduced
from ....encoders.pseudo_boolean import PseudoBoolean, pseudo_boolean
from ....models.claims.word_claim import WordClaim
from ....models.network.float32 import exact_in_float32
from ..format import LimitReached, Rejected
from .clausal import Clausal
from .cutting_planes import CuttingPlanes
from .inequalities import Inequality
from .sections import Sections

Tick = Callable[[], None]


class EncodedQuery(Protocol):
    """A query in a format's language; it has a solution iff there is a word on which the rival wins."""

    @property
    def encoded(self) -> PseudoBoolean | Cnf: ...

    @property
    def constraints(self) -> int: ...

    def text(self) -> str:
        """Return the formula as other tools read it."""
        ...

    def check(self, lines: Iterable[str], tick: Tick) -> int:
        """Check a proof that there is no solution; return its number of steps.

        Raises Rejected, or LimitReached.
        """
        ...


@dataclass(frozen=True, eq=False)
class PbProblem:
    """A query as 0/1 constraints, checked by `CuttingPlanes`."""

    encoded: PseudoBoolean

    @cached_property
    def axioms(self) -> list[Inequality]:
        """Return the inequalities; an equation is two, with >= first, because proofs number them so."""
        found = []
        for row in self.encoded.rows:
            terms: dict[int, int] = {}
            for c, v in row.terms:
                terms[v] = terms.get(v, 0) + c
            terms = {v: c for v, c in terms.items() if c}
            found.append(Inequality(terms, row.bound))
            if row.relation == "=":
                found.append(Inequality({v: -c for v, c in terms.items()}, -row.bound))
        return found

    @property
    def constraints(self) -> int:
        return len(self.axioms)

    def text(self) -> str:
        rows = (
            f"{' '.join(f'{c:+d} x{v}' for v, c in axiom.terms.items())} >= {axiom.bound} ;\n"
            for axiom in self.axioms
        )
        return f"* #variable= {self.encoded.count} #constraint= {self.constraints}\n{''.join(rows)}"

    def check(self, lines: Iterable[str], tick: Tick) -> int:
        return CuttingPlanes(self.encoded.count, self.axioms, tick).check(lines)


@dataclass(frozen=True, eq=False)
class CnfProblem:
    """A query as clauses, checked by `Clausal`."""

    encoded: Cnf

    @property
    def constraints(self) -> int:
        return len(self.encoded.clauses)

    def text(self) -> str:
        clauses = (f"{' '.join(map(str, clause))} 0\n" for clause in self.encoded.clauses)
        return f"p cnf {self.encoded.count} {self.constraints}\n{''.join(clauses)}"

    def check(self, lines: Iterable[str], tick: Tick) -> int:
        return Clausal(self.encoded.count, self.encoded.clauses, tick).check(lines)


@dataclass(frozen=True)
class Form:
    """A format of proofs.

    name: its name in --format.
    header: the first line of a file states this.
    formula_suffix, proof_suffix: for the names of exported files.
    problem: writes a query in the format's language.
    """

    name: str
    header: str
    formula_suffix: str
    proof_suffix: str
    problem: Callable[[Formula], EncodedQuery]


VERIPB = Form(
    "veripb", "relucid veripb 1", ".opb", ".pbp", lambda formula: PbProblem(pseudo_boolean(formula))
)
DRAT = Form("drat", "relucid drat 1", ".cnf", ".drat", lambda formula: CnfProblem(cnf(formula)))
FORMS = {form.name: form for form in (VERIPB, DRAT)}


def form_of(first: Mapping[str, Any]) -> Form | None:
    """Return the format that a file's first line states; None if it is none of these."""
    return next((form for form in FORMS.values() if form.header == first.get("format")), None)


@dataclass(frozen=True, eq=False)
class Query:
    """A query that bounds leave open.

    label: the label's index.
    rival: the rival's place among the label's rivals.
    """

    label: int
    rival: int
    formula: Formula
    problem: EncodedQuery

    @property
    def name(self) -> str:
        """Return the query's name, for messages and files."""
        return f"label-{self.label}-rival-{self.rival}"

    @cached_property
    def header(self) -> dict[str, Any]:
        """Return the line of ours that stands before the query's proof."""
        digest = hashlib.sha256(self.problem.text().encode()).hexdigest()
        return {
            "label": self.label,
            "rival": self.rival,
            "constraints": self.problem.constraints,
            "formula": digest,
        }


def first_header(claim: WordClaim, form: Form) -> dict[str, Any]:
    """Return the first line of a file."""
    return {"format": form.header, "claim": claim.digest}


END = {"end": True}


def queries(claim: WordClaim, form: Form, deadline: float) -> Iterator[Query]:
    """Yield every query that bounds leave open; the claim holds iff none has a solution.

    deadline: a time of `time.monotonic()`.

    Raises TimeoutError after it, and Unsupported if the claim cannot be encoded.
    """
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        rivals = claim.decision.rivals(label)
        if language.empty or not rivals:
            continue
        small = reduced(claim.network, claim.domain, language, deadline)
        for number, rival in enumerate(rivals):
            if time.monotonic() > deadline:
                raise TimeoutError("out of time while encoding")
            formula = build_formula(small, rival)
            if not formula.settled:
                yield Query(label, number, formula, form.problem(formula))


@dataclass(frozen=True)
class Convinced:
    """What was checked: the number of queries with proofs, and of all their steps."""

    form: str
    queries: int
    steps: int
    exact_in_float32: bool

    def __str__(self) -> str:
        queries = "1 query" if self.queries == 1 else f"{self.queries:,} queries"
        return f"{self.form}, {queries}, {self.steps:,} step{'s' * (self.steps != 1)}"


def each_section(
    claim: WordClaim, form: Form, sections: Sections, deadline: float = math.inf, digests: bool = True
) -> Iterator[tuple[Query, Iterator[str]]]:
    """Yield every query with the lines of its proof; read them to the end before the next query.

    deadline: a time of `time.monotonic()`.
    digests: whether the file must name the claim's digests.  Off in tests only, so that mutants of a proof
        are tested against the checker and not only against the digests.

    Raises Rejected, or LimitReached.
    """
    _expect(sections, first_header(claim, form), digests, "it is a proof about another claim")
    try:
        for query in queries(claim, form, deadline):
            _expect(sections, query.header, digests, "the formula is not the one that the claim gives")
            yield query, sections.lines()
    except TimeoutError as error:
        raise LimitReached(str(error)) from None
    except Unsupported as error:
        raise LimitReached(f"the claim cannot be encoded: {error}") from None
    _expect(sections, END, digests, "it does not end where it should")
    if sections.header() is not None:
        raise sections.rejected("it does not end where it should")


def check_sections(
    claim: WordClaim,
    form: Form,
    sections: Sections,
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Convinced:
    """Check that the sections prove the claim; return what was checked.

    progress: receives one line of text now and then.
    deadline, digests: as in `each_section`.

    Raises Rejected, with one line that says why, and LimitReached after `deadline`.
    """
    found = steps = ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks % 64 == 0 and time.monotonic() > deadline:
            raise LimitReached("out of time")

    for query, lines in each_section(claim, form, sections, deadline, digests):
        progress(f"checking {query.name}: {query.problem.constraints:,} constraints")
        try:
            steps += query.problem.check(lines, tick)
        except (Rejected, LimitReached) as error:
            raise type(error)(f"line {sections.number}: {error}") from None
        found += 1
    return Convinced(form.name, found, steps, exact_in_float32(claim.network, claim.domain.positions).ok)


def _expect(sections: Sections, expected: dict[str, Any], digests: bool, other: str) -> None:
    """Check that the next line is the expected one of ours.

    Without digests, numbers that depend on network, program and domain are not compared.
    """
    found = sections.header()
    if found is None:
        raise sections.rejected(f"{json.dumps(expected)} is missing")
    if set(found) != set(expected) or any(
        type(found[key]) is not type(value) for key, value in expected.items()
    ):
        raise sections.rejected(f"a line with just {', '.join(expected)} should follow")
    for key, value in expected.items():
        if found[key] != value and (digests or key not in ("claim", "formula", "constraints")):
            raise sections.rejected(
                other if key in ("claim", "formula", "constraints") else f"{key} {value!r} should follow"
            )
