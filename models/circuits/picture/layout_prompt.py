"""Where the nodes of an attribution graph stand: over their tokens of the prompt, layers from the bottom.

Between the graph and `drawing.py`, as `layout.py`.  Of large graphs the edges that matter most are drawn,
without nodes that no drawn edge touches.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import replace

from .graph import CircuitGraph, GraphEdge, GraphNode
from .layout import IN_CIRCLE, LONGEST, Scene, left_out, strongest

MOST_EDGES = 90
MOST_COLUMNS = 40  # tokens of a prompt that are drawn whether an edge touches them or not
LINE, PAD, LEAST = 0.34, 0.12, 0.42  # inches: height of a line of nodes, space between two, width of a column
LETTER = 0.066  # inches
ACROSS = 5  # nodes side by side in one cell


def merged(graph: CircuitGraph) -> CircuitGraph:
    """Merge each group into one node, where most of it stands; edges between the same two become one."""
    members: dict[str, list[GraphNode]] = defaultdict(list)
    for node in graph.nodes:
        members[node.group].append(node)
    into = {n.name: f"\0{n.group}" if n.group else n.name for n in graph.nodes}
    nodes = [n for n in graph.nodes if not n.group]
    for group, found in members.items():
        if group:
            row, column = (
                sorted(places)[len(found) // 2]
                for places in ([n.row for n in found], [n.column for n in found])
            )
            count = f" ×{len(found)}" if len(found) > 1 else ""
            nodes.append(GraphNode(f"\0{group}", row, f"{group}{count}", kind="super", column=column))
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for edge in graph.edges:
        ends = into[edge.source], into[edge.target]
        if ends[0] != ends[1]:
            sums[ends][0] += edge.weight
            sums[ends][1] += edge.size
    return replace(
        graph,
        nodes=tuple(nodes),
        edges=tuple(GraphEdge(a, b, w, strength=s) for (a, b), (w, s) in sums.items()),
    )


def cut(graph: CircuitGraph) -> CircuitGraph:
    """Choose what is drawn: from outputs and supernodes down, always the strongest edge next.

    So everything leads to them.  The tokens of a short prompt are drawn too.
    """
    edges = _downwards(graph) or strongest(graph.edges, MOST_EDGES)
    used = {end for e in edges for end in (e.source, e.target)}
    always = ("super", "word") if len(graph.columns) <= MOST_COLUMNS else ("super",)
    return replace(
        graph, nodes=tuple(n for n in graph.nodes if n.name in used or n.kind in always), edges=edges
    )


def _downwards(graph: CircuitGraph) -> tuple[GraphEdge, ...]:
    """Follow the strongest edges down from outputs and supernodes."""
    into: dict[str, list[int]] = defaultdict(list)
    for i, edge in enumerate(graph.edges):
        into[edge.target].append(i)
    top = max((n.row for n in graph.nodes), default=0)
    reached = {n.name for n in graph.nodes if n.kind == "super" or (n.kind == "word" and n.row == top > 0)}
    waiting = [(-graph.edges[i].size, i) for name in reached for i in into[name]]
    heapq.heapify(waiting)
    chosen: set[int] = set()
    while waiting and len(chosen) < MOST_EDGES:
        _, i = heapq.heappop(waiting)
        chosen.add(i)
        source = graph.edges[i].source
        if source not in reached:
            reached.add(source)
            for j in into[source]:
                heapq.heappush(waiting, (-graph.edges[j].size, j))
    return tuple(e for i, e in enumerate(graph.edges) if i in chosen)


def arrange_prompt(whole: CircuitGraph) -> Scene:
    """Arrange an attribution graph."""
    whole = merged(whole)
    graph = cut(whole)
    cells: dict[tuple[int, int], list[list[GraphNode]]] = defaultdict(lambda: [[]])
    links: dict[str, float] = defaultdict(float)
    for edge in graph.edges:
        links[edge.source] += edge.size
        links[edge.target] += edge.size
    for node in sorted(graph.nodes, key=lambda n: (-links[n.name], n.name)):
        lines = cells[node.row, node.column]
        if len(lines[-1]) >= ACROSS:
            lines.append([])
        lines[-1].append(node)
    rows, columns = sorted({r for r, _ in cells}), sorted({c for _, c in cells})
    wide = {
        c: max([LEAST, *(_width(line) for (_, at), lines in cells.items() if at == c for line in lines)])
        for c in columns
    }
    tall = {r: 0.2 + LINE * max(len(lines) for (at, _), lines in cells.items() if at == r) for r in rows}
    left, bottom = 0.85, 0.95
    x0 = dict(zip(columns, _starts(left, [wide[c] for c in columns]), strict=True))
    y0 = dict(zip(rows, _starts(bottom + 0.1, [tall[r] for r in rows]), strict=True))
    width = left + sum(wide.values()) + 0.3
    scene = Scene(
        max(4.6, width), bottom + sum(tall.values()) + 0.75, whole.title, upright=True, radius=0.105, size=6.5
    )
    place: dict[str, tuple[float, float]] = {}
    for (row, column), lines in cells.items():
        for k, line in enumerate(lines):
            x = x0[column] + (wide[column] - _width(line)) / 2
            for node in line:
                place[node.name] = (
                    x + (_size(node) + PAD) / 2,
                    y0[row] + tall[row] / 2 + (k - (len(lines) - 1) / 2) * LINE,
                )
                x += _size(node) + PAD
    scene.nodes = [(node, place[node.name]) for node in graph.nodes]
    heaviest = max((e.size for e in graph.edges), default=1.0) or 1.0
    scene.edges = [(e, [place[e.source], place[e.target]], e.size / heaviest) for e in graph.edges]
    for row in rows:
        scene.texts.append((left - 0.12, y0[row] + tall[row] / 2, graph.rows[row], "row"))
    for column in columns[1:]:
        scene.rules.append((x0[column], bottom + 0.1, x0[column], bottom + 0.1 + sum(tall.values())))
    scene.caption = [*left_out(graph, whole), graph.widths]
    return scene


def _starts(first: float, sizes: list[float]) -> list[float]:
    """Return where each of some adjacent intervals begins."""
    found = [first]
    for size in sizes[:-1]:
        found.append(found[-1] + size)
    return found[: len(sizes)]


def _size(node: GraphNode) -> float:
    length = min(len(node.text), LONGEST)
    return 0.21 if length <= IN_CIRCLE and node.kind != "word" else LETTER * length + 0.12


def _width(line: list[GraphNode]) -> float:
    return sum(_size(node) + PAD for node in line) + PAD
