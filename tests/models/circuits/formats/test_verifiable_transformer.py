"""verifiable-transformers: the author's own numbers, on a small random model and on the published one
(../shared/data).
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from relucid.common.errors import InputError
from relucid.models.circuits.circuit import EdgePruned
from relucid.models.circuits.load import load_circuit

PROGRAM = {
    "dsl_version": 1, "name": "p", "default_weight": "1/3",
    "rules": [
        {"weight": "2", "conditions": [{"feature": "relative_distance", "operator": "==", "value": 1}]},
        {"weight": 1, "conditions": [{"feature": "key_token", "operator": "in", "value": [2, 3]}, {"feature": "token_match", "operator": "==", "value": False}]},
    ],
}  # fmt: skip
SELF = {"rules": [{"weight": "1", "conditions": [{"feature": "key_position", "operator": ">", "value": 1}]}]}
EDGES = [
    ["emb", "attn_0_h_1"],
    ["attn_0_h_1", "mlp_0"],
    ["emb", "attn_1_h_0"],
    ["mlp_0", "attn_1_h_0"],
    ["attn_1_h_0", "logits"],
    ["mlp_0", "logits"],
]
IDS = np.array([[1, 2, 3, 4], [4, 4, 0, 2], [3, 1, 1, 0]])


def weights(norm="none", programs=False, seed=11):
    rng = np.random.default_rng(seed)

    def matrix(*shape):
        return np.round(rng.normal(size=shape), 3).tolist()

    out = {
        "d_model": 4, "n_layers": 2, "n_heads": 2, "vocab_size": 5, "d_ff": 6, "head_dim": 2, "norm_variant": norm,
        "attn_variant": "sparsemax", "activation_variant": "leaky_relu", "half_low": 0.8, "half_high": 4.5,
        "wte": matrix(5, 4), "wpe": matrix(4, 4), "lm_head": matrix(5, 4), "lm_head_bias": matrix(5),
        "final_norm_gamma": matrix(4), "final_norm_beta": matrix(4),
    }  # fmt: skip
    for i in range(2):
        for k in "qkvo":
            out[f"attn_{i}_W_{k}"], out[f"attn_{i}_b_{k}"] = matrix(4, 4), matrix(4)
        out |= {
            f"mlp_{i}_W_up": matrix(6, 4),
            f"mlp_{i}_b_up": matrix(6),
            f"mlp_{i}_W_down": matrix(4, 6),
            f"mlp_{i}_b_down": matrix(4),
        }
        out |= {f"{part}_{i}_norm_{k}": matrix(4) for part in ("attn", "mlp") for k in ("gamma", "beta")}
    if programs:
        out["program_heads"] = {"0.1": PROGRAM, "1.0": SELF}
    return out


def write(folder, values):
    folder.mkdir(exist_ok=True)
    (folder / "smt_weights.json").write_text(json.dumps(values))
    (folder / "vocab.json").write_text(
        json.dumps({"vocab_size": 5, "token_names": {"0": "<PAD>", "1": "a", "3": "b"}})
    )
    circuit = {
        "task": "t",
        "n_layers": 2,
        "n_heads": 2,
        "granularity": "head",
        "ablation": "zero",
        "edges": EDGES,
    }
    (folder / "circuit_t.json").write_text(json.dumps(circuit))
    return folder


# (norm, programs, pruned) -> logits of tokens 0 to 2: what the author's scripts/smt/trace.py computes for
# `weights`
AUTHOR = {
    ("none", False, True): [[2.557847, 2.502816, 5.90355], [-11.446217, -11.135657, 64.533689], [-8.910489, -9.367187, 47.855292]],
    ("none", False, False): [[28.925711, -121.005255, 143.362008], [166.791021, -307.338092, 436.964132], [140.136582, -252.310493, 366.384421]],
    ("none", True, True): [[2.035944, 5.474645, 17.984315], [-5.450861, -5.529883, 34.612311], [-0.673456, 2.12171, 25.816863]],
    ("none", True, False): [[16.125847, -224.304913, 253.723446], [154.493093, -294.329577, 472.243308], [109.285436, -223.834364, 350.61696]],
    ("signed_l1_band_norm", False, True): [[3.54641, 2.899886, -3.956485], [3.362911, 2.787502, -3.734564], [3.531362, 2.889488, -3.936934]],
    ("signed_l1_band_norm", False, False): [[4.360886, 1.413625, -5.431035]] * 3,
    ("signed_l1_band_norm", True, True): [[3.38834, 2.80715, -3.76998], [3.556848, 2.907098, -3.970047], [3.556848, 2.907098, -3.970047]],
    ("signed_l1_band_norm", True, False): [[4.360886, 1.413625, -5.431035]] * 3,
}  # fmt: skip


@pytest.mark.parametrize(("norm", "programs", "pruned"), AUTHOR)
def test_it_computes_what_its_author_computes(norm, programs, pruned, tmp_path):
    folder = write(tmp_path / "m", weights(norm, programs))
    circuit = load_circuit(folder / "circuit_t.json") if pruned else load_circuit(folder)
    assert np.abs(circuit.logits(IDS)[:, :3] - AUTHOR[norm, programs, pruned]).max() < 1e-6
    assert circuit.vocabulary == ("<PAD>", "a", "<2>", "b", "<4>")
    everywhere = circuit.all_logits(IDS)
    assert everywhere.shape == (*IDS.shape, 5)
    assert all(np.allclose(everywhere[:, i], circuit.logits(IDS[:, : i + 1])) for i in range(IDS.shape[1]))
    assert circuit.all_logits(IDS[:0]).shape == (0, *everywhere.shape[1:])
    assert circuit.logits(IDS[:0]).shape == (0, 5)


def test_the_folder_with_a_mask_is_the_circuit_file(tmp_path):
    folder = write(tmp_path / "m", weights())
    one, other = load_circuit(folder / "circuit_t.json"), load_circuit(folder, folder / "circuit_t.json")
    assert np.array_equal(one.logits(IDS), other.logits(IDS))
    assert one.summary().edges_kept == 6 and one.summary().edges_total == 26 and one.summary().nodes_kept == 3


def test_block_edges_stand_for_all_heads(tmp_path):
    folder = write(tmp_path / "m", weights())
    circuit = {
        "n_layers": 2,
        "edges": [{"from": "emb", "to": "attn_0"}, ["attn_0", "attn_1"], ["attn_1", "logits"]],
    }
    (folder / "block.json").write_text(json.dumps(circuit))
    heads = [(0, h) for h in range(2)], [(1, h) for h in range(2)]
    names = [[f"attn_{i}_h_{h}" for i, h in group] for group in heads]
    links = (
        {("emb", n) for n in names[0]} | set(itertools.product(*names)) | {(n, "logits") for n in names[1]}
    )
    assert load_circuit(folder / "block.json").edges == links


def test_without_edges_only_the_biases_speak(tmp_path):
    folder = write(tmp_path / "m", weights())
    (folder / "circuit_t.json").write_text(json.dumps({"n_layers": 2, "n_heads": 2, "edges": []}))
    assert np.allclose(
        load_circuit(folder / "circuit_t.json").logits(IDS), np.tile(weights()["lm_head_bias"], (3, 1))
    )
    assert load_circuit(folder).logits(IDS[:0]).shape == (0, 5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"norm_variant": "layer_norm"},
            "norm_variant 'layer_norm' is not supported; it is none or signed_l1_band_norm",
        ),
        ({"attn_variant": "softmax"}, "attn_variant 'softmax' is not supported; it is sparsemax"),
        ({"activation_variant": None}, "activation_variant None is not supported"),
        ({"d_model": 3}, "d_model 3 is not n_heads times head_dim"),
        ({"n_layers": 3}, "attn_2_W_q is missing"),
        ({"n_heads": True}, "n_heads is True"),
        ({"vocab_size": 6}, "wte has shape (5, 4), the sizes make it (6, 4)"),
        ({"wte": "x"}, "wte is not an array of numbers"),
        ({"lm_head_bias": [1, 2, 3, 4, float("nan")]}, "lm_head_bias has values that are not finite"),
        (
            {"norm_variant": "signed_l1_band_norm", "half_low": 3.0, "half_high": 1.0},
            "half_low 3.0 and half_high 1.0 are no band",
        ),
        ({"program_heads": {"2.0": SELF}}, "'2.0' is no head of this model"),
        ({"program_heads": {"0.0": {"rules": []}}}, "has neither a rule nor a default weight"),
        (
            {"program_heads": {"0.0": {"rules": [{"weight": "-1", "conditions": []}]}}},
            "the weight '-1' is not a number from 0 on",
        ),
        (
            {"program_heads": {"0.0": {"rules": [{"weight": "1", "conditions": [{"feature": "os"}]}]}}},
            "'os' is no feature",
        ),
    ],
)
def test_weights_that_do_not_fit(change, says, tmp_path):
    folder = write(tmp_path / "m", {**weights(), **change})
    with pytest.raises(InputError) as caught:
        load_circuit(folder)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"edges": [["emb", "attn_2_h_0"]]}, "the model has no edge from 'emb' to 'attn_2_h_0'"),
        ({"edges": [["mlp_0", "attn_0_h_0"]]}, "the model has no edge from 'mlp_0' to 'attn_0_h_0'"),
        ({"edges": [3]}, "3 is no edge"),
        ({"edges": None}, 'has no list of "edges"'),
        ({"n_heads": 4}, "is about a model with 2 layers of 4 heads; this one has 2 of 2"),
        ({"ablation": "mean"}, "ablation 'mean' is not supported"),
    ],
)
def test_circuits_that_do_not_fit(change, says, tmp_path):
    folder = write(tmp_path / "m", weights())
    path = folder / "circuit_t.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as caught:
        load_circuit(path)
    assert says in str(caught.value)


@pytest.mark.parametrize("names", [{"9": "x"}, {"x": "y"}, {"0": "a", "1": "a"}, {"0": "<1>"}, []])
def test_vocabularies_that_do_not_fit(names, tmp_path):
    folder = write(tmp_path / "m", weights())
    (folder / "vocab.json").write_text(json.dumps({"token_names": names}))
    with pytest.raises(InputError, match="vocab"):
        load_circuit(folder)


PUBLISHED = Path(__file__).resolve().parents[5] / "shared" / "data" / "verifiable_transformer"
TASKS = {"quote_close": ("<TASK_QUOTE>", "'\"", "'\""), "bracket_type": ("<TASK_BRACKET>", "[{", "]}")}


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"{PUBLISHED} is absent: no published circuits")
@pytest.mark.parametrize("task", TASKS)
def test_the_published_circuits_have_the_published_properties(task):
    """results_*.json: 128 of 128 inputs right, the answer invariant in the content, all 4 edges necessary,
    robust to 0.01.
    """
    results = {
        r["property"]: r for r in json.loads((PUBLISHED / f"results_{task}.json").read_text())["properties"]
    }
    circuit = load_circuit(PUBLISHED / f"circuit_{task}.json")
    number = {word: i for i, word in enumerate(circuit.vocabulary)}
    cue, opening, closing = TASKS[task]
    bodies = [(a, x, b, c) for a, b, c in itertools.product("ABCD", repeat=3) for x in opening]
    ids = np.array([[number[w] for w in ("<BOS>", cue, *body)] for body in bodies])
    right = np.array([opening.index(body[1]) for body in bodies])
    columns = [number[w] for w in closing]

    def decided(some):
        return some.logits(ids)[:, columns].argmax(axis=1)

    assert (
        (decided(circuit) == right).sum()
        == results["projected_functional_equivalence"]["verified_count"]
        == 128
    )
    assert (decided(circuit.unpruned()) == right).all()

    needed = [(decided(circuit.with_edges(circuit.edges - {edge})) != right).any() for edge in circuit.edges]
    assert sum(needed) == results["projected_edge_necessity"]["necessary_edges"] == 4
    logits = circuit.logits(ids)[:, columns]
    gap = np.abs(logits[:, 0] - logits[:, 1]).min()
    rows = circuit.weights["lm_head"][columns]
    reach = results["projected_continuous_robustness"]["certified_epsilon"] * np.abs(rows[0] - rows[1]).sum()
    assert gap > reach  # no violation when the final residual moves by epsilon


DOMAIN = """
[domain]
tokens = ["A", "B", "C", "D", {opening}]
length = 4
where = "where.py:second"
prefix = ["<BOS>", "{cue}"]
[decision]
labels = [{closing}]
"""


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"{PUBLISHED} is absent: no published circuits")
@pytest.mark.parametrize("task", TASKS)
def test_the_published_circuits_distil_and_prove(task, tmp_path, capsys):
    from relucid.cli.main import main

    cue, opening, closing = TASKS[task]
    listed = {k: ", ".join(json.dumps(c) for c in v) for k, v in (("opening", opening), ("closing", closing))}
    (tmp_path / "task.toml").write_text(DOMAIN.format(cue=cue, **listed))
    source = f"def second(tokens):\n    for i, t in enumerate(tokens):\n        if (t in {tuple(opening)!r}) != (i == 1):\n            return False\n    return True\n"
    (tmp_path / "where.py").write_text(source)
    arguments = [
        "distill",
        str(PUBLISHED / f"circuit_{task}.json"),
        "--domain",
        str(tmp_path / "task.toml"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    assert "proved: network = program on all 128 inputs" in capsys.readouterr().out
    picture = tmp_path / "circuit.png"
    assert main(["show", arguments[1], "--domain", arguments[3], "--draw", str(picture), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["faithfulness"]["agreeing"] == told["faithfulness"]["inputs"] == 128
        and told["faithfulness"]["smallest_margin"] > 3
    )
    control = told["faithfulness"]["control"]
    assert control["what"] == "edges" and control["own_share"] == 1.0 and control["share"] < 0.75, (
        "random labels are not fitted"
    )
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_layers": 5000}, "the model is too large; take a smaller model"),
        ({"n_layers": 400}, "attn_2_W_q is missing; it must be the model's whole export"),
    ],
)
def test_a_small_file_about_a_large_model_is_refused_at_once(change, says, tmp_path):
    """Its edges would be many millions."""
    folder = write(tmp_path / "m", {**weights(), **change})
    with pytest.raises(InputError) as caught:
        load_circuit(folder)
    assert says in str(caught.value)


def test_half_of_the_edges_that_were_pruned_are_put_back(tmp_path):
    circuit = load_circuit(write(tmp_path / "m", weights()) / "circuit_t.json")
    every, found = (
        circuit.every_edge,
        [circuit.partly_restored(np.random.default_rng(s)).edges for s in range(20)],
    )
    assert all(circuit.edges <= edges <= every for edges in found) and len(set(found)) > 10
    share = np.mean([len(edges - circuit.edges) for edges in found]) / len(every - circuit.edges)
    assert 0.4 < share < 0.6 and found[0] == circuit.partly_restored(np.random.default_rng(0)).edges


def test_the_control_prunes_the_whole_model_from_the_logits_back(tmp_path):
    circuit = load_circuit(write(tmp_path / "m", weights()) / "circuit_t.json")
    assert isinstance(circuit, EdgePruned)
    edges = circuit.edges_in_order()
    assert (
        set(edges) == circuit.every_edge
        and [b for _, b in edges[-6:]] == ["logits"] * 6
        and edges[0] == ("emb", "attn_0_h_0")
    )
    assert (circuit.with_edges(circuit.edges).logits(IDS) == circuit.logits(IDS)).all()
