"""Draw a machine as SVG: states with names and labels in layers from left to right, steps as arrows.

The text needs nothing but itself: no style sheet, no script.  All of it that comes from tokens, labels and
titles is escaped.  `moore_layout.py` says where everything stands.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from ...common.text import literal, shortened, visible, word
from .moore import MooreMachine, token_class
from .moore_layout import MachineLayout, laid_out, shared_steps

MOST_STATES = 30  # that a picture shows so that one can read it
INK, FAINT, PAPER, HALO = "#222222", "#666666", "#FFFFFF", "#FFFFFF"
FILLS = ("#CCE3F0", "#F7DFCC", "#CCECE3", "#F5E4ED", "#FAECCC", "#DDF0FB", "#E8E1EF", "#EEEEEE")
HALF, LONGEST, WIDEST = 21.0, 22, 26  # half a state's height; characters of a name and of an arrow's text
LETTER = 7.0  # pixels of a letter
MARGIN = 46.0
ALONG = (0.42, 0.3, 0.55, 0.67, 0.2, 0.8)  # where on an arrow its text may stand
Point = tuple[float, float]
Bend = tuple[Point, Point, Point, Point]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def machine_svg(machine: MooreMachine, tokens: Sequence[str], labels: Sequence[object], title: str) -> str:
    """Return the picture as an SVG document.

    Args:
        machine: with at most MOST_STATES states, so that one can read it.
        tokens: all tokens, by index.
        labels: all labels, by index.
        title: for readers of the file, and for screen readers.
    """
    layout = laid_out(machine)
    names = [shortened(name, LONGEST) for name in machine.names(tokens)]
    marks = ["" if y < 0 else shortened(literal(labels[y]), LONGEST) for y in machine.labels.tolist()]
    texts = [shortened(token_class(tokens, a.tokens), WIDEST) for a in layout.arrows]
    half = [max(HALF, _wide(max(n, m, key=_wide)) / 2 + 8) for n, m in zip(names, marks, strict=True)]
    xs, width = _columns(layout, half, texts)
    at = [(xs[layout.layer[q]], MARGIN + layout.y[q]) for q in range(len(machine))]
    states = [(x, y, h) for (x, y), h in zip(at, half, strict=True)]
    taken = [(x - h, y - HALF, x + h, y + HALF) for x, y, h in states]
    parts = [_start(at[0], half[0])]
    written = []
    for arrow, passing, text in zip(layout.arrows, layout.passing, texts, strict=True):
        between = [(xs[layout.layer[arrow.source] - 1 - i], MARGIN + y) for i, y in enumerate(passing)]
        line, spots = _path(states[arrow.source], states[arrow.target], between)
        parts.append(f'<path d="{line}" fill="none" stroke="{FAINT}" marker-end="url(#relucid-arrow)"/>')
        written.append(_text(_free(spots, text, taken), text, 11, INK, halo=True))
    for (x, y), h, name, mark, label in zip(at, half, names, marks, machine.labels.tolist(), strict=True):
        fill = PAPER if label < 0 else FILLS[label % len(FILLS)]
        box = f'x="{x - h:.1f}" y="{y - HALF:.1f}" width="{2 * h:.1f}" height="{2 * HALF:.1f}" rx="14"'
        parts.append(f'<rect {box} fill="{fill}" stroke="{INK}"/>')
        parts.append(_text((x, y - 3 if mark else y + 4), name, 12, INK))
        if mark:
            parts.append(_text((x, y + 13), mark, 11, FAINT))
    told = _told(machine, tokens)
    height = layout.height + 1.5 * MARGIN + 18 * len(told)
    lines = [
        _text((12, height - 18 * (len(told) - i) + 4), line, 11, FAINT, anchor="start")
        for i, line in enumerate(told)
    ]
    width = max(width, *(24 + _wide(line) for line in told))
    name = escape(visible(title), {'"': "&quot;"})
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{name}" '
            'font-family="sans-serif">',
            f"<title>{name}</title>",
            '<defs><marker id="relucid-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0,0.5 L8,4 L0,7.5 Z" fill="{FAINT}"/></marker></defs>',
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *parts,
            *written,
            *lines,
            "</svg>\n",
        )
    )


def _told(machine: MooreMachine, tokens: Sequence[str]) -> list[str]:
    """Return what is written below: how to read it, and the steps that are the same everywhere."""
    names = machine.names(tokens)
    groups: dict[int | None, list[int]] = {}
    for token, target in shared_steps(machine).items():
        groups.setdefault(target, []).append(token)
    out = ["In a state: a shortest input that leads there; the label of inputs that end there."]
    if (machine.step < 0).any():
        out.append("Not drawn: steps that no input takes which was looked at.")
    for target, group in groups.items():
        listed = shortened(", ".join(word(tokens[t]) for t in group), 80)
        many = "s" if len(group) == 1 else ""
        goes = (
            f"change{many} nothing" if target is None else f"lead{many} from every state to {names[target]}"
        )
        out.append(f"Not drawn: {listed} {goes}.")
    return out


def _columns(layout: MachineLayout, half: Sequence[float], texts: Sequence[str]) -> tuple[list[float], float]:
    """Return the middle of each layer, with room for what is written on arrows, and the whole width."""
    count = max(layout.layer) + 1
    wide = [max(h for h, t in zip(half, layout.layer, strict=True) if t == i) for i in range(count)]
    gaps = [60.0] * count
    for arrow, text in zip(layout.arrows, texts, strict=True):
        here, there = layout.layer[arrow.source], layout.layer[arrow.target]
        if arrow.source != arrow.target:
            low = here if here == there else min(here, there)
            gaps[low] = max(gaps[low], _wide(text) + 46)
    xs = [MARGIN + 16 + wide[0]]
    for i in range(1, count):
        xs.append(xs[-1] + wide[i - 1] + gaps[i - 1] + wide[i])
    last = (
        gaps[-1]
        if any(layout.layer[a.source] == layout.layer[a.target] == count - 1 for a in layout.arrows)
        else 0
    )
    return xs, xs[-1] + wide[-1] + last + MARGIN


def _path(
    source: tuple[float, float, float], target: tuple[float, float, float], between: Sequence[Point]
) -> tuple[str, list[Point]]:
    """Return an arrow's line, and the points on it where its text may stand, the best first.

    Args:
        source, target: the middle of a state, and half its width.
        between: the points that the arrow passes.
    """
    (x0, y0, h0), (x1, y1, h1) = source, target
    if source == target:  # a loop above the state
        top = y0 - HALF
        bends = [((x0 - 9, top), (x0 - 22, top - 26), (x0 + 22, top - 26), (x0 + 9, top))]
        return _line(bends), [(x0, top - 21)]
    if x0 == x1:  # the same layer: an arc at the right, further out if it goes up
        shift = 6 if y1 > y0 else -6
        start, end = (x0 + h0, y0 + shift), (x1 + h1, y1 - shift)
        reach = max(start[0], end[0]) + 26 + min(30.0, abs(y1 - y0) / 12) + (14 if y1 < y0 else 0)
        bends = [(start, (reach, start[1]), (reach, end[1]), end)]
    else:
        side = 1 if x1 > x0 else -1
        points = [(x0 + side * h0, y0 - 6 * side), *between, (x1 - side * h1, y1 - 6 * side)]
        bends = []
        for (ax, ay), (bx, by) in pairwise(points):
            bend = 0.45 * (bx - ax)
            bends.append(((ax, ay), (ax + bend, ay), (bx - bend, by), (bx, by)))
    return _line(bends), [_at(bend, t) for bend in bends for t in ALONG]


def _line(bends: Sequence[Bend]) -> str:
    more = (f"C{_xy(b)} {_xy(c)} {_xy(d)}" for _, b, c, d in bends)
    return f"M{_xy(bends[0][0])} {' '.join(more)}"


def _at(bend: Bend, t: float) -> Point:
    """Return a point of a cubic curve, a little lower, where the base line of a text is."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, bend, strict=True)) for i in (0, 1))
    return x, y + 4


