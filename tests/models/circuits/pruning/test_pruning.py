"""`relucid prune` and what is under it: what a mask promises, against brute force; going on after a stop;
starting from a mask.
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
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.pruning import gates, node_masks
from relucid.models.circuits.pruning.node_masks import PruningJob
from relucid.models.circuits.pruning.settings import PruningSettings
from relucid.models.circuits.pruning.stage import PruningStage, read_stage
from relucid.models.circuits.sparse_gpt.edges import edges, ends
from relucid.models.circuits.sparse_gpt.forward import forward
from relucid.models.circuits.sparse_gpt.model import SparseGpt
from relucid.models.circuits.training.recipe import TrainingRecipe
from relucid.models.circuits.training.registry import get_task
from relucid.pipeline.training import train_task

QUICK = PruningSettings(steps=40, batch=32, bisections=3, sweeps=2)
TASK = get_task("for_while")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model that is right on every input of for_while."""
    out = tmp_path_factory.mktemp("trained") / "m"
    trained = train_task(
        "for_while", out, TrainingRecipe(steps=120, batch=32, layers=1, width=8, density=0.3)
    )
    assert trained.right == trained.inputs == 2048 and trained.seed == 0
    return out


@pytest.fixture(scope="module")
def model(folder):
    return load_circuit(folder)


def job(model, settings=QUICK, start=None):
    return PruningJob(model, TASK.examples, settings, start)


@pytest.fixture(scope="module")
def pruning(model):
    return job(model).run()


def told(circuit):
    """Margins and losses by hand."""
    ids, right = TASK.examples.ids, TASK.examples.right
    logits = circuit.logits(ids).astype(np.float64)[:, TASK.examples.columns]
    lead = logits[np.arange(len(ids)), right] - logits[np.arange(len(ids)), 1 - right]
    return lead.min(), np.log1p(np.exp(-lead)).mean()


def test_the_circuit_decides_every_input_by_the_margin_at_the_target_loss(model, pruning):
    lead, loss = told(replace(model, mask=pruning.mask))
    assert lead >= QUICK.margin and loss <= QUICK.target_loss and pruning.loss == pytest.approx(loss)
    assert pruning.model_loss == pytest.approx(told(model)[1])
    assert pruning.mask.nodes_kept < pruning.mask.nodes_total / 2 and 0.01 <= pruning.k <= 30


def test_no_single_edge_can_go_any_more_and_idle_nodes_went(model, pruning):
    """Brute force over the edges that are left."""
    left = [edge for edge, _ in edges(model.config, model.weights, pruning.mask)]
    assert left and len(pruning.mask.cut) > 0
    for edge in left:
        lead, loss = told(replace(model, mask=replace(pruning.mask, cut=pruning.mask.cut | {edge})))
        assert lead < QUICK.margin or loss > QUICK.target_loss
    touched = {end for edge in left for end in ends(model.config, edge)}
    for place, kept in pruning.mask.kept.items():
        for node in np.flatnonzero(kept):
            if (*place, int(node)) not in touched:
                fewer = {p: k.copy() for p, k in pruning.mask.kept.items()}
                fewer[place][node] = False
                means = {**pruning.mask.means, place: pruning.mask.means[place].copy()}
                means[place][node] = mean_of(model, *place)[node]
                lead, loss = told(replace(model, mask=replace(pruning.mask, kept=fewer, means=means)))
                assert lead < QUICK.margin or loss > QUICK.target_loss


