"""What changed between two runs of the same claims: `relucid compare`.

Attempts are paired by claim and column.  Times are compared where both runs have an answer, by Wilcoxon's
signed-rank test on the logarithms of their ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from ..common.errors import InputError
from .results import Result, latest
from .score import Summary, summarise

NOISE = 0.05  # seconds: smaller differences are the operating system's
CHANGES = ("newly solved", "newly lost", "newly wrong", "faster", "slower")


@dataclass(frozen=True)
class Change:
    """One claim with one column, before and after; seconds are None where there was no answer."""

    claim: str
    column: str
    kind: str
    before: float | None
    after: float | None
    outcome: str


@dataclass(frozen=True)
class ColumnChange:
    """One column over the claims that both runs have.

    `ratio` is the median of after/before, over claims solved in both.  `p` is the chance of differences like
    these if nothing had changed.  Both are None without pairs.
    """

    column: str
    claims: int
    solved_before: int
    solved_after: int
    pairs: int
    median_before: float | None
    median_after: float | None
    ratio: float | None
    p: float | None
    slower: bool
    faster: bool


@dataclass(frozen=True)
class Comparison:
    """All changes.  `remarks` say why the two runs may not be comparable."""

    columns: tuple[ColumnChange, ...]
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]
    tolerance: float
    alpha: float

    def of(self, kind: str) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.kind == kind)

    @property
    def worse(self) -> bool:
        return bool(self.of("newly lost") or self.of("newly wrong")) or any(c.slower for c in self.columns)


def compared(
    before: Sequence[Result], after: Sequence[Result], tolerance: float = 0.1, alpha: float = 0.05
) -> Comparison:
    """Compare two runs.  Raises InputError where they have nothing in common."""
    old, new = summarise(latest(before)), summarise(latest(after))
    left = {(r.claim, r.backend): r for r in old.results}
    right = {(r.claim, r.backend): r for r in new.results}
    shared = [key for key in left if key in right and left[key].digest == right[key].digest]
    if not shared:
        raise InputError(
            "compare", "the two runs have no attempt in common", "give results of the same claims and columns"
        )
    names = [name for name in old.names if any(column == name for _, column in shared)]
    changes = [_change(left[key], right[key], old, new, tolerance) for key in shared]
    columns = []
    for name in names:
        pairs = [(left[key], right[key]) for key in shared if key[1] == name]
        # Bonferroni: many columns, one verdict
        columns.append(_column(name, pairs, old, new, tolerance, alpha / len(names)))
    return Comparison(
        tuple(columns),
        tuple(c for c in changes if c is not None),
        _remarks(left, right, shared),
        tolerance,
        alpha,
    )


def _change(a: Result, b: Result, old: Summary, new: Summary, tolerance: float) -> Change | None:
    was, now = old.solved(a), new.solved(b)
    kind = None
    if new.is_wrong(b) and not old.is_wrong(a):
        kind = "newly wrong"
    elif was != now:
        kind = "newly solved" if now else "newly lost"
    elif was and abs(a.seconds - b.seconds) > NOISE:
        ratio = b.seconds / max(a.seconds, 1e-3)
        kind = "slower" if ratio > 1 + tolerance else "faster" if ratio < 1 / (1 + tolerance) else None
    return (
        kind
        and Change(
            a.claim, a.backend, kind, a.seconds if was else None, b.seconds if now else None, b.outcome
        )
    ) or None


def _column(
    name: str,
    pairs: Sequence[tuple[Result, Result]],
    old: Summary,
    new: Summary,
    tolerance: float,
    alpha: float,
) -> ColumnChange:
    both = [(a.seconds, b.seconds) for a, b in pairs if old.solved(a) and new.solved(b)]
    ratios = [max(b, 1e-3) / max(a, 1e-3) for a, b in both]
    ratio, p = (median(ratios), signed_rank([math.log(r) for r in ratios])) if both else (None, None)
    shown = ratio is not None and p is not None and p < alpha
    return ColumnChange(
        name,
        len(pairs),
        sum(old.solved(a) for a, _ in pairs),
        sum(new.solved(b) for _, b in pairs),
        len(both),
        median(a for a, _ in both) if both else None,
        median(b for _, b in both) if both else None,
        ratio,
        p,
        slower=shown and ratio is not None and ratio > 1 + tolerance,
        faster=shown and ratio is not None and ratio < 1 / (1 + tolerance),
    )


def signed_rank(differences: Sequence[float]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test, two-sided; 1 where nothing differs."""
    if not any(differences):
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue)


def _remarks(
    left: dict[tuple[str, str], Result],
    right: dict[tuple[str, str], Result],
    shared: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    out = []
    for what in ("timeout", "memory", "workers", "seed", "machine"):
        a, b = ({getattr(side[key], what) for key in shared} for side in (left, right))
        if a != b:
            out.append(
                f"{what} differs: {', '.join(map(str, sorted(a, key=str)))} before, "
                f"{', '.join(map(str, sorted(b, key=str)))} after"
            )
    changed = sum(key in right and left[key].digest != right[key].digest for key in left)
    for many, what in (
        (changed, "are about claims that have changed"),
        (sum(key not in right for key in left), "are only in the first run"),
        (sum(key not in left for key in right), "are only in the second run"),
    ):
        if many:
            out.append(f"{many} attempts {what}: not compared")
    return tuple(out)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return what `compare --json` prints."""
    return {
        "worse": found.worse,
        "columns": [asdict(c) for c in found.columns],
        **{kind.replace(" ", "_"): [asdict(c) for c in found.of(kind)] for kind in CHANGES},
        "remarks": list(found.remarks),
        "tolerance": found.tolerance,
        "alpha": found.alpha,
    }
