"""The report's plots as Vega-Lite specifications: plain data, drawn as SVG by Vega in the browser (`page.py`).

Colours are Okabe and Ito's, which the colour-blind can tell apart, and every column has a shape and a dash of its own as well.  What has no
colour of its own takes that of the text (`currentColor`), so that the same drawing fits light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from .portfolio import VirtualBest
from .results import Result
from .score import Summary
from .suite import RACE

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left", "triangle-right")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
OUTCOMES = {
    "proved": "#0072B2", "refuted": "#E69F00", "cancelled": "#999999", "timeout": "#56B4E9", "memory": "#CC79A7", "unknown": "#8C6BB1",
    "crashed": "#D55E00", "rejected": "#D55E00", "unsupported": "#999999",
}  # fmt: skip
LEAST_SECONDS = 1e-3  # a logarithm needs something
TEXT = "currentColor"
CONFIG: Spec = {
    "background": None,
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "axis": {"labelColor": TEXT, "titleColor": TEXT, "domainColor": TEXT, "tickColor": TEXT, "gridColor": "#88888855"},
    "legend": {"labelColor": TEXT, "titleColor": TEXT, "symbolLimit": 60, "labelLimit": 240},
    "header": {"labelColor": TEXT, "titleColor": TEXT},
    "title": {"color": TEXT},
}


def charts(summary: Summary, best: VirtualBest) -> dict[str, Spec]:
    """The plots of the whole run by name; without those that there is no data for."""
    found = {"cactus": cactus(summary), "scatter": scatter(summary), "growth": growth(summary), "contributions": contributions(best)}
    return {name: spec for name, spec in found.items() if spec is not None}


def _spec(description: str, values: Sequence[Mapping[str, Any]], **more: Any) -> Spec:
    return {"description": description, "width": "container", "height": 360, "data": {"values": list(values)}, "config": CONFIG, **more}


def _by_column(names: Sequence[str], what: str, order: Sequence[str] | None = None) -> Spec:
    """A scale that gives every column its own colour, shape or dash, the same in every plot; the race has the text's colour.

    `order` is that of the legend.
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
    return {"field": field, "type": "quantitative", "scale": {"type": "log"}, "title": title, "axis": {"format": "~g", "tickCount": 6}}


def cactus(summary: Summary) -> Spec | None:
    """How many claims a column solves, if each is given so many seconds."""
    order = sorted(summary.names, key=lambda name: -summary.score(name).solved)
    values = []
    for name in order:
        rows = sorted((r for r in summary.results if r.backend == name and summary.solved(r)), key=lambda r: r.seconds)
        values += [{"column": name, "solved": n, "seconds": max(r.seconds, LEAST_SECONDS), "claim": r.claim} for n, r in enumerate(rows, 1)]
    if not values:
        return None
    shown = {"condition": {"param": "picked", "value": 1}, "value": 0.12}
    return _spec(
        "Cactus plot: seconds for each claim against claims solved, a line per column. The numbers are in the table of columns.",
        values,
        params=[{"name": "picked", "select": {"type": "point", "fields": ["column"]}, "bind": "legend"}],
        mark={"type": "line", "point": {"size": 28, "aria": False}, "aria": False},
        encoding={
            "x": {"field": "solved", "type": "quantitative", "title": "claims solved", "axis": {"tickMinStep": 1}},
            "y": _log_seconds("seconds", "seconds for each"),
            "color": _by_column(summary.names, "color", order),
            "shape": _by_column(summary.names, "shape", order),
            "strokeDash": _by_column(summary.names, "strokeDash", order),
            "opacity": shown,
            "tooltip": [{"field": f, "type": "nominal"} for f in ("column", "solved", "seconds", "claim")],
        },
    )


