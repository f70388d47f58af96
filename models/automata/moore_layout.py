"""Where the states of a machine stand in its picture: in layers from left to right, by their distance from
the start.

Between `moore.py` and `moore_svg.py`.  Lengths are pixels.  A step backwards over several layers passes
through a place of its own in each, so that it runs between states.  Layers are put in order by the mean
place of the neighbours, a few times in both directions.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
(1981).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .moore import MooreMachine

ROUNDS = 12
STATE, PASSING = 86.0, 30.0  # height that a state takes, and a step that passes
Place = tuple[str, int, int]  # ("state", number, 0), or ("step", number of the step, layer)


@dataclass(frozen=True)
class Arrow:
    """A step between two states, for some tokens.

    Args:
        source, target: the states.
        tokens: that lead from one to the other.
    """

    source: int
    target: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class MachineLayout:
    """What stands where.

    Args:
        layer: of each state.
        y: of each state.
        arrows: the steps that are drawn.
        passing: for each arrow, the heights at which it passes the layers between, from source to target.
        height: of the picture.
    """

    layer: tuple[int, ...]
    y: tuple[float, ...]
    arrows: tuple[Arrow, ...]
    passing: tuple[tuple[float, ...], ...]
    height: float


def shared_steps(machine: MooreMachine) -> dict[int, int | None]:
    """Return the tokens that do the same in every state: the state they lead to, or None if they change none.

    They are told beside the picture.  A machine of one or two states needs no such words.
    """
    found: dict[int, int | None] = {}
    for token in range(machine.step.shape[1] if len(machine) > 2 else 0):
        column = machine.step[:, token]
        sources = [q for q in range(len(machine)) if column[q] >= 0]
        targets = {int(column[q]) for q in sources}
        if len(sources) > 2 and all(int(column[q]) == q for q in sources):
            found[token] = None
        elif len(sources) > 2 and len(targets) == 1:
            found[token] = targets.pop()
    return found


def laid_out(machine: MooreMachine) -> MachineLayout:
    """Place the states and the steps between them."""
    layer = [len(w) for w in machine.access_words()]
    shared = shared_steps(machine)
    arrows = []
    for state in range(len(machine)):
        for target, tokens in machine.steps(state).items():
            own = tuple(t for t in tokens if t not in shared)
            if own:
                arrows.append(Arrow(state, target, own))
    layers: list[list[Place]] = [[] for _ in range(max(layer) + 1)]
    for state in sorted(range(len(machine)), key=lambda q: layer[q]):
        layers[layer[state]].append(("state", state, 0))
    near: dict[Place, list[Place]] = defaultdict(list)
    ways: list[list[Place]] = []
    for i, arrow in enumerate(arrows):
        here, there = layer[arrow.source], layer[arrow.target]
        between: list[Place] = [("step", i, t) for t in range(here - 1, there, -1)]
        for place in between:
            layers[place[2]].append(place)
        ways.append(between)
        whole: list[Place] = [("state", arrow.source, 0), *between, ("state", arrow.target, 0)]
        for one, other in pairwise(whole):
            if here != there:
                near[one].append(other)
                near[other].append(one)
    y = _placed(layers, near)
    top = min(y.values()) - STATE / 2
    place_of = {place: value - top for place, value in y.items()}
    return MachineLayout(
        tuple(layer),
        tuple(place_of["state", q, 0] for q in range(len(machine))),
        tuple(arrows),
        tuple(tuple(place_of[p] for p in way) for way in ways),
        max(place_of.values()) + STATE / 2,
    )


def _placed(layers: list[list[Place]], near: dict[Place, list[Place]]) -> dict[Place, float]:
    """Move every place towards its neighbours, layer by layer, forwards and backwards."""
    y: dict[Place, float] = {}
    for row in layers:
        y.update(_apart(row, {p: 0.0 for p in row}))
    for turn in range(ROUNDS):
        for row in layers if turn % 2 == 0 else layers[::-1]:
            wish = {p: _mean([y[n] for n in near[p]], y[p]) for p in row}
            row.sort(key=lambda p, wish=wish: (wish[p], p))  # type: ignore[misc]
            y.update(_apart(row, wish))
    return y


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _apart(row: Sequence[Place], wish: dict[Place, float]) -> dict[Place, float]:
    """Give each place its wish as far as there is room, in the order of the row."""
    room = [STATE / 2 if p[0] == "state" else PASSING / 2 for p in row]
    down: list[float] = []
    up: list[float] = []
    for i, place in enumerate(row):
        down.append(max(wish[place], down[-1] + room[i - 1] + room[i]) if i else wish[place])
    for i in reversed(range(len(row))):
        first = i == len(row) - 1
        up.append(wish[row[i]] if first else min(wish[row[i]], up[-1] - room[i + 1] - room[i]))
    return {place: (a + b) / 2 for place, a, b in zip(row, down, up[::-1], strict=True)}
