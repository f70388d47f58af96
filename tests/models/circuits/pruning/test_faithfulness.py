"""How far pruned circuits can be believed: `relucid show` finds their domain, names the inputs where they
differ, and has a control.
"""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from relucid.cli.main import main
from relucid.models.circuits.examples import Examples
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.own_task import own_task
from relucid.models.circuits.pruning import random_labels
from relucid.models.circuits.pruning.control import Control, percent, reported
from relucid.models.circuits.pruning.faithfulness import faithfulness
from relucid.models.circuits.pruning.random_labels import control_of, edge_by_edge
from relucid.models.circuits.sparse_gpt.forward import node_widths
from relucid.models.circuits.sparse_gpt.mask import NodeMask
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt
from relucid.models.claims.task import load_task
from relucid.models.zoo.shipped import shipped

DOMAIN = (
    '[domain]\ntokens = ["t0", "t1", "t2"]\nlength = 4\nprefix = ["t3"]\n[decision]\nlabels = ["t4", "t5"]\n'
)


@pytest.fixture
def brief(monkeypatch):
    """Masks that are trained for a quarter of the time."""
    monkeypatch.setattr(random_labels, "PruningSettings", partial(random_labels.PruningSettings, steps=50))


@pytest.fixture(scope="module")
def short():
    """The shipped task with two fillers: 2,048 inputs."""
    return replace(load_task(shipped()["quote_closing"].domain).domain, tokens=("'", '"', "a", "="))


@pytest.fixture
def folder(checkpoint):
    """A random model, a mask that keeps a random half of its nodes with means of zero, and a domain named as
    the mask.
    """
    path, _, _ = checkpoint()
    model, rng = read_sparse_gpt(path), np.random.default_rng(5)
    kept = {(i, at): rng.random(n) < 0.5 for i in range(2) for at, n in node_widths(model.config).items()}
    NodeMask(kept, {p: np.zeros(len(k), dtype=np.float32) for p, k in kept.items()}).write(
        path / "half.mask.json"
    )
    (path / "half.toml").write_text(DOMAIN)
    return path


def test_a_broken_circuit_and_the_inputs_on_which_it_is(short):
    circuit = load_circuit("quote_closing")
    good = faithfulness(circuit, short, ("'", '"'))
    assert good.inputs == good.agreeing == 2048 and len(good.partial) == 8
    nothing = {place: np.zeros_like(k) for place, k in circuit.mask.kept.items()}
    broken = faithfulness(replace(circuit, mask=replace(circuit.mask, kept=nothing)), short, ("'", '"'))
    assert broken.agreeing == 1024 and len(broken.disagreements) == 100
    assert all(d.circuit_label != d.model_label and d.model_label in d.tokens for d in broken.disagreements)
    lines = broken.lines()
    first = broken.disagreements[0]
    assert lines[0] == "same decision as the model on 1,024 of 2,048 inputs (50.0%)"
    assert (
        lines[1]
        == f"  {' '.join(first.tokens)}: circuit {first.circuit_label!r}, model {first.model_label!r}"
    )
    assert lines[6] == "  and 1,019 more (--json has the first 100)" and lines[7].startswith(
        "smallest logit margin "
    )


def test_a_whole_model_has_nothing_to_be_compared_with(short):
    whole = faithfulness(load_circuit("quote_closing").unpruned(), short, ("'", '"'))
    assert whole.agreeing is None and whole.control is None and "nothing was pruned" in whole.lines()[-1]


def test_trials_are_held_against_the_model_not_against_the_circuit(short):
    """Everything of a circuit that keeps nothing is put back: then it is the model, though the circuit is
    not.
    """

    class Restored(type(load_circuit("quote_closing"))):
        def partly_restored(self, rng):
            return self.unpruned()

    circuit = load_circuit("quote_closing")
    nothing = replace(circuit.mask, kept={place: np.zeros_like(k) for place, k in circuit.mask.kept.items()})
    broken = Restored("x", circuit.vocabulary, circuit.config, circuit.weights, mask=nothing)
    found = faithfulness(broken, short, ("'", '"'))
    assert found.agreeing == 1024 and found.partial == (1.0,) * 8


def test_half_of_the_cut_edges_are_put_back_too():
    circuit = load_circuit("quote_closing")
    cut = frozenset((0, "mlp.c_fc", row, column) for row in range(20) for column in range(10))
    restored = replace(circuit, mask=replace(circuit.mask, cut=cut)).partly_restored(np.random.default_rng(0))
    assert restored.mask.cut < cut and 70 < len(restored.mask.cut) < 130


