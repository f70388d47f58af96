"""The release's node masks (`viz_data.pt`), and what does not fit a model."""

import numpy as np
import pytest
import torch
from relucid.common.errors import InputError
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.sparse_gpt.mask import NodeMask
from relucid.models.circuits.sparse_gpt.model import read_sparse_gpt

NODES = {
    "0.attn.act_in": torch.tensor([0, 5]), "0.attn.q": torch.tensor([1]), "0.attn.k": torch.tensor([1]), "0.attn.v": torch.tensor([7, 2]),
    "0.attn.resid_delta": torch.tensor([3]), "1.mlp.act_in": torch.tensor([3]), "1.mlp.post_act": torch.tensor([], dtype=torch.int64),
    "1.mlp.resid_delta": torch.tensor([0, 1, 2]),
}  # fmt: skip
PLACES = {
    "attn.act_in": "attn_in",
    "attn.q": "attn_q",
    "attn.k": "attn_k",
    "attn.v": "attn_v",
    "attn.resid_delta": "attn_out",
}
PLACES |= {"mlp.act_in": "mlp_in", "mlp.post_act": "mlp_neuron", "mlp.resid_delta": "mlp_out"}


def test_the_kept_nodes_are_those_listed_and_the_others_zero(checkpoint, tmp_path):
    folder, _, _ = checkpoint()
    torch.save(
        {"circuit_data": {**NODES, "prune_config": {"k": 3}}, "importances": {"loss": 0.1}},
        tmp_path / "viz_data.pt",
    )
    circuit = load_circuit(folder, tmp_path / "viz_data.pt")
    whole = read_sparse_gpt(folder)
    kept = {p: np.zeros_like(k) for p, k in circuit.mask.kept.items()}
    for key, nodes in NODES.items():
        layer, _, place = key.partition(".")
        kept[int(layer), PLACES[place]][nodes.tolist()] = True
    mask = NodeMask(kept, {p: np.zeros(len(k), dtype=np.float32) for p, k in kept.items()})
    ids = np.random.default_rng(0).integers(0, 7, (20, 6))
    same = type(whole)("x", whole.vocabulary, whole.config, whole.weights, mask=mask)
    assert np.array_equal(circuit.logits(ids), same.logits(ids)) and not np.allclose(
        circuit.logits(ids), whole.logits(ids)
    )
    assert circuit.summary().nodes_kept == 11 and "others at zero" in circuit.summary().origin


def test_nodes_may_be_marked_by_true_and_false(checkpoint, tmp_path):
    folder, _, _ = checkpoint()
    marks = torch.zeros(8, dtype=torch.bool)
    marks[[2, 7]] = True
    torch.save({"circuit_data": {"0.attn.v": marks}}, tmp_path / "viz_data.pt")
    kept = load_circuit(folder, tmp_path / "viz_data.pt").mask.kept
    assert (
        np.flatnonzero(kept[0, "attn_v"]).tolist() == [2, 7] and sum(int(k.sum()) for k in kept.values()) == 2
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"circuit_data": {"2.attn.q": torch.tensor([1])}}, "is no place of this model"),
        ({"circuit_data": {"0.attn.y": torch.tensor([1])}}, "is no place of this model"),
        ({"circuit_data": {"0.attn.q": torch.tensor([8])}}, "has a node outside 0 to 7"),
        ({"circuit_data": {"0.attn.q": torch.tensor([-1])}}, "has a node outside 0 to 7"),
        ({"circuit_data": {"0.attn.q": torch.tensor([1.0])}}, "is not a list of node numbers"),
        ({"circuit_data": {"0.attn.q": torch.tensor([[1]])}}, "is not a list of node numbers"),
        ({"circuit_data": {"0.attn.q": torch.tensor([0, 1]).to_sparse()}}, "is not a list of node numbers"),
        (
            {"circuit_data": {"0.attn.q": torch.zeros(2, dtype=torch.int64, device="meta")}},
            "is not a list of node numbers",
        ),
        (
            {"circuit_data": {"0.attn.q": torch.zeros(1, dtype=torch.int64).expand(10**11)}},
            "has 100000000000 nodes of 8; list each node once",
        ),
        ({"circuit_data": {"0.attn.q": torch.ones(9, dtype=torch.bool)}}, "has 9 nodes of 8"),
        ({"circuit_data": {}}, 'has no "circuit_data"'),
        ([1, 2], 'has no "circuit_data"'),
    ],
)
def test_masks_that_do_not_fit(data, says, checkpoint, tmp_path):
    folder, _, _ = checkpoint()
    torch.save(data, tmp_path / "viz_data.pt")
    with pytest.raises(InputError) as caught:
        load_circuit(folder, tmp_path / "viz_data.pt")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_not_a_torch_file(checkpoint, tmp_path):
    folder, _, _ = checkpoint()
    (tmp_path / "viz_data.pt").write_bytes(b"garbage")
    with pytest.raises(InputError, match=r"torch file|refused"):
        load_circuit(folder, tmp_path / "viz_data.pt")
