"""Where the nodes of a circuit's picture stand: the graph's rows from left to right, channels as level lanes.

Between the graph and `drawing.py`.  All lengths are inches.  Large graphs keep their strongest edges; what is
left out is counted.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .graph import CircuitGraph, GraphEdge, GraphNode

MOST_EDGES = 240
LONGEST, IN_CIRCLE = 26, 3  # characters of a node's text: at most, and at most in a circle
PLAIN = 0.25  # the width of edges without a weight
ROUNDS = 12  # of moving nodes towards their neighbours
Point = tuple[float, float]


@dataclass
class Scene:
    """What is to be painted; lengths are inches.

    Args:
        width, height: of the picture.
        title: above it.
        nodes: at points.
        edges: along points, with their widths from 0 to 1.
        boxes: x, y, width, height, text.
        lanes: level lines: x0, x1, y.
        rules: thin lines: x0, y0, x1, y1.
        texts: x, y, text, style.
        caption: what the key says beside the colours.
        upright: edges leave upwards, not to the right.
        radius: of a node.
        size: of the nodes' text, in points.
    """

    width: float
    height: float
    title: str
    nodes: list[tuple[GraphNode, Point]] = field(default_factory=list)
    edges: list[tuple[GraphEdge, list[Point], float]] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    lanes: list[tuple[float, float, float]] = field(default_factory=list)
    rules: list[tuple[float, float, float, float]] = field(default_factory=list)
    texts: list[tuple[float, float, str, str]] = field(default_factory=list)
    caption: list[str] = field(default_factory=list)
    upright: bool = False
    radius: float = 0.13
    size: float = 8.0


def strongest(edges: Sequence[GraphEdge], most: int) -> tuple[GraphEdge, ...]:
    """Keep at most so many edges, the strongest, in their order."""
    if len(edges) <= most:
        return tuple(edges)
    chosen = set(sorted(range(len(edges)), key=lambda i: (-edges[i].size, i))[:most])
    return tuple(e for i, e in enumerate(edges) if i in chosen)


def left_out(shown: CircuitGraph, whole: CircuitGraph) -> list[str]:
    """Say for the caption what the picture does not show."""
    if len(shown.edges) == len(whole.edges) and len(shown.nodes) == len(whole.nodes):
        return []
    edges = f"{len(shown.edges):,} of {len(whole.edges):,} edges, the strongest"
    return [f"drawn: {edges}, and {len(shown.nodes):,} of {len(whole.nodes):,} nodes"]


def cut(graph: CircuitGraph) -> CircuitGraph:
    """Keep the strongest edges between nodes, then of each other kind the strongest on lanes still there."""
    inner = strongest([e for e in graph.edges if not e.kind], MOST_EDGES)
    nodes = {n.name: n for n in graph.nodes}
    alive = {nodes[end].lane for e in inner for end in (e.source, e.target)} - {""}
    kinds = {e.kind for e in graph.edges} - {""}
    outer = [e for e in graph.edges if e.kind and {nodes[e.source].lane, nodes[e.target].lane} & alive]
    edges = (
        *inner,
        *(
            e
            for kind in sorted(kinds)
            for e in strongest([e for e in outer if e.kind == kind], MOST_EDGES // 3)
        ),
    )
    used = {end for e in edges for end in (e.source, e.target)}
    return replace(graph, nodes=tuple(n for n in graph.nodes if n.name in used), edges=edges)


def arrange(whole: CircuitGraph) -> Scene:
    """Arrange a circuit's graph."""
    graph = cut(whole) if any(e.kind for e in whole.edges) or len(whole.edges) > MOST_EDGES else whole
    items, paths = _items(graph)
    rows = sorted({item.row for item in items})
    busiest = max((sum(i.row == row for i in items) for row in rows), default=1)
    lanes = {i.lane for i in items if i.lane}
    gap = 0.36 if max(busiest, len(lanes)) <= 24 else 0.22 if max(busiest, len(lanes)) <= 60 else 0.15
    at = _heights(items, graph, paths, gap)
    top = max(at.values(), default=0.0)
    words = max((0.075 * len(n.text) for n in graph.nodes if n.kind == "word"), default=0.0)
    step = 1.05 if len(rows) <= 12 else 0.85
    left, bottom = 0.45 + min(words, 1.2) / 2, 0.95
    across = {row: left + 0.2 + step * i for i, row in enumerate(rows)}
    right = left + 0.4 + step * max(0, len(rows) - 1) + min(words, 1.2) / 2 + 0.25
    scene = Scene(
        max(right, 4.6),
        bottom + top + 1.45,
        whole.title,
        radius=min(0.13, 0.42 * gap),
        size=8.0 if gap > 0.3 else 6.0 if gap > 0.2 else 4.2,
    )
    place = {i.name: (across[i.row], bottom + top - at[i.name]) for i in items}
    scene.nodes = [(node, place[node.name]) for node in graph.nodes]
    heaviest: dict[str, float] = defaultdict(float)
    for edge in graph.edges:
        heaviest[edge.kind] = max(heaviest[edge.kind], edge.size)
    for edge, names in zip(graph.edges, paths, strict=True):
        width = edge.size / (heaviest[edge.kind] or 1.0) if graph.widths else PLAIN
        scene.edges.append((edge, [place[name] for name in names], width))
    for lane in sorted(lanes):
        on = [place[i.name] for i in items if i.lane == lane]
        scene.lanes.append((min(x for x, _ in on), max(x for x, _ in on), on[0][1]))
    _headings(scene, graph, rows, across, bottom + top + 0.5)
    _group_boxes(scene, gap)
    scene.caption = [*left_out(graph, whole), *_legend(graph)]
    if not graph.edges:
        scene.texts.append((scene.width / 2, 0.6 * scene.height, "no edge between kept nodes", "heading"))
    return scene


