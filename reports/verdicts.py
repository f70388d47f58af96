"""Verdicts and checked proofs as text for the terminal, about words and about boxes.

The command line calls this with what `verifiers/` found.  rich is imported only for tables of tokens:
`relucid verify` prints plain lines, because it has to start and end quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..common.text import number, rational, share, visible
from ..verifiers.counterexamples import PointCounterexample, WordCounterexample
from ..verifiers.evidence import PositionCoverage
from ..verifiers.report import vnncomp_word
from ..verifiers.verdict import BoxDetails, Proved, Refuted, Unknown, Verdict

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from ..verifiers.attempts import Attempt
    from ..verifiers.proof.certificate import Certificate

MAX_COUNTEREXAMPLES_SHOWN = 10
ON, EVERYWHERE = "on all", "at every position of all"


def print_verdict(verdict: Verdict, *, two: bool = False, bare: bool = False, quiet: bool = False) -> None:
    """Print the answer, then the reason, then who ran.

    two: the claim is about two networks.
    bare: the question was how far two networks are apart, to which no word is an answer (boxes only).
    quiet: print the answer only, with the input if it is refuted.
    """
    if verdict.boxes is not None:
        lines = box_lines(verdict, verdict.boxes, bare=bare, quiet=quiet)
        print("\n".join(lines))
        return
    from rich.text import Text

    from .console import console

    screen = console()
    screen.print(headline(verdict, two=two), soft_wrap=True)
    if isinstance(verdict, Refuted):
        screen.print(counterexample_table(verdict.counterexamples))
        if len(verdict.counterexamples) > MAX_COUNTEREXAMPLES_SHOWN:
            more = len(verdict.counterexamples) - MAX_COUNTEREXAMPLES_SHOWN
            screen.print(f"... and {more} more (--json prints all)")
    if quiet:
        return
    if isinstance(verdict, Proved):
        screen.print(guarantee(verdict), soft_wrap=True)
    for warning in verdict.warnings:
        screen.print(Text(f"warning: {visible(warning)}", style="yellow"), soft_wrap=True)
    screen.print(attempts_table(verdict.attempts))


# -- words ---------------------------------------------------------------------------------------------------


def headline(verdict: Verdict, *, two: bool = False) -> Text:
    """Return the one line that says the verdict; `two`: the claim is about two networks."""
    from rich.text import Text

    inputs, who = verdict.domain_size, f"by {verdict.backend}, {verdict.seconds:.2f} s"
    size = "not counted" if inputs is None else f"{number(inputs)} inputs"
    if isinstance(verdict, Proved):
        other = "network_b" if two else "program"
        where = ON if not isinstance(verdict.evidence, PositionCoverage) else EVERYWHERE
        return Text(f"proved: network = {other} {where} {size} (trust: {verdict.trust}, {who})", "green")
    if isinstance(verdict, Refuted):
        n = verdict.disagreeing
        where = "" if n is None else f" on exactly {number(n)} input{'s' * (n != 1)}"
        what = "the networks differ" if two else "network and program differ"
        return Text(f"refuted: {what}{where} (domain: {size}, {who})", "red")
    proved = verdict.proved_inputs
    so_far = (
        ""
        if proved is None or inputs is None
        else f"; proved on {share(proved, inputs)} of the inputs so far"
    )
    how = f"(domain: {size}, {verdict.seconds:.2f} s{so_far})"
    return Text(f"unknown: {visible(verdict.reason)} {how}", "yellow")


def guarantee(verdict: Proved) -> Text:
    """Return the line that says how far a proof is trusted, and what float32 does."""
    from rich.text import Text

    rounding = (
        "float32 computes this network exactly, in any order of summation"
        if verdict.exact_in_float32
        else "about the network over the rationals; float32 may round differently"
    )
    return Text(
        f"{trusted(verdict)}; {rounding}{f'; {verdict.certificate}' if verdict.certificate else ''}", "dim"
    )


def trusted(verdict: Proved) -> str:
    """Return the trust of a proof and what it rests on."""
    rests_on = {
        "checked": "the checker accepted a proof",
        "exact": "a backend that computes exactly; no proof was checked",
        "float": "a solver with tolerances",
    }
    return f"trust: {verdict.trust} ({rests_on[verdict.trust]})"


def counterexample_table(counterexamples: Sequence[WordCounterexample]) -> Table:
    """Return the first counterexamples as a table."""
    from rich.table import Table
    from rich.text import Text

    from .console import label_text, sequence_text

    table = Table(box=None, pad_edge=False)
    two = any(c.both is not None for c in counterexamples)
    said = ("network_b says",) if two else ("program says", "network output")
    everywhere = any(c.position is not None for c in counterexamples)
    for heading in ("input", *(("position",) if everywhere else ()), "network says", *said):
        table.add_column(heading, overflow="fold")
    for c in counterexamples[:MAX_COUNTEREXAMPLES_SHOWN]:
        if c.both is not None:
            labels = ("" if t.label is None else f"{label_text(t.label)}: " for t in c.both)
            outputs_of = (", ".join(map(rational, t.outputs)) for t in c.both)
            cells = [label + outputs for label, outputs in zip(labels, outputs_of, strict=True)]
        else:
            outputs = ", ".join(map(rational, c.outputs))
            cells = [label_text(c.network_label), label_text(c.program_label), outputs]
        cells = cells if c.position is None else [str(c.position), *cells]
        table.add_row(Text(sequence_text(c.tokens)), *map(Text, cells))
    return table


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """Return what every backend did as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title="the race", title_justify="left", title_style="bold")
    for heading in ("backend", "version", "outcome", "seconds", "MB", "detail"):
        justify = "right" if heading in ("seconds", "MB") else "left"
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for a in attempts:
        peak = "" if a.peak_mb is None else f"{a.peak_mb:.0f}"
        detail = Text(visible(a.detail))
        table.add_row(Text(a.backend), Text(a.version), a.outcome, f"{a.seconds:.2f}", peak, detail)
    return table