def test_an_edge_goes_from_what_its_column_reads_to_what_its_row_writes(model):
    """Known answers, at width 8 with 16 neurons; and an edge is listed if and only if both its
    ends are kept.
    """
    known = {
        (0, "attn.c_attn", 3, 5): ((0, "attn_in", 5), (0, "attn_q", 3)),
        (0, "attn.c_attn", 11, 0): ((0, "attn_in", 0), (0, "attn_k", 3)),
        (0, "attn.c_attn", 23, 7): ((0, "attn_in", 7), (0, "attn_v", 7)),
        (0, "attn.c_proj", 6, 2): ((0, "attn_v", 2), (0, "attn_out", 6)),
        (0, "mlp.c_fc", 15, 1): ((0, "mlp_in", 1), (0, "mlp_neuron", 15)),
        (0, "mlp.c_proj", 4, 13): ((0, "mlp_neuron", 13), (0, "mlp_out", 4)),
    }
    assert {edge: ends(model.config, edge) for edge in known} == known
    rng = np.random.default_rng(0)
    mask = job(model)._mask(job(model).first)
    mask = replace(mask, kept={p: rng.random(len(k)) < 0.5 for p, k in mask.kept.items()})
    whole = edges(model.config, model.weights, None)
    assert edges(model.config, model.weights, mask) == [
        (edge, w)
        for edge, w in whole
        if all(mask.kept[i, place][n] for i, place, n in ends(model.config, edge))
    ]
    assert len(whole) == sum(
        int((w != 0).sum())
        for k, w in model.weights.items()
        if k.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
    )


def mean_of(model, layer, location):
    """A location's mean over inputs and positions, by hand."""
    seen = {}
    with torch.no_grad():
        forward(
            model.config,
            model.weights,
            torch.from_numpy(TASK.examples.ids),
            lambda i, where, x: seen.setdefault((i, where), x),
        )
    return seen[layer, location].double().mean(dim=(0, 1)).numpy()


def test_what_is_closed_has_its_mean_or_zero(model, pruning):
    for place, kept in pruning.mask.kept.items():
        assert np.allclose(pruning.mask.means[place][~kept], mean_of(model, *place)[~kept], atol=1e-6)
    assert any(np.abs(m).max() > 0.01 for m in pruning.mask.means.values())
    zero = job(model, replace(QUICK, ablation="zero")).run()
    assert not any(m.any() for m in zero.mask.means.values())
    lead, loss = told(replace(model, mask=zero.mask))
    assert lead >= QUICK.margin and loss <= QUICK.target_loss


def test_the_control_has_random_labels(pruning):
    assert 0.3 < pruning.control_accuracy < 0.7, "half of the labels are of each kind"


def test_closed_gates_have_the_mean_in_training_and_open_ones_pass(model, monkeypatch):
    """A node outside of `within` is closed from the first step on."""
    asked = job(model)
    within = {p: np.arange(len(k)) % 2 == 0 for p, k in asked.first.kept.items()}
    seen = []

    def spied(config, weights, ids, at, last_only):
        seen.append(
            {
                p: at(*p, torch.full((1, 1, len(m)), 7.0)).detach()[0, 0].numpy()
                for p, m in asked.means.items()
            }
        )
        return forward(config, weights, ids, at, last_only)

    monkeypatch.setattr(gates, "forward", spied)
    list(replace(asked._gates, within=within).train(1.0, asked.examples.right, 1))
    for place, values in seen[0].items():
        assert np.allclose(values, np.where(within[place], 7.0, asked.means[place]))


def test_gates_step_forwards_and_have_a_sigmoids_slope_backwards():
    logits = torch.tensor([-2.0, -0.1, 0.0, 0.1, 3.0], requires_grad=True)
    out = gates._heaviside()(logits)
    assert out.tolist() == [0, 0, 0, 1, 1]
    out.sum().backward()
    s = torch.sigmoid(logits.detach())
    assert torch.allclose(logits.grad, s * (1 - s))


def test_more_expensive_gates_are_fewer(model):
    asked = job(model)
    ends_with = [list(asked._gates.train(k, asked.examples.right, 60))[-1][1] for k in (0.01, 3.0, 300.0)]
    assert sorted((sum(int(k.sum()) for k in kept.values()) for kept in ends_with), reverse=True) == [
        sum(int(k.sum()) for k in kept.values()) for kept in ends_with
    ]
    assert not any(k.any() for k in ends_with[-1].values())