def _legend(graph: CircuitGraph) -> list[str]:
    """Say what widths and lanes mean."""
    said = [graph.widths] if graph.edges and graph.widths else []
    return (
        [*said, "grey: a channel of the residual stream, by its number"]
        if any(n.lane for n in graph.nodes)
        else said
    )


@dataclass(frozen=True)
class _Item:
    """A node, or a place that a long edge passes through."""

    name: str
    row: int
    lane: str = ""
    group: str = ""


def _items(graph: CircuitGraph) -> tuple[list[_Item], list[list[str]]]:
    """List nodes and the places that edges pass through in rows between; and the way of each edge."""
    nodes = {n.name: n for n in graph.nodes}
    used = sorted({n.row for n in graph.nodes})
    items = [_Item(n.name, n.row, n.lane, n.group) for n in graph.nodes]
    paths = []
    for i, edge in enumerate(graph.edges):
        first, last = used.index(nodes[edge.source].row), used.index(nodes[edge.target].row)
        passing = [_Item(f"\0{i}.{row}", row) for row in used[first + 1 : last]]
        items += passing
        paths.append([edge.source, *(item.name for item in passing), edge.target])
    return items, paths


def _heights(items: list[_Item], graph: CircuitGraph, paths: list[list[str]], gap: float) -> dict[str, float]:
    """Return heights from the top.

    Every lane is level, every other node near its neighbours, and no two of a row are closer than `gap`.
    """
    key = {i.name: f"lane {i.lane}" if i.lane else i.name for i in items}  # lanes move as one
    near: dict[str, list[tuple[str, float]]] = defaultdict(list)
    largest = max((e.size for e in graph.edges), default=0.0) or 1.0
    for edge, names in zip(graph.edges, paths, strict=True):
        for a, b in itertools.pairwise(names):
            pull = 0.2 + edge.size / largest
            near[key[a]].append((key[b], pull))
            near[key[b]].append((key[a], pull))
    by_row: dict[int, list[_Item]] = defaultdict(list)
    for item in items:
        by_row[item.row].append(item)
    lanes = sorted({i.lane for i in items if i.lane}, key=lambda lane: (len(lane), lane))
    tall = max([len(lanes), *map(len, by_row.values()), 1]) * gap
    at = {f"lane {lane}": (k + 0.5) * tall / len(lanes) for k, lane in enumerate(lanes)}
    for members in by_row.values():
        for k, item in enumerate(members):
            at.setdefault(key[item.name], (k + 0.5) * tall / len(members))
    for _ in range(ROUNDS):
        wish = {
            k: sum(at[n] * w for n, w in near[k]) / sum(w for _, w in near[k]) if near[k] else h
            for k, h in at.items()
        }
        ordered = sorted((f"lane {lane}" for lane in lanes), key=lambda k: (wish[k], k))
        at |= {k: (i + 0.5) * tall / len(ordered) for i, k in enumerate(ordered)}
        for members in by_row.values():
            free = [i for i in members if not i.lane]
            at |= _apart([(i.name, wish[i.name], i.group) for i in free], gap, tall)
    lowest = min(at.values(), default=0.0)
    return {i.name: at[key[i.name]] - lowest for i in items}


