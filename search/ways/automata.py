"""State machines as programs: this way always has an answer, for any labels.

The labelled words become the smallest layered automaton of three values (this label, that label, don't care).
It is folded into small machines (`learn.py`), which `recognise.py` writes as a person would.  Whether a
machine is right on words that were not among the examples, the prover decides.  Last comes the layered
automaton itself as a table, exact on every example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...common.text import literal
from ...models.automata.labelled import Labelled
from ...models.automata.layered import Layered
from ...models.automata.moore import MooreMachine
from ..candidate import Candidate
from ..problem import SearchProblem
from ..render import tuple_of
from .layers import acyclic
from .learn import learn_machines
from .machine import PartialAutomaton, TokenMachine, reachable
from .recognise import written

MAX_TABLE = 100_000  # states of the layered automaton that is written as a table
ELEMENTS = 9_000  # of one constant; docs/reference/program-subset.md has the limit
LARGEST = 900_000  # characters of a file, likewise
WIDTH = 100


def learnt(
    problem: SearchProblem, examples: Labelled, say: Callable[[str], None], suggested: Layered | None = None
) -> list[Candidate]:
    """Find programs that give every example its label.

    Args:
        problem: the tokens and labels.
        examples: labelled words.
        say: is told what is going on.
        suggested: see `learn_machines`; the examples' own automaton is asked too.

    Returns: the programs, plainest first; none only if the table would be too large.
    """
    say("learning a state machine from all examples")
    found: list[Candidate] = []
    machines = learn_machines(examples, problem.size, suggested) if suggested is not None else []
    for machine in machines or learn_machines(examples, problem.size):
        table = np.full(len(machine.step), -1)
        table[machine.run(examples.words)] = examples.labels
        forms = [*written(machine, problem, examples), *tabulated(machine, table, problem)]
        drawn = _moore(reachable(machine), examples)
        found += [replace(form, machine=drawn) for form in forms]
    if not found:
        say("no small machine fits: writing the layered automaton")
        graph = acyclic(examples, problem.size, MAX_TABLE)
        if graph is not None:
            drawn = _partial(graph, problem.size)
            machine = TokenMachine(np.maximum(drawn.step, 0), 0)  # open steps lead to the first state
            found += [replace(c, machine=drawn) for c in tabulated(machine, drawn.labels, problem)]
    return sorted(found, key=lambda c: c.key)


def _moore(machine: TokenMachine, examples: Labelled) -> MooreMachine:
    """Return the machine with its labels, without the steps that no example takes."""
    labels = np.full(len(machine.step), -1)
    labels[machine.run(examples.words)] = examples.labels
    return MooreMachine(np.where(machine.used(examples.words), machine.step, -1), labels).minimal()


def _partial(graph: PartialAutomaton, size: int) -> MooreMachine:
    """Return the automaton of exactly the examples, without the steps that they leave open."""
    step = np.full((len(graph.edges), size), -1)
    for state, out in enumerate(graph.edges):
        step[state, list(out)] = list(out.values())
    return MooreMachine(step, np.array([-1 if y is None else y for y in graph.labels]))


def tabulated(machine: TokenMachine, labels: np.ndarray, problem: SearchProblem) -> list[Candidate]:
    """Write a table of transitions and a table of labels; none if the file would be too large.

    Args:
        machine: the machine.
        labels: the label index of each state, -1 for none; such states get the most frequent label.
        problem: the tokens and labels.
    """
    usual = int(np.bincount(labels[labels >= 0]).argmax())
    meaning = np.where(labels >= 0, labels, usual)
    widest = max((len(y) for y in problem.labels if isinstance(y, str)), default=0)
    per_chunk = max(1, ELEMENTS // (2 + max(problem.size, widest)))
    count = len(machine.step)
    constants = [f"TOKENS = {tuple_of(problem.tokens)}"]
    names = []
    for k, start in enumerate(range(0, count, per_chunk)):
        rows = [tuple_of(row) for row in machine.step[start : start + per_chunk].tolist()]
        suffix = f"_{k}" if count > per_chunk else ""
        names.append((f"NEXT{suffix}", f"LABELS{suffix}", start))
        constants += [*_constant(f"NEXT{suffix}", rows)]
        constants += [
            *_constant(
                f"LABELS{suffix}", [literal(problem.labels[y]) for y in meaning[start : start + per_chunk]]
            )
        ]
    lines = [f"state = {machine.start}", "for token in tokens:"]
    if len(names) == 1:
        lines += ["    state = NEXT[state][TOKENS.index(token)]", "return LABELS[state]"]
    else:
        for i, (name, _, start) in reversed(list(enumerate(names))):
            head = "else" if i == 0 else f"{'if' if i == len(names) - 1 else 'elif'} state >= {start}"
            lines += [f"    {head}:", f"        state = {name}[{_from(start)}][TOKENS.index(token)]"]
        for name, label, start in reversed(names):
            del name
            lines += (
                [f"if state >= {start}:", f"    return {label}[{_from(start)}]"]
                if start
                else [f"return {label}[state]"]
            )
    if sum(map(len, constants)) + sum(map(len, lines)) > LARGEST:
        return []
    return [
        Candidate(
            "automaton", "table", tuple(lines), lambda words: meaning[machine.run(words)], tuple(constants)
        )
    ]


def _from(start: int) -> str:
    return f"state - {start}" if start else "state"


def _constant(name: str, parts: list[str]) -> list[str]:
    """Write an assignment of a tuple, as many parts on a line as fit; formatters leave it alone."""
    comma = "," if len(parts) == 1 else ""
    line = f"{name} = ({', '.join(parts)}{comma})"
    if len(line) <= WIDTH:
        return [line]
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) > WIDTH - 6:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{part},"
    return [f"{name} = (", *(f"    {line}" for line in lines), ")  # fmt: skip"]