def test_bisection_closes_in_on_the_largest_k_that_does(model, monkeypatch):
    """Masks are good up to k = 2: four rounds leave a sixteenth of the range, with 2 in it, and a second
    sweep starts within what is left.
    """
    asked, tried = job(model, replace(QUICK, bisections=4, sweeps=3)), []

    def train(self, k, right, steps):
        tried.append((k, sum(int(m.sum()) for m in self.within.values())))
        fewer = {p: m & (np.arange(len(m)) < 4) for p, m in self.within.items()}
        yield steps, fewer if k < 2 else {p: np.zeros_like(m) for p, m in fewer.items()}

    monkeypatch.setattr(gates.NodeGates, "train", train)
    monkeypatch.setattr(PruningJob, "good", lambda self, stage: stage.k < 2)
    while asked._another_round():
        asked.stage = asked._bisect(lambda text: None)
        low, high = asked.stage.low, asked.stage.high
        assert low <= np.log(2) <= high
        assert high - low == pytest.approx((np.log(30) - np.log(0.01)) / 2**asked.stage.rounds)
    assert asked.stage.k < 2 and sum(int(k.sum()) for k in asked.stage.kept.values()) == 32
    assert [n for _, n in tried] == [72] * 4 + [32] * 4, (
        "the second sweep is within the first one's circuit; as it gains nothing, there is no third"
    )
    assert [k for k, _ in tried[:4]] == pytest.approx([k for k, _ in tried[4:]])


class Stopped(Exception):
    pass


def test_a_stopped_pruning_goes_on_to_the_same_mask(model, pruning, tmp_path, monkeypatch):
    """Stopped at each bisection, and in the pass over edges after each trial."""
    monkeypatch.setattr(node_masks, "EVERY", -1.0)
    texts = []
    first = job(model)
    assert (
        first.run(save=lambda stage: texts.append(stage.text(first.digest))).mask.text()
        == pruning.mask.text()
    )
    assert len(texts) > 20
    chosen = {0, 2, 3, len(texts) // 2, len(texts) - 1}
    for i in sorted(chosen):
        (tmp_path / "s").write_text(texts[i])
        second = job(model)
        second.stage = read_stage(tmp_path / "s", second.digest, second.first)
        assert second.stage.text(second.digest) == texts[i]
        again = second.run()
        assert again.mask.text() == pruning.mask.text()
        assert (again.k, again.control_nodes, again.control_accuracy) == (
            pruning.k,
            pruning.control_nodes,
            pruning.control_accuracy,
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.pop("kept"),
        lambda raw: raw["kept"].update({"0.attn_in": [99]}),
        lambda raw: (
            raw["kept"].update({"0.attn_in": [0], "0.mlp_in": [0]}) or raw["within"].update({"0.attn_in": []})
        ),
        lambda raw: raw.update(block=0),
        lambda raw: raw.update(low=float("nan")),
        lambda raw: raw.update(cut=[[1]]),
    ],
)
def test_a_damaged_stage_is_refused(model, tmp_path, change):
    asked = job(model)
    raw = json.loads(asked.first.text(asked.digest))
    change(raw)
    (tmp_path / "s").write_text(json.dumps(raw))
    with pytest.raises(InputError, match=r"is damaged \(\w+\); remove it to start again"):
        read_stage(tmp_path / "s", asked.digest, asked.first)


def test_the_digest_is_of_everything_that_decides(model, pruning):
    asked = job(model)
    others = [
        job(model, replace(QUICK, seed=1)),
        job(model, start=pruning.mask),
        job(replace(model, weights_sha256="x")),
    ]
    flipped = job(model)
    flipped.examples = replace(flipped.examples, right=1 - flipped.examples.right)
    assert len({o.digest for o in (asked, flipped, *others)}) == 5 and asked.digest == job(model).digest


