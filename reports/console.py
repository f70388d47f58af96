"""What people see in the terminal: verdicts, certificates, the race, the table of backends; `reports/console_show.py` has the rest.

Called by `cli/main.py`; all text is built here, all facts come from the objects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from ..common.text import json_text, number, rational, share, visible, word
from ..models.claims.decision import Label
from ..models.claims.domain import Domain
from ..models.claims.word_claim import WordClaim
from ..models.program.source import shown
from ..verifiers.proof.certify import Certificate
from ..verifiers.proof.words.checker import Accepted
from ..verifiers.verdict import Attempt, Counterexample, Proved, Refuted, Verdict

if TYPE_CHECKING:
    pass

MAX_COUNTEREXAMPLES_SHOWN = 10


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """A reader that has gone away is no error: the command line sees to it (rich would end with status 1)."""
        raise BrokenPipeError


def console() -> Console:
    """Plain when piped, colours off with NO_COLOR (rich looks at both); wide enough that pipes see whole lines."""
    screen = _Screen(highlight=False)
    return screen if screen.is_terminal else _Screen(highlight=False, width=120)


def plural(n: int, noun: str) -> str:
    return f"{number(n)} {noun}{'' if n == 1 else 's'}"


def label_text(label: Label) -> str:
    return json.dumps(label, ensure_ascii=False) if isinstance(label, bool) else visible(repr(label))


def sequence_text(tokens: Sequence[str]) -> str:
    return " ".join(map(word, tokens)) if tokens else "(empty)"


def print_verdict(claim: WordClaim, verdict: Verdict, quiet: bool = False) -> None:
    """The answer first, then why, then who ran; `quiet`: only the answer, with the input where it is refuted."""
    screen = console()
    screen.print(headline(verdict, two=claim.comparison is not None), soft_wrap=True)
    if isinstance(verdict, Refuted):
        screen.print(counterexample_table(verdict.counterexamples))
        if len(verdict.counterexamples) > MAX_COUNTEREXAMPLES_SHOWN:
            screen.print(
                f"... and {len(verdict.counterexamples) - MAX_COUNTEREXAMPLES_SHOWN} more (--json prints all)"
            )
    if quiet:
        return
    if isinstance(verdict, Proved):
        screen.print(guarantee(verdict), soft_wrap=True)
    for warning in verdict.warnings:
        screen.print(Text(f"warning: {visible(warning)}", style="yellow"), soft_wrap=True)
    screen.print(attempts_table(verdict.attempts))


def headline(verdict: Verdict, *, two: bool = False) -> Text:
    """`two`: of a claim about two networks."""
    inputs = verdict.domain_size
    size = "not counted" if inputs is None else f"{number(inputs)} inputs"
    if isinstance(verdict, Proved):
        return Text(
            f"proved: network = {'network_b' if two else 'program'} on all {size} (trust: {verdict.trust}, by {verdict.backend}, {verdict.seconds:.2f} s)",
            "green",
        )
    if isinstance(verdict, Refuted):
        where = (
            ""
            if verdict.disagreeing is None
            else f" on exactly {number(verdict.disagreeing)} input{'s' * (verdict.disagreeing != 1)}"
        )
        what = "the networks differ" if two else "network and program differ"
        return Text(
            f"refuted: {what}{where} (domain: {size}, by {verdict.backend}, {verdict.seconds:.2f} s)", "red"
        )
    proved = verdict.proved_inputs
    so_far = (
        ""
        if proved is None or inputs is None
        else f"; proved on {share(proved, inputs)} of the inputs so far"
    )
    return Text(
        f"unknown: {visible(verdict.reason)} (domain: {size}, {verdict.seconds:.2f} s{so_far})", "yellow"
    )


def print_certificate(
    certificate: Certificate | None, why: str, late: bool, domain_size: int, *, two: bool = False
) -> None:
    """The checker's word."""
    screen = console()
    if certificate is None:
        word = "not checked" if late else "rejected"
        screen.print(Text(f"{word}: {visible(why)}", "yellow" if late else "red"), soft_wrap=True)
        return
    size = f"{certificate.size:,} bytes, checked in {certificate.seconds:.2f} s"
    if certificate.shows == "refuted":
        what = "the networks differ" if two else "network and program differ"
        screen.print(
            Text(f"accepted: {what} on {sequence_text(certificate.tokens)} ({size})", "green"), soft_wrap=True
        )
        return
    found = certificate.convinced or certificate.accepted
    assert found is not None
    rounding = (
        "; float32 computes this network exactly"
        if found.exact_in_float32
        else "; about the network over the rationals"
    )
    counted = (
        f"{found.parts:,} parts, {found.leaves:,} leaves, {found.run:,} prefixes run"
        if isinstance(found, Accepted)
        else str(found)
    )
    screen.print(
        Text(
            f"accepted: network = {'network_b' if two else 'program'} on all {number(domain_size)} inputs ({counted}; {size}{rounding})",
            "green",
        ),
        soft_wrap=True,
    )


