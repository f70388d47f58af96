"""Results of the distill suite: what is measured of each behaviour, the totals, and the table of both.

`distill.py` measures and calls this.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
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
    version: str = __version__

    @property
    def ratio(self) -> float | None:
        """The program's length over the reference's; None if there is no program."""
        return None if self.length is None else round(self.length / self.reference_length, 3)

    @property
    def near(self) -> bool:
        """Whether a program was proved that is at most NEAR times as long as the reference."""
        return (
            self.verdict == "proved"
            and self.length is not None
            and self.length <= NEAR * self.reference_length
        )


def summary_json(found: Sequence[Measured]) -> dict[str, Any]:
    """Return everything measured, and the totals that the suite is judged by."""
    ways: dict[str, int] = {}
    for m in found:
        ways[m.found_by or "none"] = ways.get(m.found_by or "none", 0) + 1
    totals = {
        "behaviours": len(found),
        "exact_surrogates": sum(m.exact_surrogate for m in found),
        "proved": sum(m.verdict == "proved" for m in found),
        f"within_{NEAR}_of_reference": sum(m.near for m in found),
        "teachers_equal_to_reference": sum(m.agreement == 1 for m in found),
        "found_by": ways,
        "median_seconds": statistics.median(m.seconds for m in found),
        "slowest_seconds": max(m.seconds for m in found),
        "seconds": round(sum(m.seconds for m in found), 1),
    }
    return {"behaviours": [asdict(m) | {"ratio": m.ratio} for m in found], "totals": totals}


def print_summary(found: Sequence[Measured], out: Path) -> None:
    """Print a row per behaviour, then the totals."""
    from rich.table import Table
    from rich.text import Text

    from ..reports.console import console

    screen = console()
    if not screen.is_terminal:
        screen.width = 200  # one row of the table
    table = Table(box=None, pad_edge=False)
    for heading in (
        "behaviour",
        "inputs",
        "teacher",
        "surrogate",
        "found by",
        "lines",
        "length",
        "reference",
        "verdict",
        "seconds",
    ):
        table.add_column(
            heading,
            justify="left" if heading in ("behaviour", "surrogate", "found by", "verdict") else "right",
        )
    for m in found:
        surrogate = (
            "none"
            if m.hidden is None
            else f"{'x'.join(map(str, m.hidden)) or 'linear'}, {m.nonzeros} nonzero, {m.weight_bits} bits"
        )
        how = f"{m.found_by}: {m.template}" if m.found_by else "-"
        shown = "proved" if m.verdict == "proved" else f"{m.verdict}: {m.reason}"
        table.add_row(
            m.name,
            f"{m.inputs:,}",
            f"{m.agreement:.2%}",
            surrogate,
            how,
            str(m.lines or "-"),
            str(m.length or "-"),
            f"{m.reference_lines}, {m.reference_length}",
            Text(shown, "green" if m.near else "yellow" if m.verdict == "proved" else "red"),
            f"{m.seconds:.1f}",
        )
    screen.print(table)
    totals = summary_json(found)["totals"]
    screen.print(
        f"{totals['proved']} of {totals['behaviours']} proved, {totals[f'within_{NEAR}_of_reference']} of "
        f"them within {NEAR} times the "
        f"reference's length; exact surrogates: {totals['exact_surrogates']}; found by "
        + ", ".join(f"{way} {count}" for way, count in totals["found_by"].items())
        + f"; seconds: median {totals['median_seconds']:.1f}, slowest {totals['slowest_seconds']:.1f}, "
        f"{totals['seconds']:.0f} in all",
        soft_wrap=True,
        markup=False,
    )
    screen.print(f"programs, claims and results are in {out}", soft_wrap=True, markup=False)