def print_certificate(
    certificate: Certificate | None,
    why: str,
    late: bool,
    domain_size: int,
    *,
    two: bool = False,
    everywhere: bool = False,
) -> None:
    """Print what the checker says about a proof of a claim about words.

    certificate: what was accepted; None if nothing was, and `why` says why.
    late: it was not rejected, but the checker reached a limit.
    two: the claim is about two networks.
    everywhere: it is about every position.
    """
    from rich.text import Text

    from .console import console, sequence_text

    screen = console()
    if certificate is None:
        word, colour = ("not checked", "yellow") if late else ("rejected", "red")
        screen.print(Text(f"{word}: {visible(why)}", colour), soft_wrap=True)
        return
    size = f"{certificate.size:,} bytes, checked in {certificate.seconds:.2f} s"
    if certificate.shows == "refuted":
        what = "the networks differ" if two else "network and program differ"
        said = f"accepted: {what} on {sequence_text(certificate.tokens)} ({size})"
        screen.print(Text(said, "green"), soft_wrap=True)
        return
    found = certificate.convinced or certificate.accepted
    assert found is not None
    rounding = (
        "float32 computes this network exactly"
        if found.exact_in_float32
        else "about the network over the rationals"
    )
    counted = str(found)
    if certificate.convinced is None and certificate.accepted is not None:
        own = certificate.accepted
        counted = f"{own.parts:,} parts, {own.leaves:,} leaves, {own.run:,} prefixes run"
    other, where = "network_b" if two else "program", EVERYWHERE if everywhere else ON
    said = f"accepted: network = {other} {where} {number(domain_size)} inputs"
    screen.print(Text(f"{said} ({counted}; {size}; {rounding})", "green"), soft_wrap=True)


# -- boxes ---------------------------------------------------------------------------------------------------


def box_lines(verdict: Verdict, details: BoxDetails, *, bare: bool, quiet: bool) -> list[str]:
    """Return the lines about a verdict about boxes; the first is VNN-COMP's word, unless `bare`."""
    lines = [] if bare and isinstance(verdict, Proved) else [vnncomp_word(verdict)]
    if isinstance(verdict, Refuted):
        lines.append(witness_text(verdict.counterexample))
    if (apart := details.difference) is not None:
        bounds = f"at most {apart.bound:.6g} apart, proved; at least {float(apart.seen):.6g} apart, seen"
        lines.append(bounds)
    if quiet:
        return lines
    how = "; ".join(
        f"{a.backend}: {a.outcome}, {a.detail + ', ' if a.detail else ''}{a.seconds:.2f} s"
        for a in verdict.attempts
    )
    took = f"{verdict.seconds:.2f} s"
    if isinstance(verdict, Proved):
        what = (
            "proved by a solver with tolerances"
            if verdict.trust == "float"
            else "proved for the rational network on the whole box"
        )
        lines.append(f"{what} ({took}; {how or 'nothing to show'})")
        if verdict.certificate:
            lines.append(f"trust {verdict.trust}: {verdict.certificate}")
    elif isinstance(verdict, Refuted):
        replayed = verdict.counterexample.runtime_output is not None
        run = " and in onnxruntime" if replayed else ", not run in onnxruntime"
        lines.append(f"a counterexample, exactly over the rationals{run} ({took}; {how})")
    else:
        lines.append(f"{verdict.reason} ({took}{'; ' + how if how else ''})")
    point = verdict.counterexample if isinstance(verdict, Refuted) else details.point
    if point is not None and (isinstance(verdict, Unknown) or point.distance != 0):
        lines += _point_lines(point)
    return lines


def _point_lines(point: PointCounterexample) -> list[str]:
    seen = "none" if point.runtime_output is None else " ".join(point.runtime_output)
    away = f"(at most {rational(point.distance)} away)"
    return [
        f"exact input: {' '.join(map(rational, point.input))}",
        f"exact output: {' '.join(map(rational, point.output))}",
        f"onnxruntime's input: {' '.join(point.runtime_input)} {away}",
        f"onnxruntime's output: {seen}",
    ]


def witness_text(point: PointCounterexample) -> str:
    """Return a counterexample in VNN-COMP's form: ((X_0 1.5) ... (Y_0 -2)).

    The numbers are those that onnxruntime took and gave; the outputs are the exact ones if it cannot run the
    file.
    """
    outputs = map(rational, point.output) if point.runtime_output is None else point.runtime_output
    pairs = [f"(X_{i} {v})" for i, v in enumerate(point.runtime_input)]
    return "(" + "\n ".join([*pairs, *(f"(Y_{j} {v})" for j, v in enumerate(outputs))]) + ")"


def box_check_line(certificate: Certificate | None, why: str, late: bool) -> str:
    """Return what the checker says about a proof of a claim about boxes; see `print_certificate`."""
    if certificate is None:
        return f"{'unknown' if late else 'rejected'}: {why}"
    return f"accepted: {certificate.counted} ({certificate.seconds:.2f} s)"