def test_pruning_from_a_mask_stays_within_it(model, pruning):
    again = job(model, start=pruning.mask).run()
    assert all(not (again.mask.kept[p] & ~k).any() for p, k in pruning.mask.kept.items())
    assert again.mask.cut >= pruning.mask.cut
    lead, loss = told(replace(model, mask=again.mask))
    assert lead > 0 and loss <= QUICK.target_loss
    nothing = replace(pruning.mask, kept={p: np.zeros_like(k) for p, k in pruning.mask.kept.items()})
    with pytest.raises(InputError) as caught:
        job(model, start=nothing)
    assert (
        str(caught.value)
        == "--mask: its circuit decides 1024 of 2048 inputs wrongly; start from a larger one, or with --ablation zero"
    )


def run_prune(folder, out, *more):
    return main(["prune", str(folder), "for_while", "--out", str(out / "c.json"), "--steps", "30", *more])


def test_an_interrupted_command_leaves_only_what_it_goes_on_from(folder, tmp_path, monkeypatch, capsys):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run_prune(folder, whole) == 0
    assert [p.name for p in whole.iterdir()] == ["c.json"]
    train, steps = gates.NodeGates.train, 0

    def interrupted(self, k, right, count):
        nonlocal steps
        for answer in train(self, k, right, count):
            steps += 1
            if steps == 8:
                raise KeyboardInterrupt
            yield answer

    monkeypatch.setattr(gates.NodeGates, "train", interrupted)
    assert run_prune(folder, stopped) == 130
    assert [p.name for p in stopped.iterdir()] == ["c.json.stopped"]
    capsys.readouterr()
    assert run_prune(folder, stopped, "--seed", "1") == 2
    assert capsys.readouterr().err == (
        f"relucid: {stopped}/c.json.stopped: is a stopped pruning of another model or with other options; remove it, or give what it was started with\n"
    )
    assert run_prune(folder, stopped) == 0
    assert [p.name for p in stopped.iterdir()] == ["c.json"]
    assert (stopped / "c.json").read_text() == (whole / "c.json").read_text()


def test_a_killed_command_goes_on(folder, tmp_path):
    """SIGKILL in the middle; the second run gives the same mask as one that was never stopped."""
    code = "import sys; from relucid.models.circuits.pruning import node_masks; node_masks.EVERY = -1.0\n"
    code += "from relucid.cli.main import main; sys.exit(main(sys.argv[1:]))"
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments = ["prune", str(folder), "for_while", "--out", str(killed / "c.json"), "--steps", "30"]
    child = subprocess.Popen([sys.executable, "-c", code, *arguments])
    try:
        deadline = time.monotonic() + 120
        while not (killed / "c.json.stopped").exists():
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not (killed / "c.json").exists()
    assert run_prune(folder, killed) == run_prune(folder, whole) == 0
    assert (killed / "c.json").read_text() == (whole / "c.json").read_text()


