"""What surrogates are built from: machines found from labels, cells that move as machines do, linear weights,
pruning.
"""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
import relucid
from hypothesis import given, settings
from hypothesis import strategies as st
from relucid.models.automata.labelled import Labelled
from relucid.models.automata.layered import Layered, minimised, smallest_layered
from relucid.models.claims.decision import Decision
from relucid.models.claims.domain import Domain
from relucid.models.network.float32 import exact_in_float32
from relucid.models.surrogates.cell import RecurrentCell, cell_network, smallest_cell
from relucid.models.surrogates.layers import TrainingSet
from relucid.models.surrogates.linear import linear_layers
from relucid.models.surrogates.machine import LabelMachine, smallest_machine
from relucid.models.surrogates.one_hot import layered_of, neurons_of, one_hot_network
from relucid.models.surrogates.quantise import decide
from relucid.models.surrogates.slim import Keeper, slim
from relucid.models.surrogates.tune import tuned


def every_word(symbols: int, length: int) -> np.ndarray:
    return np.array(list(itertools.product(range(symbols), repeat=length)), dtype=np.int16).reshape(
        symbols**length, length
    )


def labelled_by_machine(machine: LabelMachine, length: int) -> Labelled:
    words = every_word(machine.step.shape[1], length)
    return Labelled(words, machine.labels(words))


def random_machine(rng: np.random.Generator, states: int, symbols: int) -> LabelMachine:
    return LabelMachine(rng.integers(0, states, (states, symbols)), rng.integers(0, 3, states))


@pytest.mark.parametrize("seed", range(12))
def test_a_machine_is_found_that_is_no_larger_and_right_on_every_word(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hidden = random_machine(rng, int(rng.integers(1, 5)), int(rng.integers(2, 4)))
    labelled = labelled_by_machine(hidden, 6)
    layered = smallest_layered(labelled, hidden.step.shape[1], 10**6)
    assert layered is not None and (layered.labels(labelled.words) == labelled.labels).all()
    found = smallest_machine(layered, hidden.step.shape[1], None, seed=0)
    assert found is not None and found.states <= hidden.states
    assert (found.labels(labelled.words) == labelled.labels).all()
    again = smallest_machine(layered, hidden.step.shape[1], None, seed=0)
    assert again is not None and (again.step == found.step).all()


def test_no_machine_where_the_labels_take_too_many_states() -> None:
    words = every_word(2, 10)
    palindromes = Labelled(words, (words == words[:, ::-1]).all(axis=1).astype(np.int64))
    layered = smallest_layered(palindromes, 2, 10**6)
    assert layered is not None and smallest_machine(layered, 2, None, seed=0) is None


def test_padding_leaves_the_machine_where_it_is() -> None:
    domain = Domain(("a", "b"), 0, 6, pad="_")
    rows = [domain.padded(w) for n in range(7) for w in itertools.product("ab", repeat=n)]
    words = np.array(rows, dtype=np.int16)
    layered = smallest_layered(Labelled(words, (words == 0).sum(axis=1) % 3), 3, 10**6)
    assert layered is not None
    machine = smallest_machine(layered, 3, 2, seed=0)
    assert machine is not None and machine.states == 3 and (machine.step[:, 2] == np.arange(3)).all()
    assert (machine.labels(words) == (words == 0).sum(axis=1) % 3).all()


CELLS = {  # step table, ReLUs that a cell needs
    "toggle": ([[1, 0], [0, 1]], 1),
    "flag": ([[1, 0], [1, 1]], 1),
    "the last of two": ([[0, 1, 0], [0, 1, 1]], 1),
    "modulo seven": ([[(q + 1) % 7, q] for q in range(7)], 1),
    "up to three": ([[min(q + 1, 3), q] for q in range(4)], 1),
    "depth, clamped at both ends": ([[min(q + 1, 4), max(q - 1, 0), q] for q in range(5)], 2),
    "two kinds of quotes": ([[1, 2, 0], [0, 1, 1], [2, 0, 2]], 2),
}


@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_cell_moves_as_its_machine_does(case: str, length: int) -> None:
    step, width = CELLS[case]
    machine = LabelMachine(np.array(step), np.arange(len(step)))
    cell = smallest_cell(machine)
    assert isinstance(cell, RecurrentCell) and cell.width == width
    symbols = machine.step.shape[1]
    domain = Domain(tuple("abc"[:symbols]), length, length, prefix=("<",))
    words = (
        every_word(symbols, length)
        if length < 6
        else np.random.default_rng(0).integers(0, symbols, (300, length)).astype(np.int16)
    )
    decision = Decision("argmax", tuple(range(machine.states)))
    for network in (
        cell_network(machine, cell, domain, np.eye(machine.states, dtype=np.int64)),
        one_hot_network(
            layered_of(machine, length).automaton(symbols), domain, np.eye(machine.states, dtype=np.int64)
        ),
    ):
        assert (decision.decide(network.evaluate(domain.one_hot(words))) == machine.labels(words)).all()
        assert exact_in_float32(network, domain.positions).ok
        assert (
            max(network.magnitudes()) < 2**53
        )  # so that checking millions of words is quick, whatever the length


def test_nothing_that_is_fitted_sees_a_program() -> None:
    """Surrogates come from labelled inputs, or from an automaton, which does not say whose it is."""
    models = Path(relucid.__file__).resolve().parent / "models"
    for path in [
        *(models / "surrogates").glob("*.py"),
        models / "automata" / "layered.py",
        models / "circuits" / "learner.py",
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not {"program", "interpreter", "zoo", "claim_file", "search", "benchmarks"} & set(
                    (node.module or "").split(".")
                ), path
            assert (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Name)
                or node.func.id not in ("exec", "eval", "open")
            ), path


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 10**6), st.booleans())
def test_any_machine_as_networks(states: int, symbols: int, seed: int, sign: bool) -> None:
    """Whatever its steps and outputs, labels that come back along the line included."""
    rng = np.random.default_rng(seed)
    labels = 2 if sign else 3
    machine = LabelMachine(rng.integers(0, states, (states, symbols)), rng.integers(0, labels, states))
    decision = Decision("sign" if sign else "argmax", tuple(range(labels)))
    columns = np.eye(labels, dtype=np.int64)
    columns = columns[1:] - columns[:1] if sign else columns
    domain = Domain(tuple("abc"[:symbols]), 4, 4)
    words = every_word(symbols, 4)
    layered = layered_of(machine, 4)
    networks = [
        one_hot_network(layered.automaton(symbols), domain, columns),
        one_hot_network(minimised(layered).automaton(symbols), domain, columns),
    ]
    assert networks[0].relu_count == neurons_of(layered.automaton(symbols))
    cell = smallest_cell(machine)
    if cell is not None:
        networks.append(cell_network(machine, cell, domain, columns))
    for network in networks:
        assert (decision.decide(network.evaluate(domain.one_hot(words))) == machine.labels(words)).all()


