"""What `relucid bench` and `compare` print: wrong answers first, then who solved how much.

From `score.py`, `portfolio.py` and `comparison.py`; `page.py` shows the same in HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.text import visible
from .portfolio import race_against_the_best, virtual_best
from .results import Result
from .score import Score, Summary, Wrong, exponent, growth, seconds_text
from .suite import RACE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .comparison import Comparison

MOST_LISTED = 20


def print_report(summary: Summary, out: Path | None, html: Path | None = None, quiet: bool = False) -> None:
    """Print to stdout, in colour where there is colour; `quiet`: only wrong answers and the first table."""
    from rich.text import Text

    screen = _screen()
    for wrong in summary.wrong:
        screen.print(Text(visible(wrong_line(wrong)), "bold red" if wrong.firm else "red"), soft_wrap=True)
    if not summary.results:
        screen.print("no results")
        return
    screen.print(_overview(summary))
    if quiet:
        return
    screen.print(_grouped(summary, "solved by domain size (PAR-2)", summary.by_size()))
    screen.print(_grouped(summary, "solved by family (PAR-2)", summary.by_family()))
    for line in _remarks(summary):
        screen.print(line, soft_wrap=True, markup=False)
    if html is not None:
        screen.print(f"the report is {visible(str(html))}", soft_wrap=True, markup=False)
    if out is not None:
        screen.print(f"results and summary are in {visible(str(out))}", soft_wrap=True, markup=False)


def _screen() -> Console:
    from ..reports.console import console

    screen = console()
    if not screen.is_terminal:
        screen.width = 160  # one row of the widest table
    return screen


def wrong_line(wrong: Wrong) -> str:
    """Say who answered what, and how bad it is."""
    kind = "WRONG" if wrong.firm else "wrong within its tolerances"
    sides = [
        f"{verb} by {', '.join(who)}"
        for verb, who in (("proved", wrong.proved), ("refuted", wrong.refuted))
        if who
    ]
    known = f"; known to be {wrong.known}" if wrong.known else ""
    return f"{kind}: {wrong.claim}: {'; '.join(sides)}{known}"


def print_comparison(found: Comparison, quiet: bool = False) -> None:
    """Print what is worse first, then what is better, then the columns."""
    from rich.table import Table
    from rich.text import Text

    screen = _screen()
    styles = {
        "newly wrong": "bold red",
        "newly lost": "red",
        "slower": "yellow",
        "newly solved": "green",
        "faster": "green",
    }
    for remark in found.remarks:
        screen.print(Text(f"note: {visible(remark)}", "yellow"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in (
        "column",
        "claims",
        "solved",
        "solved in both",
        "median before",
        "median after",
        "ratio",
        "p",
        "",
        *styles,
    ):
        table.add_column(heading, justify="left" if heading in ("column", "") else "right")
    for c in found.columns:
        said = "slower" if c.slower else "faster" if c.faster else ""
        counts = (str(sum(x.column == c.column for x in found.of(kind)) or "-") for kind in styles)
        numbers = (
            _optional(c.median_before),
            _optional(c.median_after),
            _optional(c.ratio),
            "-" if c.p is None else f"{c.p:.2g}",
        )
        solved = f"{c.solved_before} -> {c.solved_after}"
        table.add_row(
            Text(visible(c.column)),
            str(c.claims),
            solved,
            str(c.pairs),
            *numbers,
            Text(said, styles.get(said, "")),
            *counts,
        )
    screen.print(table)
    for kind, style in styles.items():
        listed = (
            ()
            if quiet
            else sorted(found.of(kind), key=lambda c: -abs(math.log((c.after or 1) / (c.before or 1))))[
                :MOST_LISTED
            ]
        )
        for change in listed:
            times = " -> ".join("-" if s is None else f"{s:.2f} s" for s in (change.before, change.after))
            screen.print(
                Text(
                    f"{kind}: {visible(change.claim)} by {visible(change.column)} ({times}, "
                    f"{change.outcome})",
                    style,
                ),
                soft_wrap=True,
            )
        if len(listed) < len(found.of(kind)) and listed:
            screen.print(
                f"... and {len(found.of(kind)) - len(listed)} more that are {kind} (--json prints all)"
            )
    screen.print(Text("worse" if found.worse else "not worse", "bold red" if found.worse else "bold green"))


def _optional(value: float | None) -> str:
    return "-" if value is None else seconds_text(value)


def _overview(summary: Summary) -> Table:
    """Return a row per column, the best PAR-2 first."""
    from rich.table import Table
    from rich.text import Text

    claims = len({r.claim for r in summary.results})
    limits = sorted({r.timeout for r in summary.results})
    title = f"{claims} claims, at most {', '.join(f'{s:g}' for s in limits)} s each"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for heading in ("column", "version", "solved", "proved", "refuted", "PAR-2", "median", "not solved"):
        table.add_column(
            heading,
            justify="left" if heading in ("column", "version", "not solved") else "right",
            overflow="fold",
        )
    for name in sorted(summary.names, key=lambda n: summary.score(n).par2):
        score = summary.score(name)
        rows = [r for r in summary.results if r.backend == name]
        proofs = [r for r in rows if r.verdict == "proved"]
        marked = f"{name} (float)" if proofs and all(r.trust == "float" for r in proofs) else name
        solved = f"{score.solved} of {score.claims}"
        cells = (
            f"{score.proved}",
            f"{score.refuted}",
            seconds_text(score.par2),
            _median(score, rows),
            _unsolved(score, summary.missing[name]),
        )
        table.add_row(Text(marked, "bold" if name == RACE else ""), rows[0].version, solved, *cells)
    return table


def _grouped(summary: Summary, title: str, groups: Mapping[str, Sequence[Result]]) -> Table:
    """Return a row per column, one pair of numbers per group."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("column")
    for group, rows in groups.items():
        table.add_column(f"{visible(group)}\n{len({r.claim for r in rows})} claims", justify="right")
    for name in sorted(summary.names, key=lambda n: summary.score(n).par2):
        scores = [summary.score(name, rows) for rows in groups.values()]
        table.add_row(name, *(f"{s.solved} ({seconds_text(s.par2)})" if s.claims else "-" for s in scores))
    return table