def _apart(wishes: list[tuple[str, float, str]], gap: float, tall: float) -> dict[str, float]:
    """Return heights near the wished ones, in their order.

    Groups stay together.  Heights are at least `gap` apart, and within the picture if they fit.
    """
    middle: dict[str, list[float]] = defaultdict(list)
    for _, wish, group in wishes:
        middle[group].append(wish)
    mean = {group: sum(found) / len(found) for group, found in middle.items()}
    ordered = sorted(wishes, key=lambda w: (mean[w[2]] if w[2] else w[1], w[2], w[1], w[0]))
    steps = [gap * (1.9 if a[2] != b[2] else 1.0) for a, b in itertools.pairwise(ordered)]
    count = {group: len(found) for group, found in middle.items()}
    placed: dict[str, int] = defaultdict(int)
    heights: list[float] = []
    for i, (_, wish, group) in enumerate(ordered):
        if group:  # close together around their middle
            wish = mean[group] + (placed[group] - (count[group] - 1) / 2) * gap
            placed[group] += 1
        heights.append(wish if i == 0 else max(wish, heights[-1] + steps[i - 1]))
    over = max(0.0, (heights[-1] if heights else 0.0) - (tall - gap / 2))
    for i in range(len(heights) - 1, -1, -1):  # what was pushed too far goes back, and pushes its neighbours
        heights[i] = min(heights[i], (tall - gap / 2) if i == len(heights) - 1 else heights[i + 1] - steps[i])
        if i < len(heights) - 1 and over == 0.0:
            break
    return {name: height for (name, _, _), height in zip(ordered, heights, strict=True)}


def _headings(scene: Scene, graph: CircuitGraph, rows: list[int], across: dict[int, float], y: float) -> None:
    """Write what each row is, and a layer's name once over all of its rows."""
    spans: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        layer, _, text = graph.rows[row].rpartition("|")
        scene.texts.append((across[row], y, text.strip(), "heading"))
        if layer:
            spans[layer].append(across[row])
    for layer, xs in spans.items():
        scene.texts.append((sum((min(xs), max(xs))) / 2, y + 0.42, layer, "layer"))
        scene.rules.append((min(xs) - 0.35, y + 0.37, max(xs) + 0.35, y + 0.37))


def _group_boxes(scene: Scene, gap: float) -> None:
    """Draw boxes around nodes of one group and row, which stand together."""
    found: dict[tuple[int, str], list[Point]] = defaultdict(list)
    for node, point in scene.nodes:
        if node.group:
            found[node.row, node.group].append(point)
    for (_, group), points in sorted(found.items()):
        low, high, pad = min(y for _, y in points), max(y for _, y in points), scene.radius + 0.1 * gap + 0.02
        scene.boxes.append(
            (points[0][0] - pad - 0.06, low - pad, 2 * pad + 0.12, high - low + 2 * pad, group)
        )