def test_minimising_keeps_the_labels_of_words_that_are_in_and_leaves_others_out() -> None:
    tables = (np.array([[0, 1, -1]]), np.array([[0, 1, 1], [0, 1, 1]]))
    layered = Layered(tables, np.array([4, 4]))
    small = minimised(layered)
    assert [len(t) for t in small.tables] == [1, 1] and small.finals.tolist() == [4]
    words = np.array([[0, 0], [1, 2], [2, 0]])
    assert small.labels(words).tolist() == layered.labels(words).tolist() == [4, 4, -1]


def fitted(words: np.ndarray, labels: np.ndarray, symbols: int) -> list | None:
    used = np.ones((words.shape[1], symbols), dtype=bool)
    return linear_layers(words.astype(np.int64), labels, int(labels.max()) + 1, used, seed=0)


def test_linear_where_linear_is_enough_and_not_elsewhere() -> None:
    words = every_word(3, 6)
    for labels in ((words == 0).sum(axis=1) >= 3, words[:, 4] == 2, (words[:, 0] == 1) | (words[:, 5] == 1)):
        found = fitted(words, labels.astype(np.int64), 3)
        assert found is not None and len(found) == 1
        assert (decide(found, words.astype(np.int64)) == labels).all()
        assert all((part == np.round(part)).all() for part in found[0])
    assert fitted(words, words[:, 3].astype(np.int64), 3) is not None  # three labels
    assert fitted(words, ((words == 0).sum(axis=1) % 2), 3) is None
    assert fitted(words, (words[:, 0] == words[:, 1]).astype(np.int64), 3) is None


def test_one_weight_per_symbol_is_tried_first() -> None:
    """So that what holds on a sample holds for words that were not in it."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 4, (200, 20)).astype(np.int16)
    found = fitted(words, ((words == 0).sum(axis=1) > (words == 1).sum(axis=1)).astype(np.int64), 4)
    assert found is not None
    table = found[0][0].reshape(2, 20, 4)
    assert (table == table[:, :1]).all()


def test_pruning_keeps_every_label_and_takes_what_is_not_needed() -> None:
    words = every_word(3, 5)
    ids = words.astype(np.int64)
    labels = ((words == 0).sum(axis=1) == 2).astype(np.int64)
    counts = np.tile([1.0, 0.0, 0.0], 5)
    noise = np.random.default_rng(0).integers(0, 2, (3, 15)).astype(float)
    first = np.concatenate([[4 * counts, 4 * counts], noise])
    layers = [
        (first, np.array([-4.0, -8.0, 0, 0, 0])),
        (np.array([[0.0, 0, 0, 0, 0], [1, -2, 0, 0, 0]]), np.array([0.0, -2.0])),
    ]
    keeper = Keeper(ids, labels, seed=0)
    assert keeper.right(layers)
    small = slim(layers, keeper.right)
    assert (decide(small, ids) == labels).all()
    assert small[0][0].shape == (2, 15)
    assert sum(np.count_nonzero(w) for w, _ in small) <= 10 + 2 and np.abs(small[0][0]).max() == 1
    assert not keeper.right([(w * 0, b) for w, b in layers])


def test_tuning_trains_for_the_rounding() -> None:
    """Weights that one level rounds to the wrong function; trained on with that level in view
    they are right.
    """
    from relucid.models.surrogates.quantise import quantised

    words = every_word(2, 6)
    ids = words.astype(np.int64)
    labels = ((words == 0).sum(axis=1) == 2).astype(np.int64)
    used = np.ones((6, 2), dtype=bool)
    one_hot = np.eye(2)[ids].reshape(len(ids), -1)

    def errors(layers: list) -> int:
        return min(int((decide(r, ids) != labels).sum()) for r in quantised(layers, used, ids, labels, (4,)))

    before, after = [], []
    for seed in range(4):
        weight = np.tile([1.0, 0.0], 6) * np.random.default_rng(seed).uniform(0.4, 1.6, 12)
        layers = [
            (np.stack([weight, weight]), np.array([-1.0, -2.0])),
            (np.array([[0.0, 0.0], [1.0, -2.0]]), np.array([0.0, -0.5])),
        ]
        before.append(errors(layers))
        after.append(errors(tuned(layers, TrainingSet(one_hot, labels, 2, used), levels=4)))
    assert min(before) > 0 and max(after) == 0
