"""Text for the terminal: the table of backends, the conformance report, and what all such text shares.

`verdicts.py` prints answers, `console_show.py` restates claims and circuits, and `console_distill.py` prints
distillations.  The command line calls them all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import indent

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from ..common.text import json_text, number, visible, word
from ..models.claims.decision import Label
from ..models.claims.domain import Domain
from ..models.program.source import shown


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Leave a closed pipe to the command line, which counts it as no error; rich would exit with 1."""
        raise BrokenPipeError


def console() -> Console:
    """Return a console that is plain in a pipe or with NO_COLOR, and wide enough there for whole lines."""
    screen = _Screen(highlight=False)
    return screen if screen.is_terminal else _Screen(highlight=False, width=120)


def plural(n: int, noun: str) -> str:
    return f"{number(n)} {noun}{'' if n == 1 else 's'}"


def label_text(label: Label) -> str:
    return json.dumps(label, ensure_ascii=False) if isinstance(label, bool) else visible(repr(label))


def sequence_text(tokens: Sequence[str]) -> str:
    return " ".join(map(word, tokens)) if tokens else "(empty)"


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
    """Print every backend: its version or why it is missing, its trust, what it does; and its options."""
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
    """Print each conformance check as it ends, and return whether the backend passed all."""
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
    """Print Python in colours on a terminal; elsewhere plain, without trailing blanks."""
    text = shown(text)
    if screen.is_terminal:
        screen.print(Syntax(text, "python", theme="ansi_dark", background_color="default", padding=(0, 2)))
    else:
        screen.print(indent(text, "  "), markup=False, soft_wrap=True)
