"""Machines with labels: merging states changes no answer and leaves no two that are equal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relucid.models.automata.moore import MooreMachine, read_machine, token_class


@st.composite
def machines(draw: st.DrawFn) -> MooreMachine:
    states, tokens = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    entry = st.integers(-1, states - 1)
    step = draw(st.lists(st.lists(entry, min_size=tokens, max_size=tokens), min_size=states, max_size=states))
    labels = draw(st.lists(st.integers(-1, 1), min_size=states, max_size=states))
    return MooreMachine(np.array(step), np.array(labels))


def says(machine: MooreMachine, start: int, word: tuple[int, ...]) -> object:
    """What a machine says from a state on, by hand: its label, or where it stops."""
    for i, token in enumerate(word):
        start = int(machine.step[start][token])
        if start < 0:
            return "stops", i
    return int(machine.labels[start])


def words(machine: MooreMachine, longest: int) -> list[tuple[int, ...]]:
    tokens = range(machine.step.shape[1])
    return [w for n in range(longest + 1) for w in itertools.product(tokens, repeat=n)]


@given(machines())
def test_merging_states_changes_no_answer_and_leaves_none_that_are_equal(machine: MooreMachine) -> None:
    small = machine.minimal()
    every = words(machine, 6)
    assert all(small.run(w) == machine.run(w) for w in every)
    futures = [tuple(says(small, q, w) for w in every) for q in range(len(small))]
    assert len(set(futures)) == len(small) <= len(machine)


@given(machines())
def test_a_state_is_named_by_a_shortest_word_that_leads_there(machine: MooreMachine) -> None:
    small = machine.minimal()
    reached: dict[int, int] = {}
    for word in words(small, len(small)):
        state = 0
        for token in word:
            state = int(small.step[state][token]) if state >= 0 else -1
        if state >= 0:
            reached.setdefault(state, len(word))
    assert reached == {q: len(w) for q, w in enumerate(small.access_words())}
    names = small.names(["a", "b c", ""])
    assert names[0] == "start" and len(set(names)) == len(small)


@given(machines())
def test_json_and_back(machine: MooreMachine) -> None:
    again = read_machine(machine.to_json())
    assert (again.step == machine.step).all() and (again.labels == machine.labels).all()


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        ([], []),
        ([[0]], []),
        ([[1]], [0]),
        ([[-1]], [0]),
        ([[0], [0, 1]], [0, 1]),
        ([[True]], [0]),
        ([["0"]], [0]),
        ([0], [0]),
        (3, [0]),
        ([[0]], None),
        ([[10**30]], [0]),
        ([[0]], [10**30]),
    ],
)
def test_what_is_no_machine_is_refused(step: object, labels: object) -> None:
    with pytest.raises(ValueError):
        read_machine({"step": step, "labels": labels})


def test_tokens_are_listed_briefly() -> None:
    tokens = ["a", "b c", *(f"t{i}" for i in range(10))]
    assert token_class(tokens, range(12)) == "any"
    assert token_class(tokens, [0, 1]) == "a, 'b c'"
    assert token_class(tokens, range(1, 12)) == "all but a"
    assert token_class(tokens, range(9), most=2) == "a, 'b c' and 7 more"
    assert token_class(["a"], [0]) == "a"
