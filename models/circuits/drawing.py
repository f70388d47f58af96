"""A circuit's graph as SVG or PNG, drawn with matplotlib: nodes in rows by layer, edges by weight, groups in one colour."""

from __future__ import annotations

import io
from collections import defaultdict

from ..errors import InputError
from .graph import Graph

FORMATS = ("svg", "png")
MOST_NODES = 2000


def draw(graph: Graph, kind: str) -> bytes:
    """The picture's file; `kind` is svg or png.  The same graph gives the same bytes."""
    if kind not in FORMATS:
        raise InputError("--draw", f"{kind!r} is no kind of picture", f"the file's name ends in .{' or .'.join(FORMATS)}")
    if len(graph.nodes) > MOST_NODES:
        raise InputError("--draw", f"{len(graph.nodes)} nodes are too many for a picture", f"draw a circuit of at most {MOST_NODES}")
    try:
        import matplotlib
    except ImportError:
        raise InputError("--draw", "matplotlib is not installed", "pip install 'relucid[bench]'") from None
    from matplotlib.figure import Figure

    rows: dict[int, list[str]] = defaultdict(list)
    for node in graph.nodes:
        rows[node.row].append(node.name)
    used = sorted(rows)
    widest = max((len(names) for names in rows.values()), default=1)
    place = {name: ((i + 1) / (len(rows[row]) + 1), used.index(row)) for row in used for i, name in enumerate(rows[row])}
    with matplotlib.rc_context({"svg.hashsalt": "relucid", "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=(min(24.0, 3 + 0.7 * widest), 1.5 + 0.8 * max(1, len(used))))
        axes = figure.add_subplot()
        heaviest = max((abs(e.weight) for e in graph.edges), default=1.0) or 1.0
        for edge in graph.edges:
            (x0, y0), (x1, y1) = place[edge.source], place[edge.target]
            axes.plot(
                [x0, x1],
                [y0, y1],
                color="tab:red" if edge.weight < 0 else "tab:blue",
                linewidth=0.4 + 2.6 * abs(edge.weight) / heaviest,
                zorder=1,
            )
        groups = sorted({n.group for n in graph.nodes})
        colours = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
        for node in graph.nodes:
            x, y = place[node.name]
            axes.scatter([x], [y], s=60, color=colours[groups.index(node.group) % len(colours)] if node.group else "black", zorder=2)
            axes.annotate((node.text or node.name)[:40], (x, y), textcoords="offset points", xytext=(5, 5), fontsize=7)
        axes.set_yticks(range(len(used)), [graph.rows[row] for row in used])
        axes.set_xticks([])
        axes.set_title(graph.title, fontsize=9)
        axes.margins(0.1)
        for side in axes.spines.values():
            side.set_visible(False)
        figure.tight_layout()
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata={"Date": None} if kind == "svg" else {})
    return out.getvalue()
