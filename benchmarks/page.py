"""The report as one HTML file that needs nothing else: `relucid bench ... --html FILE`, `relucid report`.

Every number stands in a table that is made here.  The plots are Vega-Lite specifications (`charts.py`) which
Vega, carried inside the file, draws as SVG.  The page's text is `page.html`, in the frame of all reports
(`reports/html.py`).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..reports.html import rendered, write_html
from ..reports.vega import timeline
from .charts import charts
from .portfolio import virtual_best
from .report import wrong_line
from .results import Result
from .score import Score, Summary, seconds_text
from .suite import RACE
from .summary_json import summary_json

FRAME = Path(__file__).with_name("page.html")


def write_page(path: Path, summary: Summary) -> None:
    """Write the report, whole or not at all.  Raises InputError."""
    write_html(path, page(summary))


def page(summary: Summary) -> str:
    """Return the HTML text."""
    best, claims = virtual_best(summary), _claims(summary)
    drawn = charts(summary, best)
    return rendered(
        FRAME,
        {"charts": drawn, "timelines": {c["id"]: c["timeline"] for c in claims if c["timeline"]}},
        {"seconds": seconds_text},
        wrong=[(w, wrong_line(w), _shows(summary, w.claim)) for w in summary.wrong],
        runs=summary_json(summary)["runs"],
        claims=claims,
        columns=_columns(summary),
        groups={
            "domain size": _groups(summary, summary.by_size()),
            "family": _groups(summary, summary.by_family()),
        },
        best=best,
        charts=drawn,
    )


def _columns(summary: Summary) -> list[dict[str, Any]]:
    """Return a row per column, the best PAR-2 first."""
    out = []
    for name in sorted(summary.names, key=lambda n: summary.score(n).par2):
        rows = [r for r in summary.results if r.backend == name]
        score = summary.score(name)
        unsolved = [f"{many} {outcome}" for outcome, many in sorted(score.unsolved.items())]
        missing = [f"{summary.missing[name]} not run"] if summary.missing[name] else []
        proofs = {r.trust for r in rows if r.verdict == "proved" and r.trust}
        out.append(
            {
                "name": name,
                "race": name == RACE,
                "version": rows[0].version,
                "options": ", ".join(rows[0].options),
                "score": score,
                "trust": ", ".join(sorted(proofs)),
                "unsolved": ", ".join([*unsolved, *missing]),
                "median": _median(score, rows),
                "cpu": _total([r.cpu_seconds for r in rows]),
                "memory": max((r.peak_mb for r in rows if r.peak_mb is not None), default=None),
            }
        )
    return out


def _median(score: Score, rows: list[Result]) -> str:
    limit = min(r.timeout for r in rows)
    return f">{seconds_text(score.median)}" if score.median >= limit else seconds_text(score.median)


def _total(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


def _groups(summary: Summary, groups: dict[str, list[Result]]) -> dict[str, Any]:
    names = sorted(summary.names, key=lambda n: summary.score(n).par2)
    return {
        "titles": [(title, len({r.claim for r in rows})) for title, rows in groups.items()],
        "rows": [(name, [summary.score(name, rows) for rows in groups.values()]) for name in names],
    }


def _claims(summary: Summary) -> list[dict[str, Any]]:
    """Return a section per claim, with every attempt (all repeats) and the race as a timeline."""
    by_claim: dict[str, list[Result]] = {}
    for r in summary.runs:
        by_claim.setdefault(r.claim, []).append(r)
    out = []
    for number, (name, rows) in enumerate(by_claim.items()):
        race = next((r for r in rows if r.backend == RACE and r.attempts), None)
        counted = [r for r in summary.results if r.claim == name]
        shown = next((r for r in rows if r.counterexample), None)
        out.append(
            {
                "id": f"claim-{number}",
                "name": name,
                "first": rows[0],
                "rows": rows,
                "solved": sum(map(summary.solved, counted)),
                "of": len(counted),
                "wrong": [w for w in summary.wrong if w.claim == name],
                "is_wrong": summary.is_wrong,
                "counterexample": shown.counterexample if shown else None,
                "by": shown.backend if shown else None,
                "answers": sorted({r.verdict for r in rows if r.verdict in ("proved", "refuted")}),
                "race": race,
                "timeline": timeline(name, race.attempts) if race else None,
                "again": _again(rows[0]),
            }
        )
    return out


def _again(r: Result) -> str:
    """Return the command that makes an attempt again."""
    if not r.file:
        return ""
    if r.spec:
        files = f"{shlex.quote(r.file)} {shlex.quote(r.spec)}"
        return f"relucid verify {files} --timeout {r.timeout:g} --memory {r.memory}"
    name = "" if r.backend == RACE else f" --backends {shlex.quote(r.backend)}"
    limits = f"--timeout {r.timeout:g} --memory {r.memory} --seed {r.seed}"
    return f"relucid prove {shlex.quote(r.file)}{name} {limits}"


def _shows(summary: Summary, claim: str) -> dict[str, Any]:
    """Return the file, the counterexample and the commands that show a wrong answer."""
    rows = [r for r in summary.runs if r.claim == claim]
    said = [r for r in rows if r.verdict in ("proved", "refuted") or r.outcome == "contradiction"]
    found = next((r.counterexample for r in said if r.counterexample), None)
    return {
        "file": rows[0].file,
        "counterexample": found,
        "again": [_again(r) for r in {r.backend: r for r in said}.values() if r.file],
    }
