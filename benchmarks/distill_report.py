"""The distill suite on the terminal: a table, the programs beside their references, and the totals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..common.text import shortened, visible
from ..models.program.source import shown
from ..reports.console import console
from .distill_results import NEAR, SuiteResult, summary_json
from .distill_search import FoundProgram, search_json

LEFT, RIGHT = 64, 100  # columns of a program that are shown
LINES = 24

Cell = str | tuple[str, str]  # a text, and its style


def print_summary(result: SuiteResult, folder: Path, lengths: bool = False) -> None:
    """Print a row per behaviour, the totals, and if `lengths` these by the reference's length."""
    rows: list[list[Cell]] = []
    for m in result.measured:
        proved = m.verdict == "proved"
        answer = f"proved, {m.trust}" if proved else f"{m.verdict}: {m.reason}"
        rows.append(
            [
                m.name,
                f"{m.inputs:,}",
                f"{m.agreement:.2%}" if m.teacher == "trained" else m.teacher,
                _surrogate(m.hidden, m.nonzeros),
                _way(m.found_by, m.template),
                *_lengths(m.length, m.reference_length, m.ratio),
                (answer, "green" if m.near else "yellow" if proved else "red"),
                f"{m.seconds:.1f}",
                f"{m.cpu_seconds:.1f}",
            ]
        )
    titles = "behaviour,inputs>,teacher>,surrogate,found by,length>,reference>,ratio>,verdict,seconds>,CPU s>"
    _print_table(titles, rows)
    totals = summary_json(result)["totals"]
    _say(
        f"{totals['proved']} of {totals['behaviours']} proved, {totals[f'within_{NEAR}_of_reference']} of "
        f"them within {NEAR} times the reference's length, {totals['no_longer_than_reference']} no longer; "
        f"exact surrogates: {totals['exact_surrogates']}; "
        "found by "
        + ", ".join(f"{way} {count}" for way, count in totals["found_by"].items())
        + f"; seconds: median {totals['median_seconds']:.1f}, slowest {totals['slowest_seconds']:.1f}, "
        f"{totals['seconds']:.0f} in all; {totals['cpu_seconds']:.0f} CPU seconds"
    )
    if lengths:
        print_lengths(totals)
    if result.left_out:
        _say(f"left out, without large_length: {', '.join(result.left_out)}")
    _say(f"programs, claims and results are in {visible(str(folder))}")


def print_searched(found: FoundProgram) -> None:
    """Print one result of the search, with the program beside the reference."""
    length = "no program" if found.ratio is None else f"{found.ratio:.2f} times the reference's length"
    _say(f"{found.name}: {length}, {found.cpu_seconds:.1f} s, {_way(found.found_by, found.template)}")
    if found.reason is not None:
        _say(f"  {found.reason}")
    _say(beside(found.program or "", found.reference) + "\n")


def print_search(found: Sequence[FoundProgram], lengths: bool = False) -> None:
    """Print a row per behaviour, the totals, and if `lengths` these by the reference's length."""
    rows: list[list[Cell]] = [
        [
            s.name,
            f"{s.inputs:,}",
            _way(s.found_by, s.template),
            *_lengths(s.length, s.reference_length, s.ratio),
            ("right" if s.right else s.reason or "", "green" if s.near else "yellow" if s.right else "red"),
            f"{s.refuted}",
            f"{s.cpu_seconds:.1f}",
        ]
        for s in found
    ]
    _print_table("behaviour,inputs>,found by,length>,reference>,ratio>,on the domain,refuted>,CPU s>", rows)
    totals = search_json(found)["totals"]
    _say(
        f"search only, nothing is proved: {totals['right']} of {totals['behaviours']} programs are right on "
        f"their domain, {totals[f'within_{NEAR}_of_reference']} of them within {NEAR} times the reference's "
        f"length, {totals['no_longer_than_reference']} no longer; CPU seconds: median "
        f"{totals['median_cpu_seconds']:.1f}, slowest "
        f"{totals['slowest_cpu_seconds']:.1f}, {totals['cpu_seconds']:.0f} in all"
    )
    if lengths:
        print_lengths(totals)


def print_lengths(totals: dict[str, Any]) -> None:
    """Print how many behaviours are settled by programs no longer than the reference, by its length."""
    rows: list[list[Cell]] = []
    behaviours = shorter = 0
    for row in totals["by_reference_length"]:
        behaviours += row["behaviours"]
        shorter += row["no_longer"]
        counts = [str(row[key]) for key in ("length", "behaviours", "settled", "no_longer")]
        rows.append([*counts, f"{shorter} of {behaviours}", f"{shorter / behaviours:.0%}"])
    _print_table("reference's length>,behaviours>,settled>,no longer>,up to here>,share>", rows)


def beside(left: str, right: str) -> str:
    """Write two programs side by side, the beginning of each if it is long."""
    columns = _beginning(left, LEFT), _beginning(right, RIGHT)
    width = max(map(len, columns[0]), default=0)
    lines = (f"  {a:{width}}  |  {b}" for a, b in zip_longest(*columns, fillvalue=""))
    return "\n".join(line.rstrip() for line in lines)


def _beginning(program: str, width: int) -> list[str]:
    lines = [shortened(line, width) for line in shown(program).splitlines()]
    return lines if len(lines) <= LINES else [*lines[:LINES], f"... {len(lines) - LINES} more lines"]


def _surrogate(hidden: tuple[int, ...] | None, nonzeros: int | None) -> str:
    if hidden is None:
        return "none"
    layers = "x".join(map(str, hidden)) if len(hidden) <= 3 else f"{len(hidden)} layers"
    return f"{layers or 'linear'}, {nonzeros} nonzero"


def _way(found_by: str | None, template: str | None) -> str:
    return "-" if found_by is None else f"{found_by}: {template}"


def _lengths(length: int | None, reference: int, ratio: float | None) -> tuple[str, str, str]:
    return str(length or "-"), str(reference), "-" if ratio is None else f"{ratio:.2f}"


def _print_table(titles: str, rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows below titles; those that end with > stand on the right."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    if not screen.is_terminal:
        screen.width = 200  # one row of the table
    table = Table(box=None, pad_edge=False)
    for title in titles.split(","):
        table.add_column(title.rstrip(">"), justify="right" if title.endswith(">") else "left")
    for row in rows:
        cells = (cell if isinstance(cell, tuple) else (cell, "") for cell in row)
        table.add_row(*(Text(visible(text), style) for text, style in cells))
    screen.print(table)


def _say(text: str) -> None:
    console().print(text, soft_wrap=True, markup=False)