def test_inputs_of_several_lengths_the_control_sees_the_longest(short, monkeypatch):
    seen = []

    def control(model, examples, seed, say):
        seen.append((examples.ids, examples.right))

    circuit = load_circuit("quote_closing")
    circuit = replace(circuit, mask=replace(circuit.mask, report={}))
    monkeypatch.setattr(random_labels, "by_trained_masks", control)
    domain = replace(short, min_length=1, max_length=3, pad="<pad>")
    found = faithfulness(circuit, domain, ("'", '"'))
    assert found.inputs == 2 + 8 + 24 and found.control is None
    ((ids, right),) = seen
    assert ids.shape == (24, 5) and (right == circuit.unpruned().logits(ids)[:, [1, 2]].argmax(axis=1)).all()


def test_the_control_of_a_large_domain_looks_at_a_part_of_it(monkeypatch):
    monkeypatch.setattr(random_labels, "MOST_INPUTS", 10)
    ids, sizes = np.arange(40).reshape(40, 1), []

    def prune(examples, which):
        ids = examples.ids
        sizes.append((len(ids), len(np.unique(ids)), (examples.right == ids[:, 0] % 2).all()))
        return Always(0), 1

    control_of("nodes", prune, Examples(ids, ids[:, 0] % 2, np.array([1, 2])), seed=0)
    assert [n[:2] for n in sizes] == [(10, 10), (10, 10)] and sizes[1][2]


def test_putting_back_is_seeded_and_between_circuit_and_model():
    circuit = load_circuit("quote_closing")
    one, same, other = (circuit.partly_restored(np.random.default_rng(s)).mask.kept for s in (0, 0, 1))
    assert all((one[p] == same[p]).all() for p in one) and any((one[p] != other[p]).any() for p in one)
    assert all((one[p] | circuit.mask.kept[p] == one[p]).all() for p in one), "what the circuit keeps stays"
    back = sum(int(one[p].sum()) for p in one) - circuit.mask.nodes_kept
    assert 0.4 < back / (circuit.mask.nodes_total - circuit.mask.nodes_kept) < 0.6


def test_percentages_are_never_rounded_up_to_all():
    assert [percent(x) for x in (1.0, 0.99999, 0.5, 0.0)] == ["100%", "99.9%", "50.0%", "0.0%"]


def test_the_control_prunes_to_the_same_labels_in_another_order(short):
    """First to shuffled labels, then to the model's own; both shares are of the labels that were
    asked for.
    """
    circuit, asked = load_circuit("quote_closing"), []
    ids = np.arange(40).reshape(40, 1) % 3 + 1
    right = np.repeat([0, 1], [10, 30])

    def prune(examples, which):
        asked.append((examples.right, which))
        return Always(0), 7 + len(asked)

    found = control_of("nodes", prune, Examples(ids, right, np.array([1, 2])), seed=3)
    assert [which for _, which in asked] == ["random labels", "the model's own labels"]
    assert (
        sorted(asked[0][0]) == sorted(right) and (asked[0][0] != right).any() and (asked[1][0] == right).all()
    )
    assert found == Control("nodes", 8, 0.25, 0.75, 9, 0.25)
    assert circuit.mask.report["control_nodes"] == reported(circuit.mask.report).parts


class Always:
    """A circuit with one answer."""

    def __init__(self, label):
        self.label = label

    def logits(self, ids):
        return np.tile(np.eye(3, dtype=np.float32)[1 + self.label], (len(ids), 1))


def test_trained_masks_fit_the_models_labels_and_no_random_ones(short, brief):
    circuit = load_circuit("quote_closing")
    circuit = replace(circuit, mask=replace(circuit.mask, report={}))
    found = faithfulness(circuit, short, ("'", '"')).control
    assert found.what == "nodes" and found.chance == 0.5
    assert found.own_share == 1.0 and found.own_parts < found.parts and found.share < 0.7


def test_what_the_mask_remembers_is_not_run_again(short, monkeypatch):
    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(random_labels, "by_trained_masks", fail)
    found = faithfulness(load_circuit("quote_closing"), short, ("'", '"'))
    line = "control, pruned to random labels: 85 nodes and 49.7% of the labels (one label always: 50.0%)"
    assert found.lines()[-1] == f"{line}; in the same way to the model's own: 62 nodes and 99.9%"
    remembered = Control("nodes", 3, 0.5)
    assert reported(remembered.report()) == remembered and reported({"loss": 1.0}) is None


def test_edges_go_where_no_label_is_lost(monkeypatch):
    """Edges 0 to 5; the label is right only with edges 1 and 4: on the model's own labels those are left, on
    random ones hardly any share is gained.
    """

    class Edges:
        def __init__(self, kept):
            self.kept = kept

        def edges_in_order(self):
            return range(6)

        def with_edges(self, kept):
            return Edges(kept)

        def logits(self, ids):
            right = ids[:, 0] % 2 if {1, 4} <= self.kept else np.zeros(len(ids), dtype=int)
            return np.eye(2, dtype=np.float32)[right]

    ids = np.arange(60).reshape(60, 1)
    examples = Examples(ids, ids[:, 0] % 2, np.array([0, 1]))
    found = edge_by_edge(Edges(frozenset(range(6))), examples, 0, lambda text: None)
    assert (found.what, found.own_parts, found.own_share, found.chance) == ("edges", 2, 1.0, 0.5)
    assert found.share < 0.7
    monkeypatch.setattr(random_labels, "MOST_EDGES", 5)
    assert edge_by_edge(Edges(frozenset(range(6))), examples, 0, lambda text: None) is None


