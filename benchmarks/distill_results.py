"""Results of the distill suite: what is measured of each behaviour, and the totals.

`distill.py` measures and calls this; `distill_report.py` shows it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..version import __version__

NEAR = 1.3  # times the reference's description length


@dataclass(frozen=True)
class Measured:
    """What came of one behaviour.

    Fields are None if the distillation did not come that far.

    key: the behaviour and the options, so that an earlier result can be used again.
    inputs: the size of the domain.
    teacher: "trained", or "exact" for a circuit that runs the reference.
    agreement: on which share of the inputs the teacher gives the reference's label.
    length: the description length of the program that was found.
    seconds: of the distillation, without the teacher's training.
    cpu_seconds: the same in processor time, that of all solvers included.
    """

    name: str
    key: str
    inputs: int
    teacher: str
    agreement: float
    teacher_seconds: float
    exact_surrogate: bool
    hidden: tuple[int, ...] | None
    nonzeros: int | None
    weight_bits: int | None
    corrections: int | None
    found_by: str | None
    template: str | None
    lines: int | None
    length: int | None
    reference_lines: int
    reference_length: int
    reference: str
    verdict: str
    trust: str | None
    reason: str | None
    program: str | None
    seconds: float
    cpu_seconds: float
    version: str = __version__

    @property
    def ratio(self) -> float | None:
        """The program's length over the reference's."""
        return ratio(self.length, self.reference_length)

    @property
    def near(self) -> bool:
        """Whether a program was proved that is at most NEAR times as long as the reference."""
        return self.verdict == "proved" and is_near(self.length, self.reference_length)


@dataclass(frozen=True)
class SuiteResult:
    """What came of a suite, and the names of the behaviours that were left out: they have no large domain."""

    measured: tuple[Measured, ...]
    left_out: tuple[str, ...] = ()


def ratio(length: int | None, reference_length: int) -> float | None:
    """Return a program's length over the reference's; None if there is no program."""
    return None if length is None else round(length / reference_length, 3)


def is_near(length: int | None, reference_length: int) -> bool:
    """Say whether there is a program, at most NEAR times as long as the reference."""
    return length is not None and length <= NEAR * reference_length


def by_length(found: Iterable[tuple[int, int | None, bool]]) -> list[dict[str, int]]:
    """Count by the length of the reference.

    Args:
        found: for each behaviour the reference's length, the program's (None for none), and whether it is
            settled: proved, or right.

    Returns: for each length, ascending, the `behaviours`, those `settled`, and of these the programs that are
        `no_longer` than the reference.
    """
    rows: dict[int, dict[str, int]] = {}
    for reference, length, settled in sorted(found, key=lambda row: row[0]):
        row = rows.setdefault(reference, {"length": reference, "behaviours": 0, "settled": 0, "no_longer": 0})
        row["behaviours"] += 1
        row["settled"] += settled
        row["no_longer"] += settled and length is not None and length <= reference
    return list(rows.values())


def summary_json(result: SuiteResult) -> dict[str, Any]:
    """Return everything measured, and the totals that the suite is judged by."""
    found = result.measured
    ways: dict[str, int] = {}
    for m in found:
        ways[m.found_by or "none"] = ways.get(m.found_by or "none", 0) + 1
    lengths = by_length([(m.reference_length, m.length, m.verdict == "proved") for m in found])
    totals = {
        "behaviours": len(found),
        "exact_surrogates": sum(m.exact_surrogate for m in found),
        "proved": sum(m.verdict == "proved" for m in found),
        f"within_{NEAR}_of_reference": sum(m.near for m in found),
        "no_longer_than_reference": sum(g["no_longer"] for g in lengths),
        "by_reference_length": lengths,
        "teachers_equal_to_reference": sum(m.agreement == 1 for m in found),
        "found_by": ways,
        "median_seconds": statistics.median(m.seconds for m in found),
        "slowest_seconds": max(m.seconds for m in found),
        "seconds": round(sum(m.seconds for m in found), 1),
        "cpu_seconds": round(sum(m.cpu_seconds for m in found), 1),
        "left_out": list(result.left_out),
    }
    return {"behaviours": [asdict(m) | {"ratio": m.ratio} for m in found], "totals": totals}
