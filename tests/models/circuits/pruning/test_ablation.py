"""`--ablation`: what stands in for nodes that a mask does not keep, taken over a domain, against means by
hand.
"""

import json

import numpy as np
import pytest
import torch
from relucid.cli.main import main
from relucid.common.errors import InputError
from relucid.models.circuits.load import load_circuit
from relucid.models.circuits.pruning import ablation
from relucid.models.circuits.pruning.ablation import ablated
from relucid.models.circuits.sparse_gpt.forward import forward
from relucid.models.claims.domain import Domain

WORDS = ("<bos>", "a", "b", "c", "d", "<q>", "z")
TOML = '[domain]\ntokens = ["a", "b"]\nlength = 3\nprefix = ["<bos>"]\n[decision]\nkind = "argmax"\nlabels = ["c", "d"]\n'


@pytest.fixture
def released(checkpoint, tmp_path):
    """A model and a release's mask for it: most nodes of layer 1 are not kept."""
    folder, _, _ = checkpoint()
    (folder / "vocab.json").write_text(json.dumps({"tokens": list(WORDS)}))
    (tmp_path / "task.toml").write_text(TOML)
    nodes = {
        f"{i}.{where}": torch.arange(8 - 6 * i)
        for i in (0, 1)
        for where in ("attn.act_in", "attn.q", "attn.k", "attn.v")
    }
    nodes |= {
        f"{i}.{where}": torch.arange(8 - 6 * i)
        for i in (0, 1)
        for where in ("attn.resid_delta", "mlp.act_in", "mlp.resid_delta")
    }
    nodes |= {"0.mlp.post_act": torch.arange(12), "1.mlp.post_act": torch.tensor([0])}
    torch.save({"circuit_data": nodes}, tmp_path / "viz_data.pt")
    return folder, tmp_path / "viz_data.pt", tmp_path / "task.toml"


def by_hand(circuit, sequences):
    """Means of the whole model over every position of every sequence, one sequence at a time."""
    seen = {}
    for words in sequences:
        ids = torch.tensor([[WORDS.index(w) for w in words]])
        with torch.no_grad():
            forward(
                circuit.config,
                circuit.weights,
                ids,
                lambda i, where, x: seen.setdefault((i, where), []).append(x[0].double()) or x,
            )
    return {place: torch.cat(rows).mean(dim=0).numpy() for place, rows in seen.items()}


def test_means_are_the_whole_models_over_a_domain_of_several_lengths(released):
    circuit = load_circuit(*released[:2])
    domain = Domain(("a", "b"), 1, 2, pad="<pad>", prefix=("<bos>",), suffix=("<q>",))
    result = ablated(circuit, domain, "mean")
    bodies = [("a",), ("b",), ("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    expected = by_hand(circuit, [("<bos>", *body, "<q>") for body in bodies])
    for place, kept in circuit.mask.kept.items():
        assert np.array_equal(result.mask.kept[place], kept)
        assert np.allclose(result.mask.means[place], np.where(kept, 0, expected[place]), atol=1e-6)
    assert (
        result.origin.endswith("here: others at their mean over 6 inputs")
        and not circuit.mask.means[1, "attn_in"].any()
    )
    zero = ablated(result, domain, "zero")
    assert not any(m.any() for m in zero.mask.means.values()) and zero.origin.endswith("here: others at zero")


def test_a_large_domain_is_sampled(released, monkeypatch):
    monkeypatch.setattr(ablation, "LARGEST", 7)
    monkeypatch.setattr(ablation, "SAMPLE", 500)
    circuit, domain = load_circuit(*released[:2]), Domain(("a", "b"), 3, 3, prefix=("<bos>",))
    sampled = ablated(circuit, domain, "mean")
    monkeypatch.setattr(ablation, "LARGEST", 8)
    whole = ablated(circuit, domain, "mean")
    assert "over a sample of 500 inputs" in sampled.origin and "over 8 inputs" in whole.origin
    place = (1, "mlp_in")
    assert np.allclose(sampled.mask.means[place], whole.mask.means[place], atol=0.2)
    assert not np.array_equal(sampled.mask.means[place], whole.mask.means[place])


def test_show_and_distil_take_it(released, tmp_path, capsys):
    folder, mask, domain = map(str, released)

    def margin(*more):
        assert main(["show", folder, "--mask", mask, "--domain", domain, "--json", *more]) == 0
        return json.loads(capsys.readouterr().out)["faithfulness"]["smallest_margin"]

    assert margin() == margin("--ablation", "zero") != margin("--ablation", "mean")
    arguments = [
        "distill",
        folder,
        "--mask",
        mask,
        "--domain",
        domain,
        "--ablation",
        "mean",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    assert main(arguments) == 0
    assert "mean over 8 inputs" in (tmp_path / "out" / "result.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["show", "quotes_and_brackets", "--ablation", "mean"],
            "--ablation: what stands in is taken over a domain; give --domain, too",
        ),
        (
            ["distill", "quotes_and_brackets", "--domain", "task.toml", "--out", "o", "--ablation", "mean"],
            "--ablation: quotes_and_brackets has no node mask; leave it out, or give a mask",
        ),
        (["show", "task.toml", "--ablation", "mean"], "--ablation: task.toml is not a circuit; leave it out"),
    ],
)
def test_where_there_is_nothing_to_stand_in_for(released, arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"relucid: {says}\n") and not (tmp_path / "o").exists()


def test_a_vocabulary_that_does_not_fit(released):
    with pytest.raises(InputError) as caught:
        ablated(load_circuit(*released[:2]), Domain(("a", "y"), 2, 2), "mean")
    assert str(caught.value).startswith(
        "[domain] tokens: 'y' is not in the vocabulary of model1 (viz_data); its tokens are"
    )