def test_show_finds_the_domain_beside_a_mask(folder, brief, capsys):
    assert main(["show", str(folder), "--mask", str(folder / "half.mask.json"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["faithfulness"]
    model, circuit = read_sparse_gpt(folder), load_circuit(folder, folder / "half.mask.json")
    number = {w: i for i, w in enumerate(model.vocabulary)}
    words = np.stack(np.meshgrid(*[range(3)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    ids = np.concatenate([np.full((81, 1), number["t3"]), words], axis=1)
    decided = [c.logits(ids)[:, [4, 5]].argmax(axis=1) for c in (circuit, model)]
    differ = {
        tuple(f"t{t}" for t in w): (f"t{4 + a}", f"t{4 + b}")
        for w, a, b in zip(words, *decided, strict=True)
        if a != b
    }
    assert told["inputs"] == 81 and told["agreeing"] == 81 - len(differ) < 81
    assert {
        tuple(d["tokens"]): (d["circuit_label"], d["model_label"]) for d in told["disagreements"]
    } == differ
    assert set(told["control"]) == {"what", "parts", "share", "chance", "own_parts", "own_share"}


@pytest.mark.parametrize(
    ("where", "mask", "found"),
    [
        ("quote_closing", None, "quote_closing"),
        ("bracket_depth", None, "bracket_depth"),
        ("quotes_and_brackets", None, None),
        (str(shipped()["quote_closing"].circuit), None, None),  # two domains are there
        (str(shipped()["quote_closing"].circuit), shipped()["bracket_depth"].mask, "bracket_depth"),
    ],
)
def test_whose_domain(where, mask, found):
    task = own_task(where, mask, load_circuit(where, mask).vocabulary)
    assert (task.name if task else None) == found


def test_a_domain_of_other_words_or_a_whole_claim_is_not_its_own(folder):
    words = read_sparse_gpt(folder).vocabulary
    assert own_task(str(folder), None, words).name == "half"
    (folder / "claim.toml").write_text('network = "n.onnx"\nprogram = "p.py:f"\n' + DOMAIN)
    (folder / "other.toml").write_text(DOMAIN.replace("t2", "x"))
    (folder / "broken.toml").write_text("[")
    assert own_task(str(folder), None, words).name == "half"
    (folder / "second.toml").write_text(DOMAIN)
    assert own_task(str(folder), None, words) is None, "which of the two?"


def test_show_says_why_it_was_not_run(folder, capsys):
    for arguments, says in (
        ([str(folder), "--no-run"], "\n  not run\n"),
        (
            ["quotes_and_brackets"],
            "\n  not run: it brings no domain of its own; --domain FILE says how faithful it is\n",
        ),
    ):
        assert main(["show", *arguments]) == 0
        assert says in capsys.readouterr().out
    (folder / "half.toml").write_text(
        DOMAIN.replace('"t2"]\nlength = 4', '"t2", "t5", "t6", "t1x"]\nlength = 4')
    )
    assert main(["show", str(folder)]) == 0
    assert "brings no domain of its own" in capsys.readouterr().out, "t1x is no word of it"


def test_a_domain_too_large_to_be_run(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("vocabulary = ['a', 'b']\ndef f(ids):\n    return ids[:, 0]\n")
    (tmp_path / "mine.toml").write_text(
        '[domain]\ntokens = ["a", "b"]\nlength = 30\n[decision]\nlabels = ["a", "b"]\n'
    )
    assert main(["show", f"{tmp_path}/mine.py:f"]) == 0
    assert "not run: its domain has 1,073,741,824 inputs, over 10,000,000" in capsys.readouterr().out
    assert main(["show", f"{tmp_path}/mine.py:f", "--domain", str(tmp_path / "mine.toml")]) == 2
    assert "1073741824 inputs are too many to run the circuit on each" in capsys.readouterr().err


@pytest.mark.slow
def test_a_shipped_circuit_is_run_on_its_domain():
    """From another folder, without options: what the README shows."""
    result = subprocess.run(
        [sys.executable, "-m", "relucid", "show", "bracket_depth"],
        capture_output=True,
        text=True,
        cwd=Path("/"),
        timeout=300,
    )
    assert result.returncode == 0 and result.stderr == ""
    assert "same decision as the model on 16,389 of 16,389 inputs (100%)" in result.stdout
    assert "smallest logit margin 2.19, on , , a a , , [ ," in result.stdout
    assert "with half of what was pruned put back, 8 times: 100% to 100%, mean 100%" in result.stdout
    assert "control, pruned to random labels: 84 nodes and 56.9% of the labels" in result.stdout
