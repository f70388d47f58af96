"""cactus.svg and growth.svg, drawn with matplotlib where it is installed (the extra `bench`)."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from typing import Any

from .score import Summary, growth
from .suite import RACE

HOW_TO_INSTALL = "no plots: matplotlib is not installed (pip install 'relucid[bench]')"


def available() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def plots(summary: Summary) -> Mapping[str, bytes]:
    """File name -> SVG; empty without matplotlib."""
    if not available():
        return {}
    import matplotlib

    with matplotlib.rc_context(
        {"svg.hashsalt": "relucid", "font.size": 9}
    ):  # the same results give the same file
        return {"cactus.svg": _svg(_cactus(summary)), "growth.svg": _svg(_growth(summary))}


def _svg(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _figure(columns: int, width: float) -> tuple[Any, Any]:
    """Without pyplot: nothing global, no display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 5), layout="constrained")
    return figure, figure.subplots(1, columns, sharey=True, squeeze=False)[0]


def _style(k: int, name: str) -> dict[str, Any]:
    import matplotlib

    colours = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    line = {"linewidth": 2.5 if name == RACE else 1.2, "linestyle": "--" if ":" in name else "-"}
    return {
        "color": "black" if name == RACE else colours[k % len(colours)],
        "marker": "os^Dv<>P*X"[k % 10],
        "markersize": 3,
        **line,
    }


def _cactus(summary: Summary) -> Any:
    """How many claims each column solves, if each is given so many seconds."""
    figure, (axes,) = _figure(1, 8)
    order = sorted(summary.names, key=lambda name: -summary.score(name).solved)
    for name in order:
        times = sorted(r.seconds for r in summary.results if r.backend == name and summary.solved(r))
        axes.plot(
            range(1, len(times) + 1),
            times,
            label=f"{name} ({len(times)})",
            **_style(summary.names.index(name), name),
        )
    axes.set_yscale("log")
    axes.set_xlabel("claims solved")
    axes.set_ylabel("seconds for each")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return figure


def _growth(summary: Summary) -> Any:
    """Seconds against length: the families of one cell at all lengths, and the others."""
    figure, axes = _figure(2, 11)
    for side, (title, tied) in zip(
        axes, (("same cell at every length", True), ("trained at each length", False)), strict=True
    ):
        for k, name in enumerate(summary.names):
            for family, points in growth(summary, name).items():
                if family.startswith("tied") == tied and (tied or name == RACE):
                    style = {**_style(k, name), **({} if tied else {"color": None})}
                    side.plot(*zip(*points, strict=True), label=f"{family}: {name}", **style)
        side.set_xscale("log", base=2)
        side.set_yscale("log")
        side.set_xlabel("positions")
        side.set_title(title)
        side.grid(alpha=0.3)
        if side.has_data():
            side.legend(fontsize=6)
    axes[0].set_ylabel("seconds")
    return figure
