"""What all plots share: Vega-Lite specifications, plain data, drawn as SVG by Vega in the browser (`html.py`); and the race as a timeline.

Colours are Okabe and Ito's, which the colour-blind can tell apart.  What has no colour of its own takes that of the text (`currentColor`), so that
the same drawing fits light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1")
OUTCOMES = {
    "proved": "#0072B2", "refuted": "#E69F00", "cancelled": "#999999", "timeout": "#56B4E9", "memory": "#CC79A7", "unknown": "#8C6BB1",
    "crashed": "#D55E00", "rejected": "#D55E00", "unsupported": "#999999",
}  # fmt: skip
SHORTEST = 1e-3  # seconds of a bar that is to be seen
TEXT = "currentColor"
CONFIG: Spec = {
    "background": None,
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "axis": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "domainColor": TEXT,
        "tickColor": TEXT,
        "gridColor": "#88888855",
    },
    "legend": {"labelColor": TEXT, "titleColor": TEXT, "symbolLimit": 60, "labelLimit": 240},
    "header": {"labelColor": TEXT, "titleColor": TEXT},
    "title": {"color": TEXT},
}


def spec(description: str, values: Sequence[Mapping[str, Any]], **more: Any) -> Spec:
    return {
        "description": description,
        "width": "container",
        "height": 360,
        "data": {"values": list(values)},
        "config": CONFIG,
        **more,
    }


def timeline(claim: str, attempts: Sequence[Mapping[str, Any]]) -> Spec | None:
    """The race on one claim: who ran from when to when, and how it ended."""
    values = [
        {"backend": a.get("backend"), "from": span[0], "to": max(span[1], span[0] + SHORTEST), "outcome": a.get("outcome"), "why": a.get("detail")}
        for a in attempts
        for span in a.get("spans") or ()
    ]  # fmt: skip
    if not values:
        return None
    order = list(dict.fromkeys(v["backend"] for v in values))
    outcomes = list(dict.fromkeys(v["outcome"] for v in values))
    return spec(
        f"Timeline of the race on {claim}: when each backend ran. The numbers are in the table beside it.",
        values,
        height=22 * len(order),
        mark={"type": "bar", "cornerRadius": 2, "minBandSize": 6},
        encoding={
            "y": {"field": "backend", "type": "nominal", "sort": order, "title": None},
            "x": {"field": "from", "type": "quantitative", "title": "seconds since the race began"},
            "x2": {"field": "to"},
            "color": {
                "field": "outcome",
                "scale": {"domain": outcomes, "range": [OUTCOMES.get(o, "#999999") for o in outcomes]},
            },
            "tooltip": [{"field": f, "type": "nominal"} for f in ("backend", "outcome", "from", "to", "why")],
        },
    )
