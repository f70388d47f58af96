"""What all plots share: Vega-Lite specifications as plain data, and the race as a timeline.

Vega draws them as SVG in the browser (`html.py`).  Colours are Okabe and Ito's, which colour-blind people can
tell apart.  Everything else takes the colour of the text (`currentColor`), so that a drawing fits light, dark
and paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1")
OUTCOMES = {
    "proved": "#0072B2",
    "refuted": "#E69F00",
    "cancelled": "#999999",
    "timeout": "#56B4E9",
    "memory": "#CC79A7",
    "unknown": "#8C6BB1",
    "crashed": "#D55E00",
    "rejected": "#D55E00",
    "unsupported": "#999999",
}
SHORTEST = 1e-3  # seconds; a shorter bar would not be visible
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
    """Return a specification with the look that all plots share.  `description` is read by screen readers."""
    return {
        "description": description,
        "width": "container",
        "height": 360,
        "data": {"values": list(values)},
        "config": CONFIG,
        **more,
    }


def timeline(claim: str, attempts: Sequence[Mapping[str, Any]]) -> Spec | None:
    """Return the race on one claim: when each backend ran, and how it ended; None if nobody ran."""
    values = [
        {
            "backend": a.get("backend"),
            "from": span[0],
            "to": max(span[1], span[0] + SHORTEST),
            "outcome": a.get("outcome"),
            "why": a.get("detail"),
        }
        for a in attempts
        for span in a.get("spans") or ()
    ]
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
