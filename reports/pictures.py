"""The pictures of the report on a distillation: margins, weights and proof tree (Vega), circuit (SVG)."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..models.circuits.picture.graph import CircuitGraph
from ..pipeline.histogram import Histogram
from .proof_shape import Shape
from .surrogate_view import Weight
from .vega import COLOURS, CONFIG, TEXT, Spec, spec

MOST_ROWS, MOST_COLUMNS = 60, 80  # of a matrix that is drawn
NAMED = 60  # up to so many nodes of a tree, each has its text beside it; hovering always shows it
KINDS = {
    "claim": TEXT,
    "label": TEXT,
    "cut": "#56B4E9",
    "split": "#E69F00",
    "leaf": "#009E73",
    "run": "#0072B2",
    "settled": "#999999",
}
SHAPES = {
    "claim": "circle",
    "label": "circle",
    "cut": "square",
    "split": "diamond",
    "leaf": "triangle-up",
    "run": "cross",
    "settled": "circle",
}


def margin_bars(found: Histogram, labels: Sequence[str], whose: str, unit: str) -> Spec:
    """Return a histogram of margins with stacked bars, one colour per label."""
    single = all(b.low == b.high for b in found.bins)
    lows = sorted({b.low for b in found.bins})
    width = 0.4 * min((b - a for a, b in itertools.pairwise(lows)), default=0.25) if single else 0.0
    values = [
        {
            "low": b.low - width,
            "high": b.high + width,
            "from": b.low,
            "to": b.high,
            "label": label,
            "inputs": n,
        }
        for b in found.bins
        for label, n in zip(labels, b.counts, strict=True)
        if n
    ]
    return spec(
        f"Histogram: the margins of the {whose} over {found.inputs} inputs, by label. "
        "The numbers are in the table below.",
        values,
        height=220,
        mark={"type": "bar", "aria": False, "stroke": None, "minBandSize": 2},
        encoding={
            "x": {
                "field": "low",
                "type": "quantitative",
                "bin": {"binned": True},
                "title": f"margin ({unit})",
                "scale": {"zero": True},
            },
            "x2": {"field": "high"},
            "y": {
                "field": "inputs",
                "type": "quantitative",
                "title": "inputs",
                "stack": "zero",
                "axis": {"tickMinStep": 1},
            },
            "color": {
                "field": "label",
                "type": "nominal",
                "scale": {"domain": list(labels), "range": _cycled(len(labels))},
            },
            "tooltip": [{"field": f, "type": "nominal"} for f in ("label", "from", "to", "inputs")],
        },
    )


def _cycled(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def weight_maps(weights: Sequence[Weight]) -> dict[str, Spec]:
    """Return a matrix for each pair of node and source that is small enough, by name.

    Weights on the input are shown by position and token.
    """
    groups: dict[tuple[int, int], list[Weight]] = defaultdict(list)
    for w in weights:
        groups[w.node, w.reads].append(w)
    out = {}
    for (node, reads), entries in groups.items():
        values: list[dict[str, Any]] = [
            {
                "row": f"unit {w.unit}" + ("" if w.token is None else f", {w.token!r}"),
                "unit": w.unit,
                "token": "" if w.token is None else w.token,
                "column": w.source if w.position is None else w.position,
                "weight": w.value,
                "exactly": w.exact,
            }
            for w in entries
        ]
        rows, columns = list(dict.fromkeys(v["row"] for v in values)), sorted({v["column"] for v in values})
        if len(rows) > MOST_ROWS or len(columns) > MOST_COLUMNS:
            continue
        most = max(abs(w.value) for w in entries)
        source = "positions of the input" if reads == 0 else f"units of node {reads}"
        out[f"weights-{node}-{reads}"] = spec(
            f"Weights from {source} to node {node}: blue is negative, orange positive. "
            "The numbers are in the table below.",
            values,
            height=16 * len(rows),
            mark={"type": "rect", "aria": False, "stroke": "#88888855"},
            encoding={
                "x": {"field": "column", "type": "ordinal", "title": source, "axis": {"labelAngle": 0}},
                "y": {"field": "row", "type": "nominal", "sort": rows, "title": f"node {node}"},
                "color": {
                    "field": "weight",
                    "type": "quantitative",
                    "scale": {"scheme": "blueorange", "domain": [-most, most]},
                },
                "tooltip": [{"field": f, "type": "nominal"} for f in ("unit", "token", "column", "exactly")],
            },
        )
    return out


def proof_tree(shape: Shape) -> Spec | None:
    """Return the tree from left to right, with a line per leaf; None if it has fewer than three nodes."""
    if len(shape.nodes) < 3:
        return None
    parents = {n.parent for n in shape.nodes}
    named = len(shape.nodes) <= NAMED
    height = (18 if named else 6) * max(3, sum(n.id not in parents for n in shape.nodes))
    kinds = [kind for kind in KINDS if any(n.kind == kind for n in shape.nodes)]
    scales = [
        {"name": name, "type": "ordinal", "domain": kinds, "range": [table[k] for k in kinds]}
        for name, table in (("colour", KINDS), ("shape", SHAPES))
    ]
    wide = "isFinite(containerSize()[0]) ? containerSize()[0] : 600"
    tip = {"signal": "{'kind': datum.kind, 'what': datum.text, 'depth': datum.depth}"}
    return {
        "usermeta": {"embedOptions": {"mode": "vega"}},
        "description": f"Tree of the proof: {shape.leaves} leaves, {shape.depth} cuts and splits deep. "
        "The numbers are in the table beside it.",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": height,
        "config": CONFIG,
        "signals": [{"name": "width", "init": wide, "on": [{"events": "window:resize", "update": wide}]}],
        "data": [
            {
                "name": "source_0",
                "values": [
                    {"id": n.id, "parent": n.parent, "kind": n.kind, "text": n.text} for n in shape.nodes
                ],
                "transform": [
                    {"type": "stratify", "key": "id", "parentKey": "parent"},
                    {
                        "type": "tree",
                        "method": "tidy",
                        "size": [{"signal": "height"}, {"signal": f"width - {200 if named else 10}"}],
                        "as": ["y", "x", "depth", "children"],
                    },
                ],
            },
            {
                "name": "links",
                "source": "source_0",
                "transform": [
                    {"type": "treelinks"},
                    {"type": "linkpath", "orient": "horizontal", "shape": "diagonal"},
                ],
            },
        ],
        "scales": scales,
        "legends": [{"fill": "colour", "shape": "shape", "orient": "top", "direction": "horizontal"}],
        "marks": [
            {
                "type": "path",
                "aria": False,
                "from": {"data": "links"},
                "encode": {"update": {"path": {"field": "path"}, "stroke": {"value": "#888888"}}},
            },
            {
                "type": "symbol",
                "name": "nodes",
                "aria": False,
                "from": {"data": "source_0"},
                "encode": {
                    "enter": {
                        "size": {"value": 60},
                        "tooltip": tip,
                        "fill": {"scale": "colour", "field": "kind"},
                        "shape": {"scale": "shape", "field": "kind"},
                    },
                    "update": {"x": {"field": "x"}, "y": {"field": "y"}},
                },
            },
            *(
                []
                if not named
                else [
                    {
                        "type": "text",
                        "aria": False,
                        "interactive": False,
                        "from": {"data": "source_0"},
                        "encode": {
                            "enter": {
                                "text": {"field": "text"},
                                "fontSize": {"value": 10},
                                "baseline": {"value": "middle"},
                                "fill": {"value": TEXT},
                                "limit": {"value": 190},
                            },
                            "update": {
                                "x": {"field": "x", "offset": 7},
                                "y": {"field": "y", "offset": {"signal": "datum.children ? -7 : 0"}},
                            },
                        },
                    }
                ]
            ),
        ],
    }


def circuit_svg(graph: CircuitGraph) -> tuple[str, str]:
    """Return the drawing as an SVG element, and the reason if there is none."""
    from ..common.errors import InputError
    from ..models.circuits.picture.drawing import draw

    try:
        text = draw(graph, "svg").decode("utf-8")
    except InputError as error:
        return "", f"{error.what}: {error.mend}"
    return text[text.index("<svg") :], ""
