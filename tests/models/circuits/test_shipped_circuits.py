"""The circuits that ship: masked circuit = whole model = the task's definition in plain Python, on every
input.
"""

import ast
import json
from itertools import product

import numpy as np
import pytest
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.teacher import label_domain
from relucid.models.claims.task import load_task
from relucid.models.zoo.shipped import shipped


def quote(body):
    quotes = [t for t in body if t in "'\""]
    return quotes[0] if len(quotes) == 1 else None


def bracket(body):
    depth = 0
    for token in body:
        depth += {"[": 1, "]": -1}.get(token, 0)
        if not 0 <= depth <= 3:
            return None
    return None if depth == 0 else "]" if depth == 1 else "]]"


TASKS = {"quote_closing": ("'\"ab=", quote, 34_992), "bracket_depth": ("[],a", bracket, 16_389)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)


def test_all_shipped_tasks_are_tested_here():
    assert set(shipped()) == set(TASKS)
    for name, task in shipped().items():
        assert task.name == name and task.mask.is_file() and task.domain.is_file() and task.circuit.is_dir()


@pytest.mark.parametrize("name", TASKS)
def test_every_input_is_decided_rightly(name):
    tokens, label, size = TASKS[name]
    task = load_task(shipped()[name].domain)
    expected = {body: y for body in product(tokens, repeat=8) if (y := label(body)) is not None}
    assert len(expected) == size
    for circuit in (load_circuit(name), load_circuit("quotes_and_brackets")):
        teaching = label_domain(circuit, task.domain, task.decision.labels)
        found = {
            task.domain.unpadded(word): task.decision.labels[y]
            for word, y in zip(teaching.labelled.words, teaching.labelled.labels, strict=True)
        }
        assert found == expected, circuit.name
        assert teaching.smallest_margin > 0.5
        assert teaching.closest in expected


@pytest.mark.parametrize("name", TASKS)
def test_the_closest_input_is_the_closest(name):
    task = load_task(shipped()[name].domain)
    circuit = load_circuit(name)
    teaching = label_domain(circuit, task.domain, task.decision.labels)
    number = {w: i for i, w in enumerate(circuit.vocabulary)}
    columns = [number[y] for y in task.decision.labels]
    sample = [teaching.closest, *(task.domain.unpadded(w) for w in teaching.labelled.words[::97])]
    ids = np.array([[number[t] for t in (*task.domain.prefix, *s, *task.domain.suffix)] for s in sample])
    gaps = np.abs(np.diff(circuit.logits(ids)[:, columns], axis=1))[:, 0]
    assert abs(gaps[0] - teaching.smallest_margin) < 1e-4 and gaps.argmin() == 0


def test_circuits_are_much_smaller_than_the_model():
    whole = load_circuit("quotes_and_brackets").summary()
    assert whole.nodes_kept == whole.nodes_total and whole.edges_kept == whole.edges_total
    for name in TASKS:
        summary = load_circuit(name).summary()
        assert (summary.nodes_total, summary.edges_total) == (whole.nodes_total, whole.edges_total)
        assert 0 < summary.nodes_kept < whole.nodes_total / 8
        assert 0 < summary.edges_kept < whole.edges_total / 8
        assert f"{summary.nodes_kept:,} of {summary.nodes_total:,} nodes" in "\n".join(summary.lines())
        assert "train.py, seed" in summary.origin


def test_edges_are_counted_as_documented():
    circuit = load_circuit("bracket_depth")
    kept, weights, count, total = circuit.mask.kept, circuit.weights, 0, 0
    for i in range(circuit.config.n_layer):
        h = f"transformer.h.{i}."
        heads = [k for place in ("attn_q", "attn_k", "attn_v") for k in kept[i, place]]
        for name, out, into in (
            ("attn.c_attn", heads, kept[i, "attn_in"]),
            ("attn.c_proj", kept[i, "attn_out"], kept[i, "attn_v"]),
            ("mlp.c_fc", kept[i, "mlp_neuron"], kept[i, "mlp_in"]),
            ("mlp.c_proj", kept[i, "mlp_out"], kept[i, "mlp_neuron"]),
        ):
            for r, row in enumerate(weights[f"{h}{name}.weight"].tolist()):
                for c, value in enumerate(row):
                    total += value != 0
                    count += value != 0 and bool(out[r]) and bool(into[c])
    assert (count, total) == (circuit.summary().edges_kept, circuit.summary().edges_total)


def test_weights_are_as_sparse_as_stated():
    shares = {}
    for name, weight in load_circuit("quotes_and_brackets").weights.items():
        if weight.ndim == 2 and name != "transformer.wpe.weight":
            shares[name] = float((weight != 0).float().mean()) - 1 / weight.numel()
    assert len(shares) == 11
    assert all(share <= (0.08 if ".h." in name else 0.15) for name, share in shares.items()), shares


def test_what_ships_is_small_and_plain():
    folder = shipped()["quote_closing"].circuit
    assert sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) < 150_000
    config = json.loads((folder / "beeg_config.json").read_text())
    assert all(value is None or isinstance(value, int | float | str) for value in config.values())
    for source in ("domains.py", "train.py"):
        ast.parse((folder / source).read_text())
    readme = (folder / "README.md").read_text()
    for name in TASKS:
        s = load_circuit(name).summary()
        assert (
            f"| `{name}` | {TASKS[name][2]:,} | {s.nodes_kept} of {s.nodes_total} | {s.edges_kept} of {s.edges_total} |"
            in readme
        )
