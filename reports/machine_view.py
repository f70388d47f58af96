"""A state machine as a table, for reports on distillations that found no short program."""

from __future__ import annotations

from collections.abc import Sequence

from ..common.text import literal
from ..models.automata.moore import MooreMachine, token_class

MOST_ROWS = 200  # states that a table shows

Row = tuple[str, str, str]


def machine_rows(machine: MooreMachine, tokens: Sequence[str], labels: Sequence[object]) -> list[Row]:
    """Return a row for each state, up to MOST_ROWS: its name, its label, and where which tokens lead."""
    names, rows = machine.names(tokens), []
    for state, (name, label) in enumerate(zip(names, machine.labels.tolist(), strict=True)):
        if state < MOST_ROWS:
            steps = (f"{token_class(tokens, s)} to {names[q]}" for q, s in machine.steps(state).items())
            rows.append((name, literal(labels[label]) if label >= 0 else "-", "; ".join(steps) or "-"))
    return rows