def scatter(summary: Summary) -> Spec | None:
    """Any two columns against each other, a point per claim; what is not solved lies on the edge."""
    if len(summary.names) < 2:
        return None
    claims: dict[str, Spec] = {}
    edge = max((r.timeout for r in summary.results), default=1.0) * 1.5
    for r in summary.results:
        row = claims.setdefault(r.claim, {"claim": r.claim, "family": r.family})
        row[r.backend] = max(r.seconds, LEAST_SECONDS) if summary.solved(r) else edge
    scores = sorted(summary.names, key=lambda name: summary.score(name).par2)
    pick = {"input": "select", "options": list(summary.names)}
    ends = [min((v for row in claims.values() for v in row.values() if isinstance(v, float)), default=0.1) / 1.5, edge * 1.1]
    axis = {"type": "quantitative", "scale": {"type": "log", "domain": ends, "nice": False}, "axis": {"format": "~g", "tickCount": 6}}
    point = {
        "transform": [
            {"calculate": "datum[across]", "as": "x"},
            {"calculate": "datum[up]", "as": "y"},
            {"filter": "isValid(datum.x) && isValid(datum.y)"},
            {"calculate": f"datum.x >= {edge} ? 'not solved' : format(datum.x, '.2f') + ' s'", "as": "on the x axis"},
            {"calculate": f"datum.y >= {edge} ? 'not solved' : format(datum.y, '.2f') + ' s'", "as": "on the y axis"},
        ],
        "mark": {"type": "point", "size": 45, "color": COLOURS[0], "filled": True, "opacity": 0.7, "aria": False},
        "encoding": {
            "x": {"field": "x", **axis, "title": "seconds of the first column (right edge: not solved)"},
            "y": {"field": "y", **axis, "title": "seconds of the second column (upper edge: not solved)"},
            "tooltip": [{"field": f, "type": "nominal"} for f in ("claim", "family", "on the x axis", "on the y axis")],
        },
    }
    diagonal = {
        "data": {"values": [{"a": v} for v in ends]},
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "color": TEXT, "opacity": 0.6, "aria": False},
        "encoding": {"x": {"field": "a", **axis}, "y": {"field": "a", **axis}},
    }
    return _spec(
        "Scatter plot: the seconds of two columns that can be chosen, a point per claim. The numbers are under each claim.",
        list(claims.values()),
        params=[
            {"name": "across", "value": scores[0], "bind": {**pick, "name": "first column (x) "}},
            {"name": "up", "value": scores[1], "bind": {**pick, "name": "second column (y) "}},
        ],
        layer=[diagonal, point],
    )


def growth(summary: Summary) -> Spec | None:
    """Seconds against the size of the domain, a point per attempt."""
    values = [
        {
            "column": r.backend, "claim": r.claim, "family": r.family, "size": math.log10(max(int(r.domain_size), 1)),
            "seconds": max(r.seconds, LEAST_SECONDS) if summary.solved(r) else r.timeout * 1.5,
            "outcome": r.outcome, "solved": "solved" if summary.solved(r) else "not solved",
        }
        for r in summary.results
        if r.domain_size
    ]  # fmt: skip
    if not values:
        return None
    return _spec(
        "Growth: seconds against the decimal logarithm of the number of inputs, a point per attempt. The table by domain size has the sums.",
        values,
        params=[{"name": "picked", "select": {"type": "point", "fields": ["column"]}, "bind": "legend"}],
        mark={"type": "point", "size": 40, "aria": False},
        encoding={
            "x": {"field": "size", "type": "quantitative", "title": "inputs of the domain, as a power of ten"},
            "y": _log_seconds("seconds", "seconds (at the top: not solved)"),
            "color": _by_column(summary.names, "color"),
            "shape": _by_column(summary.names, "shape"),
            "opacity": {"condition": {"param": "picked", "value": 0.8}, "value": 0.05},
            "tooltip": [{"field": f, "type": "nominal"} for f in ("column", "claim", "family", "outcome", "seconds")],
        },
    )


def contributions(best: VirtualBest) -> Spec | None:
    """On how many claims each single column is the fastest, and on how many the only one."""
    values = [
        {"column": c.name, "claims": n, "what": what}
        for c in best.contributions
        for what, n in (("fastest", c.best), ("the only one", c.alone))
    ]
    if not values:
        return None
    return _spec(
        "Bars: on how many claims each column is the fastest, and on how many the only one that has an answer.",
        values,
        height=34 * len(best.contributions),
        mark="bar",
        encoding={
            "y": {"field": "column", "type": "nominal", "sort": [c.name for c in best.contributions], "title": None},
            "x": {"field": "claims", "type": "quantitative", "title": "claims", "axis": {"tickMinStep": 1}},
            "yOffset": {"field": "what"},
            "color": {"field": "what", "scale": {"range": [COLOURS[0], COLOURS[4]]}, "title": None},
            "tooltip": [{"field": f, "type": "nominal"} for f in ("column", "what", "claims")],
        },
    )


def timeline(result: Result) -> Spec | None:
    """The race on one claim: who ran from when to when, and how it ended."""
    values = [
        {"backend": a.get("backend"), "from": span[0], "to": max(span[1], span[0] + LEAST_SECONDS), "outcome": a.get("outcome"), "why": a.get("detail")}
        for a in result.attempts
        for span in a.get("spans") or ()
    ]  # fmt: skip
    if not values:
        return None
    order = list(dict.fromkeys(v["backend"] for v in values))
    outcomes = list(dict.fromkeys(v["outcome"] for v in values))
    return _spec(
        f"Timeline of the race on {result.claim}: when each backend ran. The numbers are in the table beside it.",
        values,
        height=22 * len(order),
        mark={"type": "bar", "cornerRadius": 2, "minBandSize": 6},
        encoding={
            "y": {"field": "backend", "type": "nominal", "sort": order, "title": None},
            "x": {"field": "from", "type": "quantitative", "title": "seconds since the race began"},
            "x2": {"field": "to"},
            "color": {"field": "outcome", "scale": {"domain": outcomes, "range": [OUTCOMES.get(o, "#999999") for o in outcomes]}},
            "tooltip": [{"field": f, "type": "nominal"} for f in ("backend", "outcome", "from", "to", "why")],
        },
    )
