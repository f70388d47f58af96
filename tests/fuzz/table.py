"""The counts of several runs as the tables of docs/theory/reliability.md, which hold what was decided between
two marks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .registry import KINDS

BEGIN, END = "<!-- counts: begin -->", "<!-- counts: end -->"
DECIDED = ("proved", "refuted")
OURS = ("enumerate", "reach", "bab")


def runs_of(files: Iterable[Path]) -> list[dict[str, Any]]:
    return [json.loads(f.read_text(encoding="utf-8")) for f in files]


def counts_of(runs: Iterable[dict[str, Any]], kind: str) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for run in runs:
        if run["kind"] == kind:
            total.update(
                {(row, column): n for row, columns in run["counts"].items() for column, n in columns.items()}
            )
    return total


def summed(counts: Counter[tuple[str, str]], columns: Sequence[str], rows: str = "") -> int:
    return sum(n for (row, column), n in counts.items() if column in columns and rows in row)


def totals(runs: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """What the page begins with: a line each, how often.  A claim that several engines decide counts once for
    each.
    """
    words, networks, boxes = (counts_of(runs, kind) for kind in ("words", "networks", "boxes"))
    tokens = words + Counter({key: n for key, n in networks.items() if key[0].startswith("tokens, ")})
    of_boxes = boxes + Counter({key: n for key, n in networks.items() if key[0].startswith("boxes, ")})
    lines = [
        ("claims decided, about tokens and about boxes", summed(tokens, DECIDED) + summed(of_boxes, DECIDED))
    ]
    lines += [(f"of them by `{engine}`", summed(tokens, DECIDED, engine)) for engine in OURS]
    lines += [("of them about boxes", summed(of_boxes, DECIDED))]
    lines += [("program runs against CPython", summed(counts_of(runs, "programs"), ("value", "error")))]
    lines += [
        ("words of automata against running the program", summed(counts_of(runs, "programs"), ("agree",)))
    ]
    lines += [
        ("ONNX graphs against onnxruntime", sum(run["cases"] for run in runs if run["kind"] == "graphs"))
    ]
    proofs = counts_of(runs, "proofs")
    lines += [
        ("proofs and mutants shown to a checker", sum(proofs.values())),
        ("of them shown for a false claim", summed(proofs, ("rejected", "accepted"), "false")),
    ]
    lines += [("commands on hostile files", sum(run["cases"] for run in runs if run["kind"] == "hostile"))]
    return [*lines, ("findings", sum(len(run["failed"]) for run in runs))]


def markdown(files: Iterable[Path]) -> str:
    runs = runs_of(files)
    commits = ", ".join(f"`{c}`" for c in dict.fromkeys(run["commit"] for run in runs))
    out = [f"Commit {commits}.", "", "| what was tried | how often |", "|---|---:|"]
    out += [f"| {what} | {n:,} |" for what, n in totals(runs)]
    for kind in KINDS:
        mine = [run for run in runs if run["kind"] == kind]
        if not mine:
            continue
        counts = counts_of(runs, kind)
        columns = sorted({column for _, column in counts}, key=lambda c: (c not in DECIDED, c))
        seeds = " ".join(str(run["seed"]) for run in mine)
        minutes = sum(run["seconds"] for run in mine) / 60
        out += [
            "",
            f"**{kind}**: {sum(run['cases'] for run in mine):,} cases in {minutes:.0f} minutes of one core; `python -m tests.fuzz {kind}`, seeds {seeds}",
            "",
        ]
        out += [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
        for row in sorted({row for row, _ in counts}):
            out.append(
                f"| {row} | {' | '.join(f'{counts[row, c]:,}' if counts[row, c] else '' for c in columns)} |"
            )
    return "\n".join([*out, ""])


def written(page: Path, files: Iterable[Path]) -> None:
    """Put the tables between the page's marks."""
    text = page.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{markdown(files)}\n{END}{after}", encoding="utf-8")