def test_two_models_are_compared(folder, tmp_path, capsys):
    """The same model twice, so the same numbers twice."""
    assert run_prune(folder, tmp_path, "--compare", str(folder), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    other = told.pop("compared")
    assert other.pop("out") == str(folder / "for_while.mask.json") and other.pop("compared") is None
    told.pop("out")
    assert told == other and told["summary"]["edges_kept"] > 0
    assert run_prune(folder, tmp_path, "--compare", str(folder)) == 0
    text = capsys.readouterr().out
    assert f"compared with {folder}: {told['summary']['nodes_kept']} of 72 nodes" in text
    assert (
        f"next: relucid distill {folder} --mask {tmp_path}/c.json --domain {folder}/for_while.toml --out DIR"
        in text
    )
    (folder / "for_while.mask.json").unlink()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--target-loss", "0.0001"],
            "--target-loss: 0.0001 is below 0.0083, the loss before anything is pruned; give a larger one",
        ),
        (
            ["--mask", "no.json"],
            "no.json: there is no such file; a mask is a JSON file, see docs/reference/circuits.md",
        ),
        (["--mask", "no.pt"], "no.pt: there is no such file; give the release's viz_data.pt"),
        (
            ["--mask", "bad.pt"],
            "bad.pt: circuit_data '0.attn.q': has a node outside 0 to 7; the file belongs to another model",
        ),
        (
            ["--out", "MODEL/for_while.mask.json", "--compare", "MODEL"],
            "--compare: both masks would be written to MODEL/for_while.mask.json",
        ),
        (["--compare", "nowhere"], "nowhere: there is no such folder and no such shipped circuit"),
        (["--out", "taken/c.json"], "taken: taken is a file, not a folder; choose another --out"),
    ],
)
def test_what_cannot_be_pruned_is_one_line(folder, arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"circuit_data": {"0.attn.q": torch.tensor([8])}}, "bad.pt")
    (tmp_path / "taken").write_text("")
    before = sorted(p.name for p in folder.iterdir())
    assert (
        main(
            [
                "prune",
                str(folder),
                "for_while",
                "--out",
                "c.json",
                *(a.replace("MODEL", str(folder)) for a in arguments),
            ]
        )
        == 2
    )
    out, err = capsys.readouterr()
    err = err.replace(str(folder), "MODEL")
    assert out == "" and err.startswith(f"relucid: {says}") and err.count("\n") == 1
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == ["bad.pt", "taken"]
        and sorted(p.name for p in folder.iterdir()) == before
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("length = 6", "length = 7"),
            "m: a sequence of 9 tokens does not fit: the model takes 1 to 8 (block_size); change the domain's",
        ),
        (
            ("length = 6", 'length = [5, 6]\npad = "<pad>"'),
            "[domain] length: sequences of several lengths cannot be pruned or trained on; take one",
        ),
        (
            ('"x"', '"z"'),
            "[domain] tokens: 'z' is not in the vocabulary of m; its tokens are '<bos>', 'for', 'while', 'x', 'y', '<next>', 'in', ':'",
        ),
        (('"in"', '"on"'), "[decision] labels: 'on' is not in the vocabulary of m; its tokens are"),
        (("[domain]", "[domian]"), "task.toml: "),
    ],
)
def test_a_domain_that_does_not_fit_the_model_is_one_line(
    folder, change, says, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = (folder / "for_while.toml").read_text().replace('where = "domain.py:where"\n', "")
    assert change[0] in text
    (tmp_path / "task.toml").write_text(text.replace(*change))
    assert main(["prune", str(folder), "task.toml", "--out", "c.json"]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith(f"relucid: {says}")
        and err.count("\n") == 1
        and [p.name for p in tmp_path.iterdir()] == ["task.toml"]
    )


def test_a_model_that_has_not_learnt_the_task_is_not_pruned_to_it(folder, tmp_path, capsys):
    weights = torch.load(folder / "final_model.pt", weights_only=True)
    weights["lm_head.weight"].zero_()
    weights["bigram_table"].zero_()
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(weights, tmp_path / "final_model.pt")
    assert main(["prune", str(tmp_path), "for_while"]) == 2
    assert capsys.readouterr().err == (
        f"relucid: {tmp_path.name}: decides 2048 of 2048 inputs wrongly; prune a model that has learnt the task\n"
    )


def test_stages_are_written_where_the_disk_has_room_or_not_at_all(folder, tmp_path, monkeypatch, capsys):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run_prune(folder, tmp_path / "o") == 2
    assert capsys.readouterr().err == (
        f"relucid: {tmp_path}/o: cannot write (No space left on device); choose another --out or make room\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_edges_are_judged_on_the_whole_domain(model):
    """`good` agrees with brute force on masks of which all but a few inputs are right."""
    asked, rng = job(model), np.random.default_rng(0)
    answers = []
    for _ in range(40):
        kept = {p: rng.random(len(k)) < 0.93 for p, k in asked.first.kept.items()}
        stage = replace(asked.first, kept=kept)
        lead, loss = told(replace(model, mask=asked._mask(stage)))
        assert asked.good(stage) == (lead >= asked.margin and loss <= QUICK.target_loss)
        answers.append(asked.good(stage))
    assert 0 < sum(answers) < 40 and len(asked._hard)
    assert isinstance(asked.first, PruningStage) and isinstance(model, SparseGpt)
