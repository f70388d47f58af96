"""Whatever a circuit's folder or mask holds, the answer is one line, and no code from it ever runs."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from relucid.common.errors import InputError
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.sparse_gpt.forward import NODE_LOCATIONS, node_widths
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt
from relucid.models.zoo.shipped import shipped


def refusal(call, *parts):
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 600
    for part in parts:
        assert part in text, text
    return text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n_layers": 3}, "unknown key 'n_layers'"),
        ({"d_model": None}, "d_model is None"),
        ({"d_model": "8"}, "d_model is '8'"),
        ({"d_model": 8.0}, "d_model is 8.0"),
        ({"d_model": True}, "d_model is True"),
        ({"n_layer": 0}, "n_layer is 0"),
        ({"d_head": 0}, "d_head is 0"),
        ({"d_mlp": -1}, "d_mlp is -1"),
        ({"d_pos_emb": 0}, "d_pos_emb is 0"),
        ({"n_head": 3}, "multiple of n_head"),
        ({"bias": 1}, "bias is 1"),
        ({"activation_type": "silu"}, "silu"),
        ({"residual_activation_type": "gelu"}, "residual_activation_type"),
        ({"afrac": 1.5}, "afrac is 1.5"),
        ({"afrac": float("nan")}, "afrac is nan"),
        ({"afrac": 0.5, "afrac_loctypes": "attn_in,mlp"}, "'mlp'"),
        ({"vocab_size": 1 << 20, "enable_bigram_table": True}, "parameters"),
        ({"use_tied_aux_matrix": True}, "use_tied_aux_matrix"),
        ({"d_mlp": 13}, "shape"),
        ({"block_size": 7}, "transformer.wpe.weight has shape (6, 8)"),
        ({"sink": True}, "sink_logit is missing"),
        ({"bias": False}, "c_attn.bias has no place"),
        ({"tied_unembed": True}, "they differ"),
    ],
)
def test_config_that_does_not_fit(changes, says, checkpoint):
    folder, config, _ = checkpoint()
    (folder / "beeg_config.json").write_text(json.dumps({**config, **changes}))
    refusal(lambda: read_sparse_gpt(folder), says)


@pytest.mark.parametrize("key", ["block_size", "vocab_size", "n_layer", "n_head", "d_model"])
def test_missing_config_key(key, checkpoint):
    folder, config, _ = checkpoint()
    del config[key]
    (folder / "beeg_config.json").write_text(json.dumps(config))
    refusal(lambda: read_sparse_gpt(folder), f"{key} is missing")


@pytest.mark.parametrize("name", ["beeg_config.json", "vocab.json", "final_model.pt"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b"[1, 2", b"[" * 100_000, b"null", None])
def test_garbage_in_any_file(name, content, checkpoint):
    folder, _, _ = checkpoint()
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    refusal(lambda: read_sparse_gpt(folder), name)


class WritesAFile:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("plain", [True, False], ids=["bare pickle", "torch zip"])
def test_a_pickle_that_would_run_code_is_refused(plain, checkpoint, tmp_path):
    import torch

    folder, _, _ = checkpoint()
    trace = tmp_path / "trace"
    hostile = {"transformer.wte.weight": WritesAFile(trace)}
    if plain:
        (folder / "final_model.pt").write_bytes(pickle.dumps(hostile))
    else:
        torch.save(hostile, folder / "final_model.pt")
        torch.load(folder / "final_model.pt", weights_only=False)
        assert trace.exists(), "the bait works where code is allowed to run"
        trace.unlink()
    refusal(lambda: read_sparse_gpt(folder), "final_model.pt", "refused")
    assert not trace.exists()


def test_zips_that_are_no_checkpoint(checkpoint):
    folder, _, _ = checkpoint()
    whole = (folder / "final_model.pt").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("hello.txt", "hello")
    for content in (buffer.getvalue(), whole[: len(whole) // 2], whole[:-30]):
        (folder / "final_model.pt").write_bytes(content)
        refusal(lambda: read_sparse_gpt(folder), "final_model.pt")


@pytest.mark.parametrize(
    "kind", ["list", "number", "int_tensor", "sparse", "nan", "overflow", "extra", "missing", "mask"]
)
def test_state_dicts_that_do_not_fit(kind, checkpoint):
    import torch

    folder, _, state = checkpoint()
    tensors = {k: torch.from_numpy(v) for k, v in state.items()}
    name = "transformer.h.1.mlp.c_fc.weight"
    says = name
    if kind == "list":
        tensors, says = list(tensors.values()), "state dict"
    elif kind == "number":
        tensors[name], says = 3.5, "state dict"
    elif kind == "int_tensor":
        tensors[name] = tensors[name].to(torch.int32)
    elif kind == "sparse":
        tensors[name] = tensors[name].to_sparse()
    elif kind == "nan":
        tensors[name][0, 0] = float("nan")
    elif kind == "overflow":
        tensors[name] = tensors[name].double() * 1e300
    elif kind == "extra":
        tensors["lm_head.bias"], says = torch.zeros(7), "lm_head.bias has no place"
    elif kind == "missing":
        del tensors[name]
    else:
        tensors["transformer.h.0.attn.bias"], says = torch.ones(1, 1, 6, 6), "causal mask"
    torch.save(tensors, folder / "final_model.pt")
    refusal(lambda: read_sparse_gpt(folder), says)


@pytest.mark.parametrize(
    ("vocabulary", "says"),
    [
        ({"tokens": ["a"] * 7}, "'a' is listed twice"),
        ({"tokens": ["a", "b"]}, "2 tokens for a model with vocab_size 7"),
        ({"tokens": [1, 2, 3, 4, 5, 6, 7]}, "list of strings"),
        ({"words": []}, "list of strings"),
        (["a"], "list of strings"),
        ({"tokens": list("abcdefg"), "origin": 3}, "origin"),
    ],
)
def test_bad_vocabulary(vocabulary, says, checkpoint):
    folder, _, _ = checkpoint()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    refusal(lambda: read_sparse_gpt(folder), "vocab.json", says)


def test_ids_that_do_not_fit(checkpoint):
    folder, _, _ = checkpoint()
    circuit = read_sparse_gpt(folder)
    refusal(lambda: circuit.logits(np.zeros((2, 7), dtype=np.int64)), "7 tokens", "block_size")
    refusal(lambda: circuit.logits(np.zeros((2, 0), dtype=np.int64)), "0 tokens")
    refusal(lambda: circuit.logits(np.full((2, 3), 7)), "outside 0 to 6")
    refusal(lambda: circuit.logits(np.full((2, 3), -1)), "outside 0 to 6")
    refusal(lambda: circuit.logits(np.zeros((2, 3))), "integers")
    refusal(lambda: circuit.logits(np.zeros(3, dtype=np.int64)), "(3,)")
    assert circuit.logits(np.zeros((0, 3), dtype=np.int64)).shape == (0, 7)


def whole_mask(model):
    layer = {
        place: {"kept": list(range(width)), "means": []} for place, width in node_widths(model.config).items()
    }
    return {
        "format": "relucid node mask 1",
        "layers": [json.loads(json.dumps(layer)) for _ in range(model.config.n_layer)],
    }


def test_a_mask_that_keeps_everything_is_the_model(checkpoint):
    folder, _, _ = checkpoint()
    model = read_sparse_gpt(folder)
    (folder / "m.json").write_text(json.dumps(whole_mask(model)))
    ids = np.array([[1, 2, 3]])
    assert (read_sparse_gpt(folder, folder / "m.json").logits(ids) == model.logits(ids)).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(format="relucid node mask 2"), "not a node mask"),
        (lambda m: m.update(extra=1), "unknown key 'extra'"),
        (lambda m: m.update(origin=1), "is not a string"),
        (lambda m: m.update(weights_sha256="0" * 64), "other weights"),
        (lambda m: m.pop("layers"), "2 layers"),
        (lambda m: m["layers"].pop(), "2 layers"),
        (lambda m: m["layers"][1].pop("attn_q"), "layer 1"),
        (lambda m: m["layers"][1].update(resid={}), "layer 1"),
        (lambda m: m["layers"][0].update(mlp_in=[]), "layer 0, mlp_in"),
        (lambda m: m["layers"][0]["mlp_in"].update(scale=1), "layer 0, mlp_in"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 8]), "0 to 7"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[-1, 3]), "0 to 7"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[True, 3]), "0 to 7"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[1.0]), "0 to 7"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[3, 3]), "increasing"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5]), "2 numbers"),
        (lambda m: m["layers"][0]["mlp_in"].update(means=[0.5]), "0 numbers"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5, 6], means=["0"]), "finite"),
        (
            lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5, 6], means=[float("nan")]),
            "finite",
        ),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5, 6], means=[1e39]), "finite"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5, 6], means=[10**400]), "finite"),
        (lambda m: m["layers"][0]["mlp_in"].update(kept=[0, 1, 2, 3, 4, 5, 6], means=[True]), "finite"),
    ],
)
def test_masks_that_do_not_fit(change, says, checkpoint):
    folder, _, _ = checkpoint()
    mask = whole_mask(read_sparse_gpt(folder))
    change(mask)
    (folder / "m.json").write_text(json.dumps(mask))
    refusal(lambda: read_sparse_gpt(folder, folder / "m.json"), "m.json", says)
    assert len(NODE_LOCATIONS) == 8


def test_folders_and_names_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refusal(lambda: load_circuit("nothing_here"), "nothing_here", *shipped())
    refusal(lambda: load_circuit(tmp_path), "beeg_config.json")
    Path("a_file").write_text("")
    refusal(lambda: load_circuit(Path("a_file")), "not a folder")
    refusal(lambda: load_circuit("quote_closing", tmp_path / "no.json"), "no.json")
