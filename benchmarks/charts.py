"""The report's plots as Vega-Lite specifications: plain data, drawn in the browser (`page.py`).

Every column has a colour, a shape and a dash of its own, the same in every plot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from ..reports.vega import COLOURS, TEXT, Spec, spec
from .portfolio import VirtualBest
from .score import Summary
from .suite import RACE

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-left",
    "triangle-right",
)
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
LEAST_SECONDS = 1e-3  # a logarithm needs something


def charts(summary: Summary, best: VirtualBest) -> dict[str, Spec]:
    """Return the plots of the whole run by name, without those that there is no data for."""
    found = {
        "cactus": cactus(summary),
        "scatter": scatter(summary),
        "growth": growth(summary),
        "contributions": contributions(best),
    }
    return {name: drawn for name, drawn in found.items() if drawn is not None}


def _by_column(names: Sequence[str], what: str, order: Sequence[str] | None = None) -> Spec:
    """Return a scale that gives every column its own colour, shape or dash, the same in every plot.

    The race has the text's colour.  `order` is that of the legend.
    """
    others = [name for name in names if name != RACE]
    ranges: dict[str, Any] = {"color": COLOURS, "shape": SHAPES, "strokeDash": DASHES}
    if what == "strokeDash":  # the next dash when the colours begin again
        chosen = [DASHES[i // len(COLOURS) % len(DASHES)] for i in range(len(others))]
    else:
        chosen = list(islice(cycle(ranges[what]), len(others)))
    first = {"color": TEXT, "shape": "circle", "strokeDash": [1, 0]}[what]
    pairs = dict(zip(others, chosen, strict=True)) | {RACE: first}
    return {
        "field": "column",
        "type": "nominal",
        "scale": {"domain": list(order or names), "range": [pairs[n] for n in order or names]},
        "title": "column",
    }


def _log_seconds(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": title,
        "axis": {"format": "~g", "tickCount": 6},
    }


def cactus(summary: Summary) -> Spec | None:
    """Plot how many claims a column solves if each gets so many seconds."""
    order = sorted(summary.names, key=lambda name: -summary.score(name).solved)
    values = []
    for name in order:
        rows = sorted(
            (r for r in summary.results if r.backend == name and summary.solved(r)), key=lambda r: r.seconds
        )
        values += [
            {"column": name, "solved": n, "seconds": max(r.seconds, LEAST_SECONDS), "claim": r.claim}
            for n, r in enumerate(rows, 1)
        ]
    if not values:
        return None
    shown = {"condition": {"param": "picked", "value": 1}, "value": 0.12}
    return spec(
        "Cactus plot: seconds for each claim against claims solved, a line per column. The numbers are in "
        "the table of columns.",
        values,
        params=[{"name": "picked", "select": {"type": "point", "fields": ["column"]}, "bind": "legend"}],
        mark={"type": "line", "point": {"size": 28, "aria": False}, "aria": False},
        encoding={
            "x": {
                "field": "solved",
                "type": "quantitative",
                "title": "claims solved",
                "axis": {"tickMinStep": 1},
            },
            "y": _log_seconds("seconds", "seconds for each"),
            "color": _by_column(summary.names, "color", order),
            "shape": _by_column(summary.names, "shape", order),
            "strokeDash": _by_column(summary.names, "strokeDash", order),
            "opacity": shown,
            "tooltip": [{"field": f, "type": "nominal"} for f in ("column", "solved", "seconds", "claim")],
        },
    )


def scatter(summary: Summary) -> Spec | None:
    """Plot any two columns against each other, a point per claim; unsolved claims lie on the edge."""
    if len(summary.names) < 2:
        return None
    claims: dict[str, Spec] = {}
    edge = max((r.timeout for r in summary.results), default=1.0) * 1.5
    for r in summary.results:
        row = claims.setdefault(r.claim, {"claim": r.claim, "family": r.family})
        row[r.backend] = max(r.seconds, LEAST_SECONDS) if summary.solved(r) else edge
    scores = sorted(summary.names, key=lambda name: summary.score(name).par2)
    pick = {"input": "select", "options": list(summary.names)}
    ends = [
        min((v for row in claims.values() for v in row.values() if isinstance(v, float)), default=0.1) / 1.5,
        edge * 1.1,
    ]
    axis = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": ends, "nice": False},
        "axis": {"format": "~g", "tickCount": 6},
    }
    point = {
        "transform": [
            {"calculate": "datum[across]", "as": "x"},
            {"calculate": "datum[up]", "as": "y"},
            {"filter": "isValid(datum.x) && isValid(datum.y)"},
            {
                "calculate": f"datum.x >= {edge} ? 'not solved' : format(datum.x, '.2f') + ' s'",
                "as": "on the x axis",
            },
            {
                "calculate": f"datum.y >= {edge} ? 'not solved' : format(datum.y, '.2f') + ' s'",
                "as": "on the y axis",
            },
        ],
        "mark": {
            "type": "point",
            "size": 45,
            "color": COLOURS[0],
            "filled": True,
            "opacity": 0.7,
            "aria": False,
        },
        "encoding": {
            "x": {"field": "x", **axis, "title": "seconds of the first column (right edge: not solved)"},
            "y": {"field": "y", **axis, "title": "seconds of the second column (upper edge: not solved)"},
            "tooltip": [
                {"field": f, "type": "nominal"} for f in ("claim", "family", "on the x axis", "on the y axis")
            ],
        },
    }
    diagonal = {
        "data": {"values": [{"a": v} for v in ends]},
        "mark": {
            "type": "line",
            "strokeDash": [4, 4],
            "strokeWidth": 1,
            "color": TEXT,
            "opacity": 0.6,
            "aria": False,
        },
        "encoding": {"x": {"field": "a", **axis}, "y": {"field": "a", **axis}},
    }
    return spec(
        "Scatter plot: the seconds of two columns that can be chosen, a point per claim. The numbers are "
        "under each claim.",
        list(claims.values()),
        params=[
            {"name": "across", "value": scores[0], "bind": {**pick, "name": "first column (x) "}},
            {"name": "up", "value": scores[1], "bind": {**pick, "name": "second column (y) "}},
        ],
        layer=[diagonal, point],
    )


def growth(summary: Summary) -> Spec | None:
    """Plot seconds against the size of the domain, a point per attempt."""
    values = [
        {
            "column": r.backend,
            "claim": r.claim,
            "family": r.family,
            "size": math.log10(max(int(r.domain_size), 1)),
            "seconds": max(r.seconds, LEAST_SECONDS) if summary.solved(r) else r.timeout * 1.5,
            "outcome": r.outcome,
            "solved": "solved" if summary.solved(r) else "not solved",
        }
        for r in summary.results
        if r.domain_size
    ]
    if not values:
        return None
    return spec(
        "Growth: seconds against the decimal logarithm of the number of inputs, a point per attempt. The "
        "table by domain size has the sums.",
        values,
        params=[{"name": "picked", "select": {"type": "point", "fields": ["column"]}, "bind": "legend"}],
        mark={"type": "point", "size": 40, "aria": False},
        encoding={
            "x": {
                "field": "size",
                "type": "quantitative",
                "title": "inputs of the domain, as a power of ten",
            },
            "y": _log_seconds("seconds", "seconds (at the top: not solved)"),
            "color": _by_column(summary.names, "color"),
            "shape": _by_column(summary.names, "shape"),
            "opacity": {"condition": {"param": "picked", "value": 0.8}, "value": 0.05},
            "tooltip": [
                {"field": f, "type": "nominal"} for f in ("column", "claim", "family", "outcome", "seconds")
            ],
        },
    )


def contributions(best: VirtualBest) -> Spec | None:
    """Plot on how many claims each column is the fastest, and on how many the only one."""
    values = [
        {"column": c.name, "claims": n, "what": what}
        for c in best.contributions
        for what, n in (("fastest", c.best), ("the only one", c.alone))
    ]
    if not values:
        return None
    return spec(
        "Bars: on how many claims each column is the fastest, and on how many the only one that has an "
        "answer.",
        values,
        height=34 * len(best.contributions),
        mark="bar",
        encoding={
            "y": {
                "field": "column",
                "type": "nominal",
                "sort": [c.name for c in best.contributions],
                "title": None,
            },
            "x": {"field": "claims", "type": "quantitative", "title": "claims", "axis": {"tickMinStep": 1}},
            "yOffset": {"field": "what"},
            "color": {"field": "what", "scale": {"range": [COLOURS[0], COLOURS[4]]}, "title": None},
            "tooltip": [{"field": f, "type": "nominal"} for f in ("column", "what", "claims")],
        },
    )
