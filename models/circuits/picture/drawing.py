"""Draw a circuit's graph as SVG or PNG, with matplotlib.

`layout.py` and `layout_prompt.py` say where everything stands.  The sign of a weight is its colour (blue and
vermilion, which colour-blind people tell apart) and its line (whole, dashed).  The same graph gives the same
bytes.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from ....common.errors import InputError
from ....common.optional import require
from ....common.text import visible
from .graph import CircuitGraph, GraphNode
from .layout import IN_CIRCLE, LONGEST, Point, Scene, arrange
from .layout_prompt import arrange_prompt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("svg", "png")
POSITIVE, NEGATIVE = "#0072B2", "#D55E00"  # of the palette of Okabe and Ito
INK, FAINT, LANE, RULE, PAPER = "#222222", "#666666", "#ECECEC", "#C8C8C8", "#FFFFFF"
FILL = {"": PAPER, "word": "#FFF4CC", "error": "#E8E8E8", "super": "#DDEBF7"}
DPI, MOST_DOTS = 200, 40_000
_STYLE: Any = {
    "svg.hashsalt": "relucid",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
}


def draw(graph: CircuitGraph, kind: str) -> bytes:
    """Draw a graph.

    Args:
        graph: what to draw.
        kind: "svg" or "png".

    Returns: the picture's file.

    Raises:
        InputError: the kind is unknown, or matplotlib is missing.
    """
    if kind not in FORMATS:
        raise InputError(
            "--draw", f"{kind!r} is no kind of picture", f"the file's name ends in .{' or .'.join(FORMATS)}"
        )
    require("matplotlib", "--draw")
    import matplotlib
    from matplotlib.figure import Figure

    scene = arrange_prompt(graph) if graph.columns else arrange(graph)
    scene.width = max(
        scene.width, 0.4 + 0.056 * len("; ".join(scene.caption)), 0.4 + 0.095 * len(scene.title[:120])
    )
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a token may have a character that the font lacks
        figure = Figure(figsize=(scene.width, scene.height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, scene.width)
        axes.set_ylim(0, scene.height)
        axes.set_axis_off()
        _paint(axes, scene)
        out = io.BytesIO()
        figure.savefig(
            out,
            format=kind,
            dpi=_dpi(scene),
            facecolor=PAPER,
            metadata={"Date": None} if kind == "svg" else {"Software": None},
        )
    return out.getvalue()


def _dpi(scene: Scene) -> float:
    """Return the dots per inch: fewer for a very large picture, which would not fit memory."""
    result: float = min(
        DPI,
        MOST_DOTS / max(scene.width, scene.height),
        (MOST_DOTS * 1000 / (scene.width * scene.height)) ** 0.5,
    )
    return result


def svg_text(graph: CircuitGraph) -> str:
    """Draw a graph as an `<svg>` element, to be put into a page.

    It has a name for screen readers, and no style that would reach the rest of the page.
    """
    text = draw(graph, "svg").decode("utf-8")
    text = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", text[text.index("<svg") :], flags=re.DOTALL)
    name = quoteattr(f"the circuit {visible(graph.title)}")
    return text.replace(
        "<svg", f'<svg role="img" aria-label={name} style="stroke-linejoin: round; stroke-linecap: butt"', 1
    )


def _paint(axes: Axes, scene: Scene) -> None:
    """Paint a scene, from the back to the front."""
    from matplotlib.patches import FancyBboxPatch

    for x0, x1, y in scene.lanes:
        axes.plot(
            [x0, x1],
            [y, y],
            color=LANE,
            linewidth=min(9.0, 72 * 1.2 * scene.radius),
            solid_capstyle="round",
            zorder=0,
        )
    for x0, y0, x1, y1 in scene.rules:
        axes.plot([x0, x1], [y0, y1], color=RULE, linewidth=0.6, zorder=0)
    for x, y, width, height, text in scene.boxes:
        box = FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="#F6F1E7",
            edgecolor="#CDBFA3",
            linewidth=0.6,
        )
        axes.add_patch(box)
        axes.text(
            x + width / 2,
            y + height + 0.02,
            text,
            fontsize=max(4.0, scene.size - 2),
            color=FAINT,
            ha="center",
            va="bottom",
            zorder=4,
        )
    for edge, points, width in sorted(scene.edges, key=lambda e: e[2]):
        _paint_edge(axes, points, edge.weight < 0, width, scene.upright)
    for node, point in scene.nodes:
        _paint_node(axes, node, point, scene)
    styles: dict[str, dict[str, Any]] = {
        "heading": {"fontsize": 7.5, "color": INK, "ha": "center", "va": "center", "linespacing": 1.0},
        "layer": {"fontsize": 8.5, "color": INK, "ha": "center", "va": "bottom", "fontweight": "bold"},
        "row": {"fontsize": 7.5, "color": FAINT, "ha": "right", "va": "center"},
        "label": {"fontsize": scene.size, "color": INK, "ha": "left", "va": "center"},
    }
    for x, y, text, style in scene.texts:
        axes.text(x, y, text, zorder=5, **styles[style])
    axes.text(
        0.2,
        scene.height - 0.12,
        visible(scene.title)[:120],
        fontsize=10,
        fontweight="bold",
        color=INK,
        ha="left",
        va="top",
    )
    _paint_key(axes, scene)


def _paint_key(axes: Axes, scene: Scene) -> None:
    """Write under the picture what colours and lines mean, and what is not shown."""
    x, y = 0.2, 0.42
    signs = {e.weight < 0 for e, _, _ in scene.edges}
    for negative, text in ((False, "positive"), (True, "negative")):
        if len(signs) == 2 or (negative in signs and negative):
            _paint_edge(axes, [(x, y), (x + 0.4, y)], negative, 0.5, False)
            axes.text(x + 0.46, y, text, fontsize=7, color=INK, ha="left", va="center")
            x += 1.15
    axes.text(0.2, 0.18, "; ".join(scene.caption), fontsize=7, color=FAINT, ha="left", va="center")


def _paint_edge(axes: Axes, points: list[Point], negative: bool, width: float, upright: bool) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    line, codes = [points[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        bend = 0.45 * (y1 - y0 if upright else x1 - x0)
        line += (
            [(x0, y0 + bend), (x1, y1 - bend), (x1, y1)]
            if upright
            else [(x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
        )
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        PathPatch(
            Path(line, codes),
            facecolor="none",
            edgecolor=NEGATIVE if negative else POSITIVE,
            linewidth=0.5 + 3.0 * width,
            linestyle=(0, (2.2, 1.1)) if negative else "solid",
            alpha=0.35 + 0.55 * width,
            capstyle="butt",
            zorder=1,
        )
    )


def _token(token: str) -> str:
    """Write a token so that blanks at its ends can be seen."""
    inner = token.strip(" ")
    left = len(token) - len(token.lstrip(" "))
    shown = "␣" * left + visible(inner) + "␣" * (len(token) - len(inner) - left)
    return shown or "''"


def _paint_node(axes: Axes, node: GraphNode, point: Point, scene: Scene) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    (x, y), r = point, scene.radius
    text = _token(node.text) if node.kind == "word" else visible(node.text or node.name)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    if node.kind != "word" and len(text) <= IN_CIRCLE:
        axes.add_patch(
            Circle((x, y), r, facecolor=FILL.get(node.kind, PAPER), edgecolor=INK, linewidth=0.8, zorder=3)
        )
        size = scene.size - (1.5 if len(text) == 3 else 0)
    else:
        half, size = max(r, 0.0085 * scene.size * len(text) / 2 + 0.05), scene.size
        box = FancyBboxPatch(
            (x - half, y - r), 2 * half, 2 * r, boxstyle=f"round,pad=0,rounding_size={0.6 * r:.3f}"
        )
        box.set(facecolor=FILL.get(node.kind, PAPER), edgecolor=INK, linewidth=0.8, zorder=3)
        axes.add_patch(box)
    axes.text(x, y, text, fontsize=size, color=INK, ha="center", va="center_baseline", zorder=4)