def _free(spots: Sequence[Point], text: str, taken: list[Box]) -> Point:
    """Return the first spot where the text covers nothing, or else the first, and take it."""

    def box(spot: Point) -> Box:
        half = _wide(text) / 2
        return spot[0] - half, spot[1] - 10, spot[0] + half, spot[1] + 3

    def covers(one: Box) -> bool:
        return any(a < g and e < c and b < h and f < d for a, b, c, d in [one] for e, f, g, h in taken)

    chosen = next((s for s in spots if not covers(box(s))), spots[0])
    taken.append(box(chosen))
    return chosen


def _start(place: tuple[float, float], half: float) -> str:
    x, y = place[0] - half, place[1]
    look = f'stroke="{INK}" stroke-width="2" marker-end="url(#relucid-arrow)"'
    return f'<path d="M{x - 34:.1f},{y:.1f} L{x:.1f},{y:.1f}" {look}/>'


def _text(
    place: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    *,
    halo: bool = False,
    anchor: str = "middle",
) -> str:
    behind = f' stroke="{HALO}" stroke-width="4" paint-order="stroke" stroke-linejoin="round"' if halo else ""
    where = f'x="{place[0]:.1f}" y="{place[1]:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {where}{behind}>{escape(visible(text))}</text>"


def _xy(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _wide(text: str) -> float:
    """Estimate the pixels of a text; letters of East Asian scripts are twice as wide."""
    return LETTER * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in visible(text))
