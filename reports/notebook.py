"""Verdicts, distillations and circuits as HTML for notebooks.

Objects come here when a notebook shows them (`common/displayed.py`).  All text is escaped, because names of
tokens, labels and circuits come from files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..common.text import rational, visible
from ..models.automata.moore_svg import MOST_STATES, machine_svg
from ..models.circuits.circuit import CircuitSummary
from ..models.circuits.picture.graph import CircuitGraph
from ..models.claims.claim import Claim
from ..models.claims.question import EqualsEverywhere, EqualsProgram
from ..pipeline.distilled import NO_PROGRAM, Distillation
from ..verifiers.counterexamples import PointCounterexample, WordCounterexample
from ..verifiers.proof.certificate import Certificate
from ..verifiers.verdict import Proved, Refuted, Unknown, Verdict

COLOURS = {"proved": "#1a7f37", "refuted": "#cf222e", "unknown": "#9a6700"}
MOST_ROWS = 10  # counterexamples that are shown
MOST_EDGES = 3000  # of a circuit that is drawn


def html(value: object) -> str:
    """Return the HTML of a verdict, a claim, a certificate, a distillation, or a circuit (or its summary)."""
    if isinstance(value, Proved | Refuted | Unknown):
        return verdict_html(value)
    if isinstance(value, Distillation):
        return distillation_html(value)
    if isinstance(value, Claim):
        return claim_html(value)
    if isinstance(value, Certificate):
        return f"<div><p><b>accepted</b>: {_text(str(value))}</p></div>"
    if isinstance(value, CircuitSummary):
        return summary_html(value)
    return circuit_html(value)


def verdict_html(verdict: Verdict) -> str:
    """Return a verdict: its line, counterexamples, warnings, and who ran."""
    word, _, rest = repr(verdict).partition(" " if isinstance(verdict, Unknown) else ":")
    colour = COLOURS[verdict.outcome]
    parts = [f'<p><b style="color:{colour}">{_text(word)}</b> {_text(rest.strip())}</p>']
    if isinstance(verdict, Refuted):
        parts.append(_counterexamples(verdict.counterexamples[:MOST_ROWS]))
    parts += [f"<p>warning: {_text(warning)}</p>" for warning in verdict.warnings]
    if verdict.attempts:
        rows = [(a.backend, a.outcome, f"{a.seconds:.2f}", a.detail) for a in verdict.attempts]
        parts.append(_folded("who ran", _table(("backend", "outcome", "seconds", "detail"), rows)))
    return f"<div>{''.join(parts)}</div>"


def claim_html(claim: Claim) -> str:
    """Return a claim: its line, the program if it is about one, and warnings."""
    parts = [f"<p>{_text(repr(claim).strip('<>'))}</p>"]
    if isinstance(claim.question, EqualsProgram | EqualsEverywhere):
        parts.append(f"<pre>{_text(claim.question.program.text, lines=True)}</pre>")
    parts += [f"<p>warning: {_text(warning)}</p>" for warning in claim.warnings]
    return f"<div>{''.join(parts)}</div>"


def _counterexamples(found: Sequence[WordCounterexample | PointCounterexample]) -> str:
    rows: list[tuple[str, ...]] = []
    for c in found:
        if isinstance(c, PointCounterexample):
            rows.append((", ".join(map(rational, c.input)), ", ".join(map(rational, c.output))))
        elif c.both is not None:
            said = (
                repr(side.label) if side.label is not None else ", ".join(map(rational, side.outputs))
                for side in c.both
            )
            rows.append((" ".join(c.tokens), *said))
        else:
            where = () if c.position is None else (str(c.position),)
            rows.append((" ".join(c.tokens), *where, repr(c.network_label), repr(c.program_label)))
    if isinstance(found[0], PointCounterexample):
        return _table(("input", "output"), rows)
    other = "program" if found[0].both is None else "network_b"
    position = () if found[0].position is None else ("position",)
    return _table(("input", *position, "network", other), rows)


def distillation_html(result: Distillation) -> str:
    """Return a distillation: the program, what was proved about it, and the circuit it came from."""
    executed = f"circuit = surrogate on {len(result.teaching.labelled):,} inputs that were run"
    return "".join(
        (
            f"<div><p><b>{_text(result.claim.name)}</b>: {_text(executed)}, surrogate = program:</p>",
            verdict_html(result.verdict),
            f"<pre>{_text(result.claim.program.text, lines=True)}</pre>",
            _machine(result),
            _depends(result),
            _folded("circuit", summary_html(result.circuit)),
            "</div>",
        )
    )


def _machine(result: Distillation) -> str:
    """Return the picture of the machine, if no short program was found."""
    machine, task = result.candidate.machine, result.task
    if machine is None or not result.candidate.last_resort:
        return ""
    said = f"<p>{NO_PROGRAM}, of {len(machine)} states</p>"
    if len(machine) > MOST_STATES:
        return said
    return said + machine_svg(machine, task.domain.tokens, task.decision.labels, result.claim.name)


def _depends(result: Distillation) -> str:
    """Return what the label depends on, as a list."""
    found = result.findings
    if found is None or not found.sentences():
        return ""
    lines = "".join(f"<li>{_text(line)}</li>" for line in found.sentences())
    return f"<p>The label ({_text(found.basis())})</p><ul>{lines}</ul>"


def summary_html(summary: CircuitSummary) -> str:
    """Return the sizes of a circuit."""
    lines = "".join(f"<li>{_text(line)}</li>" for line in summary.lines())
    return f"<div><b>{_text(summary.name)}</b><ul>{lines}</ul></div>"


def circuit_html(circuit: Any) -> str:
    """Return the sizes of a circuit, and its picture if its inside is known and small enough."""
    return summary_html(circuit.summary()) + _picture(circuit)


def _picture(circuit: Any) -> str:
    from .pictures import circuit_svg
    from .shown import circuit_graph

    graph: CircuitGraph | None = circuit_graph(circuit)
    if graph is None or len(graph.edges) > MOST_EDGES:
        return ""
    drawing, why_not = circuit_svg(graph)
    return drawing or f"<p>{_text(why_not)}</p>"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(h)}</th>" for h in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{_text(title)}</summary>{content}</details>"


def _text(text: str, lines: bool = False) -> str:
    """Return text that is safe in HTML; `lines`: it may have line breaks."""
    shown = "\n".join(map(visible, text.splitlines())) if lines else visible(text)
    return escape(shown)
