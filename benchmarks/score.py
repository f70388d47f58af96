"""Numbers from results: who solved how much, PAR-2, medians, contradictions, growth with length.

`bench.py` makes results, `report.py` and `page.py` show these numbers.  PAR-2 (the SAT competitions' score)
is the mean over all claims of the seconds of a solved claim, and of twice the time limit for any other.  In
medians a claim that is not solved counts as the time limit.  A proof that a replayed counterexample of
another contestant contradicts is wrong, and not solved.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from .results import Result

BOXES = "boxes"  # the domains of instances, which have no size
SIZES = ((10**6, "up to 10^6"), (10**15, "to 10^15"), (10**24, "to 10^24"), (None, "beyond 10^24"))


@dataclass(frozen=True)
class Wrong:
    """A claim with wrong answers: proved by some and refuted by others, or not the answer that came with it
    (`known`).

    `firm`: a backend that computes exactly is wrong, or the known answer is.
    """

    claim: str
    proved: tuple[str, ...]
    refuted: tuple[str, ...]
    firm: bool
    known: str | None = None


@dataclass(frozen=True)
class Score:
    """One column on one group of claims."""

    claims: int
    proved: int
    refuted: int
    par2: float
    median: float
    unsolved: Mapping[str, int] = field(default_factory=dict)

    @property
    def solved(self) -> int:
        return self.proved + self.refuted


@dataclass(frozen=True, eq=False)
class Summary:
    """All that the report says."""

    results: tuple[Result, ...]  # one per claim and column, the median one of its repeats
    wrong: tuple[Wrong, ...]
    names: tuple[str, ...]  # columns, in the order of their first result
    missing: Mapping[str, int]  # column -> claims that it has no result for
    runs: tuple[Result, ...] = ()  # every attempt, all repeats

    def score(self, name: str, chosen: Iterable[Result] | None = None) -> Score:
        rows = [r for r in (self.results if chosen is None else chosen) if r.backend == name]
        good = [r for r in rows if self.solved(r)]
        penalised = [r.seconds if self.solved(r) else 2 * r.timeout for r in rows]
        capped = [r.seconds if self.solved(r) else r.timeout for r in rows]
        left = Counter(
            "wrong" if self.is_wrong(r) else "late" if r.verdict != "unknown" else r.outcome
            for r in rows
            if not self.solved(r)
        )
        return Score(
            len(rows),
            sum(r.verdict == "proved" for r in good),
            sum(r.verdict == "refuted" for r in good),
            sum(penalised) / len(rows) if rows else math.nan,
            median(capped) if rows else math.nan,
            dict(left),
        )

    def solved(self, result: Result) -> bool:
        return result.answered and not self.is_wrong(result)

    def is_wrong(self, result: Result) -> bool:
        """Whether a replayed counterexample contradicts this proof, or the known answer this result."""
        if result.known is not None and result.verdict in ("proved", "refuted"):
            return result.verdict != result.known
        wrong = next((w for w in self.wrong if w.claim == result.claim), None)
        return (
            wrong is not None
            and bool(wrong.refuted)
            and result.verdict == "proved"
            and result.backend in wrong.proved
        )

    def by_size(self) -> dict[str, list[Result]]:
        """Group results by size of the domain, the small ones first."""
        groups: dict[str, list[Result]] = {title: [] for _, title in (*SIZES, (None, BOXES))}
        for r in self.results:
            size = int(r.domain_size) if r.domain_size else None
            groups[
                BOXES
                if size is None
                else next(title for limit, title in SIZES if limit is None or size <= limit)
            ].append(r)
        return {title: rows for title, rows in groups.items() if rows}

    def by_family(self) -> dict[str, list[Result]]:
        """Group results by family."""
        groups: dict[str, list[Result]] = {}
        for r in self.results:
            groups.setdefault(r.family, []).append(r)
        return groups


def summarise(results: Sequence[Result]) -> Summary:
    """Compute everything that reports say."""
    names = tuple(dict.fromkeys(r.backend for r in results))
    claims = {r.claim for r in results}
    missing = {name: len(claims - {r.claim for r in results if r.backend == name}) for name in names}
    return Summary(tuple(typical(results)), _contradictions(results), names, missing, tuple(results))


def typical(results: Iterable[Result]) -> list[Result]:
    """Return one result per claim and column: the median of its repeats by seconds, unanswered ones last."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        groups.setdefault((r.claim, r.backend), []).append(r)
    return [
        sorted(rows, key=lambda r: (not r.answered, r.seconds))[(len(rows) - 1) // 2]
        for rows in groups.values()
    ]


def _contradictions(results: Iterable[Result]) -> tuple[Wrong, ...]:
    """Find claims with wrong answers.  Late answers count: they are as wrong as others.

    "contradiction" is what one run of the race found by itself.
    """
    groups: dict[str, list[Result]] = defaultdict(list)
    for r in results:
        groups[r.claim].append(r)
    found = []
    for claim, rows in groups.items():
        proved = [r for r in rows if r.verdict == "proved"]
        refuted = tuple(dict.fromkeys(r.backend for r in rows if r.verdict == "refuted"))
        itself = tuple(dict.fromkeys(r.backend for r in rows if r.outcome == "contradiction"))
        known = next((r.known for r in rows if r.known is not None), None)
        against = [
            r for r in rows if known is not None and r.verdict in ("proved", "refuted") and r.verdict != known
        ]
        if (proved and refuted) or itself or against:
            firm = (
                bool(itself)
                or any(r.trust != "float" for r in proved if refuted)
                or any(r.trust != "float" for r in against)
            )
            names = tuple(dict.fromkeys((*(r.backend for r in proved), *itself)))
            found.append(Wrong(claim, names, refuted or itself, firm, known))
    return tuple(sorted(found, key=lambda w: not w.firm))


def growth(summary: Summary, name: str) -> dict[str, list[tuple[int, float]]]:
    """Return (length, seconds) of one column's solved claims, for each family with three lengths or more."""
    out: dict[str, list[tuple[int, float]]] = {}
    for family, rows in summary.by_family().items():
        points = sorted((r.length, r.seconds) for r in rows if r.backend == name and summary.solved(r))
        if len({length for length, _ in points}) >= 3:
            out[family] = points
    return out


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Return the slope of log seconds over log length, by least squares: 2 means quadratic."""
    x = [math.log(length) for length, _ in points]
    y = [math.log(max(seconds, 1e-3)) for _, seconds in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    return (
        sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else math.nan
    )


def seconds_text(value: float) -> str:
    """Write seconds as tables show them."""
    return "-" if math.isnan(value) else f"{value:.2f}" if value < 9.995 else f"{value:.1f}"