def _remarks(summary: Summary) -> list[str]:
    lines = []
    beside = race_against_the_best(summary)
    if beside is not None:
        lines.append(
            f"race: within 1.3 times and 0.3 s of the best single backend on "
            f"{beside['within_1.3_times_and_0.3_seconds']} of "
            f"{beside['claims']} claims; the median of (race - 0.3 s) / best is {beside['median_ratio']:.2f}"
        )
        if beside["solved_by_others_only"]:
            lines.append(f"race: {beside['solved_by_others_only']} claims are solved by others only")
    for family, points in growth(summary, RACE).items():
        if family.startswith("tied"):
            lines.append(
                f"{family}: the race's time grows like length ** {exponent(points):.1f} ({points[0][0]} to "
                f"{points[-1][0]} positions)"
            )
    best = virtual_best(summary)
    if len(best.contributions) > 1:
        lines.append(
            f"virtual best of the single columns: solves {best.solved} of {best.claims}, PAR-2 "
            f"{seconds_text(best.par2)}"
        )
        lines += [
            f"  {visible(c.name)}: fastest on {c.best}, alone on {c.alone}; without it PAR-2 would be "
            f"{seconds_text(c.par2_without)}"
            for c in best.contributions
            if c.best
        ]
    return lines


def _median(score: Score, rows: Sequence[Result]) -> str:
    """Write a median; one at the limit says only that most claims were not solved."""
    return (
        f">{seconds_text(score.median)}"
        if rows and score.median >= min(r.timeout for r in rows)
        else seconds_text(score.median)
    )


def _unsolved(score: Score, missing: int) -> str:
    parts = [f"{many} {outcome}" for outcome, many in sorted(score.unsolved.items())]
    return ", ".join([*parts, *([f"{missing} not run"] if missing else [])])
