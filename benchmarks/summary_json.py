"""A run's numbers as the object of `summary.json` and of `--json`, from `score.py` and `portfolio.py`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from .portfolio import VirtualBest, race_against_the_best, virtual_best
from .score import Score, Summary, exponent, growth


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return the object of summary.json."""
    one = {(r.timeout, r.memory, r.workers, r.seed, r.seeds, r.machine, r.relucid) for r in summary.results}
    keys = ("timeout", "memory", "workers", "seed", "seeds", "machine", "relucid")
    return {
        "runs": [dict(zip(keys, run, strict=True)) for run in sorted(one, key=str)],
        "claims": len({r.claim for r in summary.results}),
        "wrong": [
            {
                "claim": w.claim,
                "proved": list(w.proved),
                "refuted": list(w.refuted),
                "known": w.known,
                "firm": w.firm,
            }
            for w in summary.wrong
        ],
        "columns": {name: _column_json(summary, name) for name in summary.names},
        "race_against_the_best": race_against_the_best(summary),
        "virtual_best": _virtual_best_json(virtual_best(summary)),
    }


def _virtual_best_json(best: VirtualBest) -> dict[str, Any]:
    return {**asdict(best), "contributions": [asdict(c) for c in best.contributions]}


def _column_json(summary: Summary, name: str) -> dict[str, Any]:
    first = next(r for r in summary.results if r.backend == name)
    return {
        "version": first.version,
        "missing": summary.missing[name],
        **_score_json(summary.score(name)),
        "by_size": {
            title: _score_json(summary.score(name, rows)) for title, rows in summary.by_size().items()
        },
        "by_family": {
            family: _score_json(summary.score(name, rows)) for family, rows in summary.by_family().items()
        },
        "growth": {
            family: {"exponent": round(exponent(points), 2), "points": [list(p) for p in points]}
            for family, points in growth(summary, name).items()
        },
    }


def _score_json(score: Score) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 3)

    return {
        "claims": score.claims,
        "solved": score.solved,
        "proved": score.proved,
        "refuted": score.refuted,
        "unsolved": dict(score.unsolved),
        "par2": number(score.par2),
        "median": number(score.median),
    }
