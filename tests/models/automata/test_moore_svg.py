"""Pictures of machines: well-formed, whole, escaped, and no state on another."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from relucid.models.automata.moore import MooreMachine
from relucid.models.automata.moore_layout import laid_out, shared_steps
from relucid.models.automata.moore_svg import MOST_STATES, machine_svg

SVG = "{http://www.w3.org/2000/svg}"
NASTY = ["</svg><script>alert(1)</script>", "&\"'<", "\u202e\x1b[31m", "]]>", "字" * 40]


def random_machine(states: int, tokens: int, seed: int) -> MooreMachine:
    rng = np.random.default_rng(seed)
    return MooreMachine(rng.integers(-1, states, (states, tokens)), rng.integers(-1, 3, states)).minimal()


@pytest.mark.parametrize("states", [1, 2, 5, 12, MOST_STATES])
@pytest.mark.parametrize("seed", range(5))
def test_every_state_and_step_is_there_and_none_on_another(states: int, seed: int) -> None:
    machine = random_machine(states, 3, seed)
    text = machine_svg(machine, ["a", "b", "c"], ["x", True, 3], "t")
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = [
        tuple(float(r.attrib[k]) for k in ("x", "y", "width", "height"))
        for r in root.iter(f"{SVG}rect")
        if "rx" in r.attrib
    ]
    assert len(boxes) == len(machine)
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    shared = shared_steps(machine)
    steps = {
        (q, int(t))
        for q in range(len(machine))
        for k, t in enumerate(machine.step[q])
        if t >= 0 and k not in shared
    }
    drawn = [(a.source, a.target) for a in laid_out(machine).arrows]
    assert set(drawn) == steps and len(drawn) == len(steps)
    lines = [p for p in root.iter(f"{SVG}path") if p.attrib.get("fill") == "none"]
    assert len(lines) == len(steps)
    assert text == machine_svg(machine, ["a", "b", "c"], ["x", True, 3], "t")


def test_all_text_is_escaped() -> None:
    machine = MooreMachine(np.array([[1, 2, 3, 4, 0], [0] * 5, [1] * 5, [2] * 5, [3] * 5]), np.arange(5))
    text = machine_svg(machine, NASTY, NASTY, NASTY[0])
    root = ElementTree.fromstring(text)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg",
        "title",
        "defs",
        "marker",
        "path",
        "rect",
        "text",
    }
    assert not re.search("[\u202e\x1b]", text) and "<script" not in text
    assert root.attrib["aria-label"] == NASTY[0] == root.findtext(f"{SVG}title")
    shown = [e.text for e in root.iter(f"{SVG}text")]
    assert any("&\"'<" in (t or "") for t in shown)


def test_what_is_the_same_everywhere_is_told_and_not_drawn() -> None:
    step = np.array([[(q + 1) % 5, 0, q] for q in range(5)])
    machine = MooreMachine(step, np.arange(5))
    assert shared_steps(machine) == {1: 0, 2: None}
    text = machine_svg(machine, ["up", "reset", "skip"], list("vwxyz"), "a counter")
    assert "Not drawn: reset leads from every state to start." in text
    assert "Not drawn: skip changes nothing." in text
    assert {a.tokens for a in laid_out(machine).arrows} == {(0,)}
    assert shared_steps(MooreMachine(step[:2] % 2, np.arange(2))) == {}


def test_states_stand_by_their_distance_from_the_start() -> None:
    machine = random_machine(20, 2, 3)
    assert laid_out(machine).layer == tuple(map(len, machine.access_words()))
