"""`relucid train` and `relucid prune`: sparsity, seeds, going on after a stop, masks with cut edges, and what
is refused.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.examples import Examples
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.pruning.judge import margins
from relucid.models.circuits.pruning.node_masks import PruningJob
from relucid.models.circuits.pruning.settings import PruningSettings
from relucid.models.circuits.training import trainer as train
from relucid.models.circuits.training.recipe import TrainingRecipe
from relucid.models.circuits.training.registry import NAMES, get_task
from relucid.models.circuits.training.sparse import DENSE, TABLES, density_at, keep_largest
from relucid.models.circuits.training.trainer import Trainer, run
from relucid.models.zoo.shipped import shipped
from relucid.pipeline.training import train_task

QUOTES = str(shipped()["quote_closing"].domain)
SMALL = TrainingRecipe(steps=12, batch=8, layers=1, width=8)


def trained(recipe, task="for_while"):
    trainer = Trainer(get_task(task), recipe)
    run(trainer, lambda text: None, lambda state: None)
    return trainer.final_weights()


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def test_the_seed_decides():
    assert same(trained(SMALL), trained(SMALL))
    assert not same(trained(SMALL), trained(TrainingRecipe(steps=12, batch=8, layers=1, width=8, seed=1)))


def test_a_stopped_training_goes_on_bit_for_bit():
    first, states = Trainer(get_task("for_while"), SMALL), []
    for _ in range(5):
        first.advance()

    def interrupt():
        raise KeyboardInterrupt

    first.advance = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(first, lambda text: None, states.append)
    second = Trainer(get_task("for_while"), SMALL)
    second.resume("training.pt", states[0])
    assert second.step == 5
    run(second, lambda text: None, lambda state: None)
    assert same(second.final_weights(), trained(SMALL))
    with pytest.raises(InputError, match="is a stopped training with other options"):
        Trainer(get_task("with_as"), SMALL).resume("training.pt", states[0])
    with pytest.raises(InputError, match="is damaged"):
        Trainer(get_task("for_while"), SMALL).resume("training.pt", {**states[0], "weights": {}})


def test_an_interrupt_waits_for_the_end_of_the_step(tmp_path, monkeypatch):
    """Ctrl-C within the fifth step: what is saved is the state after it, and goes on to the same weights."""
    steps, real = 0, train._clip

    def interrupting(parameters):
        nonlocal steps
        steps += 1
        if steps == 5:
            signal.raise_signal(signal.SIGINT)
        real(parameters)

    def run_train(name):
        return main(
            [
                "train",
                "for_while",
                "--steps",
                "12",
                "--layers",
                "1",
                "--width",
                "8",
                "--attempts",
                "1",
                "--out",
                str(tmp_path / name),
            ]
        )

    assert run_train("whole") == 3
    monkeypatch.setattr(train, "_clip", interrupting)
    assert run_train("stopped") == 130
    assert [p.name for p in (tmp_path / "stopped").iterdir()] == ["training.pt"]
    assert torch.load(tmp_path / "stopped" / "training.pt", weights_only=True)["step"] == 5
    assert run_train("stopped") == 3 and steps == 12
    assert same(
        *(torch.load(tmp_path / n / "final_model.pt", weights_only=True) for n in ("whole", "stopped"))
    )


def test_a_killed_command_goes_on(tmp_path):
    """SIGKILL in the middle; the second run gives the same weights as one that was never stopped."""
    code = "import sys; from relucid.models.circuits.training import trainer; trainer.EVERY = -1.0\n"
    code += "from relucid.cli.main import main; sys.exit(main(sys.argv[1:]))"
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments = [
        "train",
        "for_while",
        "--steps",
        "60",
        "--layers",
        "1",
        "--width",
        "8",
        "--attempts",
        "1",
        "--out",
    ]
    child = subprocess.Popen([sys.executable, "-c", code, *arguments, str(killed)])
    try:
        deadline = time.monotonic() + 120
        while not (killed / "training.pt").exists():
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not (killed / "final_model.pt").exists()
    assert main([*arguments, str(killed)]) == main([*arguments, str(whole)])
    assert not (killed / "training.pt").exists()
    assert same(*(torch.load(p / "final_model.pt", weights_only=True) for p in (killed, whole)))


def test_the_next_seed_is_tried_where_an_input_is_wrong(tmp_path):
    """Twelve steps teach nothing: the second attempt is the training with the second seed, a stop in it
    included.
    """
    two = train_task("for_while", tmp_path / "two", replace(SMALL, attempts=2))
    one = train_task("for_while", tmp_path / "one", replace(SMALL, seed=1, attempts=1))
    assert two.right < two.inputs and (two.seed, one.seed) == (1, 1)
    weights = [torch.load(tmp_path / n / "final_model.pt", weights_only=True) for n in ("two", "one")]
    assert same(*weights) and not same(weights[0], trained(SMALL))
    second = Trainer(get_task("for_while"), replace(SMALL, attempts=2), attempt=1)
    second.advance()
    again = Trainer(get_task("for_while"), replace(SMALL, attempts=2))
    again.resume("training.pt", second.state())
    assert again.seed == 1 and again.step == 1


def test_the_rate_warms_up_and_falls_to_nothing():
    trainer, rates = Trainer(get_task("for_while"), replace(SMALL, steps=1000)), []
    for step in (0, 4, 9, 10, 500, 999):
        trainer.step = step
        trainer.advance()
        rates.append(trainer.optimizer.param_groups[0]["lr"] / trainer.recipe.rate)
    assert rates == pytest.approx([0.1, 0.5 * 0.996, 0.991, 0.99, 0.5, 0.001])
    group = trainer.optimizer.param_groups[0]
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.95), 1e-4, 0.02)


def test_gradients_are_clipped_by_their_root_mean_square(monkeypatch):
    def rms(clip):
        monkeypatch.setattr(train, "CLIP", clip)
        trainer = Trainer(get_task("for_while"), SMALL)
        trainer.advance()
        return (
            torch.cat([p.grad.flatten() for p in trainer.trained if p.grad is not None])
            .square()
            .mean()
            .sqrt()
            .item()
        )

    free = rms(1e9)
    assert rms(free / 3) == pytest.approx(free / 3, rel=1e-4) and rms(free * 2) == pytest.approx(free)


def test_a_batch_is_balanced_over_the_labels(monkeypatch):
    """if_ternary has five times as many inputs of one label as of the other."""
    seen, real = [], train.forward
    monkeypatch.setattr(
        train,
        "forward",
        lambda config, weights, ids, **more: seen.append(ids) or real(config, weights, ids, **more),
    )
    trainer = Trainer(get_task("if_ternary"), replace(SMALL, batch=64))
    trainer.advance()
    starts = (seen[0][:, 1] == trainer.task.vocabulary.index("if")).sum()
    assert len(seen[0]) == 64 and int(starts) == 32


def test_the_model_is_the_published_kind_and_sparse_at_the_end():
    config = SMALL.config(get_task("for_while"))
    assert (
        config.rms_norm
        and config.sink
        and config.enable_bigram_table
        and config.afrac == 0.5
        and not config.tied_unembed
    )
    weights = trained(SMALL)
    for name, weight in weights.items():
        share = (weight != 0).float().mean().item()
        if name in TABLES:
            assert share <= SMALL.density + 1 / weight.numel()
        elif weight.ndim == 2 and name not in DENSE:
            assert share <= SMALL.density + 4 / min(weight.shape)
    dense = trained(replace(SMALL, density=1.0))
    assert all(
        bool((w != 0).float().mean() > 0.9) for k, w in dense.items() if w.ndim == 2 and k != "bigram_table"
    )


def test_where_the_disk_is_full_nothing_is_left(tmp_path, monkeypatch, capsys):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["train", "for_while", "--steps", "2", "--attempts", "1", "--out", str(tmp_path / "m")]) == 2
    assert (
        capsys.readouterr().err
        == f"relucid: {tmp_path}/m: cannot write (No space left on device); choose another --out or make room\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_only_the_largest_weights_stay_and_four_per_neuron():
    weights = Trainer(get_task("for_while"), SMALL).weights
    before = {k: w.detach().clone() for k, w in weights.items()}
    with torch.no_grad():
        keep_largest(weights, 0.1)
    for name, weight in weights.items():
        if weight.ndim != 2 or name in DENSE:
            assert torch.equal(weight, before[name])
            continue
        kept = weight != 0
        assert torch.equal(weight[kept], before[name][kept])
        count = int(np.ceil(0.1 * weight.numel()))
        if "bigram" not in name:
            assert bool(kept.flatten()[before[name].abs().flatten().topk(count).indices].all())
        if ".h." in name:
            per_neuron = kept.sum(dim=0 if name.endswith("c_proj.weight") else 1)
            assert int(per_neuron.min()) >= min(4, weight.shape[0 if name.endswith("c_proj.weight") else 1])
            assert int(kept.sum()) <= count + 4 * len(per_neuron)
    assert (
        density_at(0, 0.1) == 1
        and density_at(0.25, 0.1) == pytest.approx(0.55)
        and density_at(0.5, 0.1) == density_at(1, 0.1) == pytest.approx(0.1)
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "no_such"], f"no_such: there is no such task; tasks are {', '.join(NAMES)}"),
        (["train", "for_while", "--width", "6"], "--width: 6 is not a multiple of 4; two heads share it"),
        (["train", "for_while", "--out", "FILE"], "FILE: FILE is a file, not a folder; choose another --out"),
        (
            ["prune", "quotes_and_brackets", "no_such"],
            "no_such: there is no such task; give a claim file (.toml), or one of " + ", ".join(NAMES),
        ),
        (
            ["train", "for_while", "--out", "other"],
            "other: holds a model that was not trained on for_while; choose another --out",
        ),
        (
            ["train", "for_while", "--out", "stopped"],
            "stopped/training.pt: holds more than tensors, and running its code is refused (",
        ),
        (["prune", "nowhere", "for_while"], "nowhere: there is no such folder and no such shipped circuit"),
        (
            ["prune", "quotes_and_brackets", "for_while"],
            "[decision] labels: 'in' is not in the vocabulary of quotes_and_brackets; its tokens are",
        ),
        (
            ["prune", "quotes_and_brackets", QUOTES],
            "--out: quotes_and_brackets ships with relucid, nothing is written there; give a file for the mask",
        ),
        (
            ["prune", "quote_closing", "for_while"],
            "quote_closing: is not a whole model in circuit_sparsity's format",
        ),
        (
            ["prune", "quotes_and_brackets", "for_while", "--target-loss", "0"],
            "--target-loss: 0.0 is not above 0; give a cross-entropy, such as 0.15",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("")
    for name in ("other/beeg_config.json", "other/with_as.toml", "stopped/training.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("garbage")
    before = sorted(tmp_path.rglob("*"))
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"relucid: {says}") and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_train_prune_and_cut_edges_on_a_tiny_task(tmp_path, capsys):
    """The road at toy size: a model that has learnt nothing is pruned to what it does."""
    out = tmp_path / "m"
    status = main(
        ["train", "var_swap", "--out", str(out), "--steps", "30", "--layers", "1", "--width", "8", "--json"]
    )
    told = json.loads(capsys.readouterr().out)
    assert status == (0 if told["right"] == told["inputs"] else 3) and told["inputs"] == 750
    assert sorted(p.name for p in out.iterdir()) == [
        "beeg_config.json",
        "domain.py",
        "final_model.pt",
        "var_swap.toml",
        "vocab.json",
    ]
    model, task = load_circuit(out), get_task("var_swap")
    ids, columns = task.examples.ids, task.examples.columns
    examples = Examples(ids, model.logits(ids)[:, columns].argmax(axis=1), columns)
    settings = PruningSettings(steps=20, batch=16, bisections=2, sweeps=2, target_loss=2.0)
    result = PruningJob(model, examples, settings).run()
    result.mask.write(tmp_path / "m.mask.json")
    circuit = load_circuit(out, tmp_path / "m.mask.json")
    assert circuit.mask.cut == result.mask.cut and len(result.mask.cut) > 0
    assert margins(circuit, examples).min() > 0, "decisions stay"
    summary = circuit.summary()
    assert summary.edges_kept < summary.edges_total and summary.nodes_kept <= summary.nodes_total
    for layer, matrix, row, column in circuit.mask.cut:
        name = f"transformer.h.{layer}.{matrix}.weight"
        assert circuit.effective[name][row, column] == 0 != model.weights[name][row, column]
    assert sum(edge.kind == "" for edge in circuit.graph().edges) == summary.edges_kept


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edges_cut": [[0, "mlp.c_fc", 0, 99]]}, "no edge of this model"),
        ({"edges_cut": [[9, "mlp.c_fc", 0, 0]]}, "no edge of this model"),
        ({"edges_cut": 3}, "no edge of this model"),
        ({"report": {"loss": "x"}}, "report is not a table of numbers"),
    ],
)
def test_masks_with_bad_extras(change, says, tmp_path):
    task = shipped()["quote_closing"]
    (tmp_path / "m.json").write_text(json.dumps({**json.loads(task.mask.read_text()), **change}))
    with pytest.raises(InputError) as caught:
        load_circuit(task.circuit, tmp_path / "m.json")
    assert says in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_task_goes_from_training_to_proof(name, tmp_path):
    from relucid.experiments.circuits import road

    row = road(name, tmp_path)
    assert row["right"] == row["inputs"] and row["verdict"] == "proved"
    assert row["nodes"] < 100 and row["edges"] < row["model_edges"] and row["loss"] <= 0.15
    assert row["control_accuracy"] < 0.85, "random labels are not fitted by the same pruning"
