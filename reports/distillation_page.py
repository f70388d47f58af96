"""The report on a distillation as one HTML file (`distill --html FILE`, `report OUTDIR --html FILE`).

Everything on it comes from the folder (`run.py`).  The proof and the surrogate's margins are computed from
the claim in it.  The template is `distillation.html`, in the frame of all reports (`html.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.text import number, visible, word
from ..models.automata.moore_svg import MOST_STATES, machine_svg
from ..models.circuits.picture.graph import CircuitGraph
from ..models.program.source import shown
from ..pipeline.distilled import NO_PROGRAM
from ..pipeline.histogram import Histogram
from .chain import Link, chain
from .html import rendered, write_html
from .machine_view import machine_rows
from .pictures import circuit_svg, margin_bars, proof_tree, weight_maps
from .proof_shape import Proof, proof_of
from .run import Run, read_run
from .surrogate_view import Margins, layers, margins, weights
from .vega import Spec, timeline

TEMPLATE = Path(__file__).with_name("distillation.html")
LIGHT, DARK = "xcode", "github-dark"  # styles of pygments

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Examined:
    """A run, with what was computed for the report."""

    run: Run
    proof: Proof
    margins: Margins
    links: tuple[Link, ...]


def examined(run: Run, progress: Progress = lambda text: None) -> Examined:
    """Check or make the proof, run the surrogate, and return all that the report shows."""
    proof = proof_of(run, progress)
    progress("running the surrogate")
    return Examined(run, proof, margins(run.claim), chain(run, proof))


def write_report(path: Path, folder: Path, progress: Progress = lambda text: None) -> None:
    """Write the report on the folder that `distill` has just written.  Raises InputError."""
    write_distillation(path, examined(read_run(folder), progress))


def write_distillation(path: Path, found: Examined) -> None:
    """Write the page, all of it or nothing.  Raises InputError."""
    write_html(path, distillation_page(found))


def distillation_page(found: Examined) -> str:
    """Return the page's HTML."""
    run, claim = found.run, found.run.claim
    labels = [_label(y) for y in claim.decision.labels]
    given = weights(claim)
    maps = weight_maps(given)
    charts: dict[str, Spec | None] = {
        **maps,
        "proof-tree": proof_tree(found.proof.shape) if found.proof.shape else None,
        "circuit-margins": margin_bars(run.margins, labels, "circuit", "logits") if run.margins else None,
        "surrogate-margins": margin_bars(found.margins.found, labels, "surrogate", "its outputs")
        if found.margins.found
        else None,
        "race": timeline(claim.program.name, run.verdict["attempts"]),
    }
    drawn = {name: chart for name, chart in charts.items() if chart is not None}
    svg, why = ("", "nothing is known of its inside") if run.graph is None else circuit_svg(run.graph)
    return rendered(
        TEMPLATE,
        {"charts": drawn},
        {"number": number, "label": _label, "words": _words, "code": _code},
        run=run,
        claim=claim,
        labels=labels,
        links=found.links,
        proof=found.proof,
        charts=drawn,
        drawing=_named(svg, run.graph) if run.graph else "",
        no_drawing=why,
        **_machine(run),
        layers=layers(claim.network),
        weights=given,
        maps=list(maps),
        histograms=[
            ("circuit", run.margins, run.executed),
            ("surrogate", found.margins.found, found.margins.inputs),
        ],
        drawn_margins=found.margins.drawn,
        rows=_rows,
        again=_again(run),
        styles=_styles(),
    )


def _label(value: object) -> str:
    return visible(repr(value))


def _words(tokens: list[str]) -> str:
    return " ".join(map(word, tokens)) if tokens else "(empty)"


def _code(text: str) -> Any:
    """Return Python as coloured HTML; characters that do not print are spelled out first."""
    from markupsafe import Markup
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(shown(text), PythonLexer(), HtmlFormatter(nowrap=True)))  # it escapes


def _styles() -> Any:
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter

    light, dark = (
        HtmlFormatter(style=name, nobackground=True).get_style_defs(".code") for name in (LIGHT, DARK)
    )
    return Markup(f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}")


def _named(svg: str, graph: CircuitGraph) -> Any:
    """Return the drawing with a role and a name for screen readers."""
    from markupsafe import Markup, escape

    name = escape(
        visible(
            f"The circuit {graph.title}: {len(graph.nodes)} nodes in {len(graph.rows)} rows, "
            f"{len(graph.edges)} edges"
        )
    )
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1))


def _machine(run: Run) -> dict[str, Any]:
    """Return what the page shows of the machine that stands for a short program."""
    from markupsafe import Markup

    machine, tokens, labels = run.machine, run.claim.domain.tokens, run.claim.decision.labels
    drawing = ""
    if machine is not None and len(machine) <= MOST_STATES:
        title = f"The machine of {len(machine)} states"
        drawing = Markup(machine_svg(machine, tokens, labels, title))  # it escapes
    rows = [] if machine is None else machine_rows(machine, tokens, labels)
    return {"no_program": NO_PROGRAM, "machine_drawing": drawing, "machine_rows": rows}


def _rows(found: Histogram) -> list[tuple[str, tuple[int, ...]]]:
    """Return the bins that are not empty, as text, with their counts."""
    return [
        (f"{b.low:g}" if b.low == b.high else f"{b.low:.4g} to {b.high:.4g}", b.counts)
        for b in found.bins
        if any(b.counts)
    ]


def _again(run: Run) -> dict[str, str]:
    claim, folder = shlex.quote(str(run.folder / "claim.toml")), run.folder
    proof = shlex.quote(str(folder / "proof.jsonl"))
    return {
        "prove": f"relucid prove {claim}",
        "proof": f"relucid prove {claim} --proof {proof}",
        "check": f"relucid check {claim} {proof}",
    }
