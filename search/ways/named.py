"""Write machines with names for states: their labels if each has its own, else the tokens that lead there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...common.text import literal
from ..candidate import Candidate
from ..render import indent
from .view import NEVER, StateForm, View, alike, chain, read


def named(view: View) -> Iterator[Candidate]:
    """Yield programs that hold the state's name, as a chain of tests over tokens or over states."""
    states = view.states
    own = [view.problem.labels[int(view.labels[q])] if view.labels[q] != NEVER else None for q in states]
    if all(isinstance(y, str) for y in own) and len(set(own)) == len(own):
        names = [str(y) for y in own]
    else:
        names = _reached(view)
    name = dict(zip(states, names, strict=True))
    back = "" if view.exit is None else f"return {literal(view.problem.labels[int(view.labels[view.exit])])}"

    def go(target: int) -> str:
        return back if target == view.exit else f"state = {literal(name[target])}"

    by_token: list[tuple[tuple[int, ...], tuple[str, ...]]] = []
    for column, members in alike(
        [tuple(view.machine.step[states, a]) for a in range(view.problem.size)]
    ).items():
        by_target = {
            t: [q for q, to in zip(states, column, strict=True) if to == t]
            for t in dict.fromkeys(map(int, column))
        }
        if len(by_target) == 1:
            by_token.append((members, (go(int(column[0])),)))
            continue
        tests = [(sources, t) for t, sources in by_target.items() if sources != [t]]
        lines: list[str] = []
        for i, (sources, t) in enumerate(tests):
            moving = [q for q in sources if q != t]
            head = (
                f"state == {literal(name[moving[0]])}"
                if len(moving) == 1
                else f"state in {_tuple(name[q] for q in moving)}"
            )
            lines += [f"{'elif' if i else 'if'} {head}:", *indent([go(t)])]
        by_token.append((members, tuple(lines)))
    by_state: list[str] = []
    for q in states:
        row = alike([(int(t),) for t in view.machine.step[q]])
        inner = chain(view, [(members, () if t == q else (go(t),)) for (t,), members in row.items()])
        if any(t != q for (t,) in row):
            by_state += [f"{'elif' if by_state else 'if'} state == {literal(name[q])}:", *indent(inner)]
    start = f"state = {literal(name[view.machine.start])}"
    for body in (chain(view, by_token), tuple(by_state) or ("pass",)):
        lines_ = (start, "for token in tokens:", *indent(body))
        yield from read(view, lines_, StateForm("names", "state", tuple(range(len(states))), tuple(names)))


def _reached(view: View) -> list[str]:
    """Name each state by the shortest word that leads there."""
    words: dict[int, str] = {view.machine.start: "start"}
    queue = [view.machine.start]
    for q in queue:
        for token, target in zip(view.problem.tokens, map(int, view.machine.step[q]), strict=True):
            if target not in words:
                words[target] = token if words[q] == "start" else f"{words[q]} {token}"
                queue.append(target)
    names = [words.get(q, f"never {q}") for q in view.states]
    return names if len(set(names)) == len(names) else [f"{n} ({i})" for i, n in enumerate(names)]


def _tuple(names: Iterator[str] | Sequence[str]) -> str:
    parts = [literal(n) for n in names]
    return f"({', '.join(parts)})"