def guarantee(verdict: Proved) -> Text:
    word = {
        "checked": "a certificate was accepted by the checker",
        "exact": "on the word of a backend that computes exactly",
        "float": "on the word of a solver with tolerances",
    }[verdict.trust]
    rounding = (
        "float32 computes this network exactly, in any order of summation"
        if verdict.exact_in_float32
        else "about the network over the rationals; float32 may round differently"
    )
    certificate = f"; {verdict.certificate}" if verdict.certificate else ""
    return Text(f"guaranteed: {word}; {rounding}{certificate}", "dim")


def counterexample_table(counterexamples: Sequence[Counterexample]) -> Table:
    table = Table(box=None, pad_edge=False)
    two = any(c.both is not None for c in counterexamples)
    for heading in (
        "input",
        "network says",
        "network_b says" if two else "program says",
        *(() if two else ("network output",)),
    ):
        table.add_column(heading, overflow="fold")
    for c in counterexamples[:MAX_COUNTEREXAMPLES_SHOWN]:
        if c.both is not None:
            said = [
                f"{'' if t.label is None else label_text(t.label) + ': '}{', '.join(map(rational, t.outputs))}"
                for t in c.both
            ]
            table.add_row(Text(sequence_text(c.tokens)), *map(Text, said))
            continue
        outputs = ", ".join(map(rational, c.outputs))
        table.add_row(
            Text(sequence_text(c.tokens)),
            Text(label_text(c.network_label)),
            Text(label_text(c.program_label)),
            Text(outputs),
        )
    return table


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    table = Table(box=None, pad_edge=False, title="the race", title_justify="left", title_style="bold")
    for heading in ("backend", "version", "outcome", "seconds", "MB", "detail"):
        table.add_column(
            heading, justify="right" if heading in ("seconds", "MB") else "left", overflow="fold"
        )
    for a in attempts:
        peak = "" if a.peak_mb is None else f"{a.peak_mb:.0f}"
        table.add_row(
            Text(a.backend), Text(a.version), a.outcome, f"{a.seconds:.2f}", peak, Text(visible(a.detail))
        )
    return table


def domain_lines(domain: Domain, size: int) -> list[str]:
    length = (
        str(domain.min_length)
        if domain.min_length == domain.max_length
        else f"{domain.min_length} to {domain.max_length}"
    )
    lines = [f"{number(size)} sequences of {length} tokens over {sequence_text(domain.tokens)}"]
    if domain.where:
        lines.append(f"for which {domain.where.name} (in {visible(domain.where.origin)}) is true")
    if domain.prefix or domain.suffix:
        lines.append(f"the network sees them as {sequence_text((*domain.prefix, '...', *domain.suffix))}")
    if domain.pad is not None:
        lines.append(f"shorter ones are padded on the right with {sequence_text([domain.pad])}")
    return lines


def backends_table(as_json: bool) -> None:
    """Every backend: its version or why it is missing, how far its "proved" is trusted, what it does."""
    from ..verifiers.race.registry import describe

    rows = describe()
    if as_json:
        print(json_text([asdict(row) for row in rows]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("backend", "version", "trust", "what it does"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            row.name, Text(row.version or "-"), row.trust or "", Text(row.problem or row.description)
        )
    screen = console()
    screen.print(table)
    screen.print("\noptions, as in --backends highs:tighten,cpsat:tighten:workers=2", markup=False)
    takers: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for option, text in row.options.items():
            takers.setdefault((option, text), []).append(row.name)
    table = Table(box=None, pad_edge=False)
    for heading in ("option", "what it does", "of"):
        table.add_column(heading, overflow="fold")
    for (option, text), names in takers.items():
        table.add_row(Text(option), Text(text), Text(", ".join(names)))
    screen.print(table)


def conformance_report(name: str, as_json: bool) -> bool:
    """The checks as they end; whether all were met."""
    from ..verifiers.race.choose import choose
    from ..verifiers.race.conformance import checked

    (backend,) = choose([name])
    screen, found = console(), []
    for check, breach in checked(backend):
        found.append({"check": check, "breach": breach})
        if not as_json:
            line = f"ok      {check}" if breach is None else f"broken  {check}: {visible(breach)}"
            screen.print(Text(line, "" if breach is None else "red"), soft_wrap=True)
    good = all(f["breach"] is None for f in found)
    if as_json:
        print(json_text({"backend": backend.name, "conforms": good, "checks": found}))
    else:
        screen.print(
            Text(f"{backend.name} {'conforms' if good else 'does not conform'}", "green" if good else "red")
        )
    return good


def heading(text: str) -> Text:
    return Text(visible(text), style="bold")


def code(screen: Console, text: str) -> None:
    """Python in colours where there are colours, plain and without trailing blanks elsewhere."""
    text = shown(text)
    if screen.is_terminal:
        screen.print(Syntax(text, "python", theme="ansi_dark", background_color="default", padding=(0, 2)))
    else:
        screen.print(indent(text, "  "), markup=False, soft_wrap=True)
